"""Global attention against the plain formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gfla_video.components.global_attention import GlobalAttention
from gfla_video.components.positions import positions_of
from gfla_video.components.renderer import TextureRenderer


def plain(block: GlobalAttention, source: Tensor, target: Tensor) -> Tensor:
    """softmax(q k / sqrt(d)) v, position by position and head by head."""
    query = block.to_query(torch.cat([target, positions_of(target)], 1))[0].flatten(1)
    key = block.to_key(torch.cat([source, positions_of(source)], 1))[0].flatten(1)
    value = source[0].flatten(1)
    heads = []
    for q, k, v in zip(*(m.chunk(block.heads) for m in (query, key, value)), strict=True):
        weights = torch.softmax(q.T @ k / q.shape[0] ** 0.5, dim=1)  # [targets, sources]
        heads.append(v @ weights.T)
    return torch.cat(heads).view(target.shape)


def test_against_the_plain_formula() -> None:
    block = GlobalAttention(8, hidden=12, heads=4).double()
    source, target = torch.randn(2, 1, 8, 5, 7, dtype=torch.float64)
    flow = torch.randn(1, 2, 5, 7, dtype=torch.float64)
    out = block(block.encode_source(source), target, flow)
    torch.testing.assert_close(out, plain(block, source, target))
    torch.testing.assert_close(out, block(block.encode_source(source), target, flow * 9))


def test_gradients() -> None:
    block = GlobalAttention(4, hidden=4, heads=2).double()
    leaves = [torch.randn(2, 4, 3, 4, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    flow = torch.zeros(2, 2, 3, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda s, t: block(block.encode_source(s), t, flow), leaves)


def test_in_the_place_of_local_attention() -> None:
    attentions = [GlobalAttention(8, hidden=8)]
    renderer = TextureRenderer(attentions, (2,), 2, base_channels=4, max_channels=8, levels=2)
    assert renderer.attentions[0].channels == 8
    with pytest.raises(ValueError, match="has 8 channels, the renderer 4 there"):
        TextureRenderer(attentions, (1,), 2, base_channels=4, max_channels=8, levels=2)


def test_heads_must_divide() -> None:
    with pytest.raises(ValueError, match="multiples of 4 heads, got 6, 8"):
        GlobalAttention(6, hidden=8)


def test_the_flow_gets_a_gradient_of_zero() -> None:
    """Not none: a flow head that waits for one would stop training in several processes."""
    block = GlobalAttention(8, hidden=8)
    source, target = torch.randn(2, 1, 8, 4, 4)
    flow = torch.randn(1, 2, 4, 4, requires_grad=True)
    block(block.encode_source(source), target, flow).sum().backward()
    assert flow.grad is not None and not flow.grad.any()
