"""Bilinear sampling in the place of attention, against SciPy's interpolation."""

from __future__ import annotations

import pytest
import torch
from scipy.ndimage import map_coordinates

from gfla_video.components.bilinear_sampling import BilinearSampling
from gfla_video.components.renderer import TextureRenderer


def test_against_scipy_with_clamped_borders() -> None:
    block = BilinearSampling(3)
    source, target = torch.randn(2, 2, 3, 6, 5, dtype=torch.float64)
    flow = torch.randn(2, 2, 6, 5, dtype=torch.float64) * 4
    out = block(block.encode_source(source), target, flow)
    rows, columns = torch.meshgrid(torch.arange(6), torch.arange(5), indexing="ij")
    for sample in range(2):
        at = torch.stack([rows + flow[sample, 1], columns + flow[sample, 0]]).numpy()
        for channel in range(3):
            expected = map_coordinates(source[sample, channel].numpy(), at, order=1, mode="nearest")
            torch.testing.assert_close(out[sample, channel], torch.from_numpy(expected))


def test_a_flow_of_whole_pixels_moves_features_as_they_are() -> None:
    block = BilinearSampling(1)
    source = torch.arange(16.0).view(1, 1, 4, 4)
    flow = torch.zeros(1, 2, 4, 4)
    flow[:, 0] = 1  # look one to the right
    out = block(block.encode_source(source), source, flow)
    torch.testing.assert_close(out[..., :3], source[..., 1:])
    torch.testing.assert_close(out[..., 3], source[..., 3])


def test_gradients_reach_source_and_flow_but_not_the_target() -> None:
    block = BilinearSampling(2).double()
    assert not list(block.parameters())
    leaves = [torch.randn(1, c, 4, 4, dtype=torch.float64, requires_grad=True) for c in (2, 2, 2)]
    source, target, flow = leaves
    block(block.encode_source(source), target, flow).sum().backward()
    assert source.grad is not None and flow.grad is not None and flow.grad.any()
    assert target.grad is None
    away = torch.full((1, 2, 3, 3), 0.3, dtype=torch.float64, requires_grad=True)
    inner = torch.randn(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s, f: block(block.encode_source(s), s, f), (inner, away))


def test_in_the_place_of_local_attention() -> None:
    attentions = [BilinearSampling(8)]
    renderer = TextureRenderer(attentions, (2,), 2, base_channels=4, max_channels=8, levels=2)
    assert len(renderer.encode_source([torch.zeros(1, c, 8, 8) for c in (3, 4, 8)])) == 1
    with pytest.raises(ValueError, match="has 8 channels, the renderer 4 there"):
        TextureRenderer(attentions, (1,), 2, base_channels=4, max_channels=8, levels=2)
