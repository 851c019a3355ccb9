"""The flow estimator with fully connected layers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gfla_video.components.dense_flow import DenseFlowEstimator
from gfla_video.models.appearance_flow import AppearanceFlow
from gfla_video.utils.errors import UserError

WIDTHS: dict = {"width": 16, "encoder_channels": (4, 8, 8), "decoder_channels": (8, 4, 4)}


def small(**changes: object) -> DenseFlowEstimator:
    settings: dict = {"structure_channels": 2, "size": (64, 96), "grid_channels": 4} | WIDTHS
    return DenseFlowEstimator(**(settings | changes))


def inputs(batch: int = 2) -> tuple[list[Tensor], list[Tensor], Tensor]:
    codes = torch.rand(batch, 2, 1, 1)
    return [torch.randn(batch, 3, 64, 96)], [codes], codes.flip(1)


@pytest.mark.parametrize("levels", [(2, 1, 0), (3,), (1, 0), (2, 1)])
def test_coarse_flows_are_means_of_the_finest(levels: tuple[int, ...]) -> None:
    network = small(flow_levels=levels).double()
    given = [[picture.double()] for (picture,) in inputs()[:2]]
    out = network(given[0], given[1], inputs()[2].double())
    sizes = [(64 >> level, 96 >> level) for level in levels]
    assert [tuple(f.shape) for f in out.flows[0]] == [(2, 2, *size) for size in sizes]
    assert [tuple(m.shape) for m in out.masks[0]] == [(2, 1, *size) for size in sizes]
    side = 2 ** (levels[0] - levels[-1])
    blocks = out.flows[0][-1].view(2, 2, sizes[0][0], side, sizes[0][1], side)
    torch.testing.assert_close(out.flows[0][0], blocks.mean((3, 5)) / side)


def test_it_begins_near_the_identity_and_with_copying() -> None:
    out = small(first_mask=0.8)(*inputs())
    assert float(out.flows[0][-1].detach().abs().max()) < 2
    assert float(out.masks[0][-1].detach().mean()) == pytest.approx(0.8, abs=0.1)


def test_the_mask_parameters_move_no_flow_and_all_else_does() -> None:
    network = small()
    sum(flow.sum() for flow in network(*inputs()).flows[0]).backward()
    without = {name for name, p in network.named_parameters() if p.grad is None}
    assert without == {"mask_head.weight", "mask_head.bias"}
    assert len(list(network.mask_parameters())) == 2


def test_it_is_the_flow_of_appearance_flow() -> None:
    """The same weights, the same flow at the picture's resolution."""
    network = small(flow_levels=(0,))
    other = AppearanceFlow(
        structure_channels=2, size=(64, 96), grid_channels=4, dropout=0.0, code="both", **WIDTHS
    )
    for mine, theirs in (
        (network.image_branch, other.image_branch),
        (network.view_branch, other.view_branch),
        (network.decoder, other.flow_decoder),
    ):
        theirs.load_state_dict(mine.state_dict())
    with torch.no_grad():
        other.flow_head.weight[:2] = network.flow_head.weight
        other.flow_head.bias[:2] = network.flow_head.bias
    given = inputs()
    torch.testing.assert_close(network(*given).flows[0][0], other(*given).flows[0][0])


def test_what_does_not_go_together() -> None:
    with pytest.raises(UserError, match=r"made for 64 x 96, got a picture of 64 x 64"):
        small()([torch.zeros(1, 3, 64, 64)], [torch.zeros(1, 2, 1, 1)], torch.zeros(1, 2, 1, 1))
    with pytest.raises(ValueError, match="coarse to fine"):
        small(flow_levels=(0, 1))
    with pytest.raises(ValueError, match="cannot be halved"):
        small(size=(66, 96), flow_levels=(2, 1))
    with pytest.raises(ValueError, match="difference or both"):
        small(code="sum")
