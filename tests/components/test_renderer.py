"""What the renderer refuses, and where the references go in."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from gfla_video.components.attention import LocalAttention
from gfla_video.components.renderer import TextureRenderer
from gfla_video.structures import FlowOutput


def blocks(*channels: int) -> list[nn.Module]:
    return [LocalAttention(c, 3, hidden=4) for c in channels]


def small(attentions: Sequence[nn.Module], **changes: object) -> TextureRenderer:
    settings: dict = {"structure_channels": 2, "base_channels": 4, "max_channels": 8}
    return TextureRenderer(attentions, **(settings | changes))


@pytest.mark.parametrize(
    ("channels", "levels", "message"),
    [
        ((8,), (3, 2), r"1 attention blocks for the levels \(3, 2\)"),
        ((8, 8), (2, 3), "coarse to fine"),
        ((8, 8), (3, 3), "coarse to fine"),
        ((8, 8), (4, 3), "level 4 is not among the levels 0..3"),
        ((8, 4), (1, 0), "has 8 channels, the renderer 4"),
        ((4,), (0,), "level 0 has 4 channels, the renderer 3 there"),
        ((8, 4), (3, 2), "level 2 has 4 channels, the renderer 8 there"),
    ],
)
def test_what_does_not_fit(
    channels: tuple[int, ...], levels: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        small(blocks(*channels), attention_levels=levels)


class Recorder(nn.Module):
    """A fusion that keeps the target's features and notes what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[torch.Size, list[Tensor], list[Tensor]]] = []

    def forward(self, target: Tensor, attended: list[Tensor], masks: list[Tensor]) -> Tensor:
        self.seen.append((target.shape, attended, masks))
        return target


def test_references_meet_the_target_at_their_levels() -> None:
    fusion = Recorder()
    renderer = small(blocks(8, 4), attention_levels=(2, 1), fusion=fusion, levels=3)
    features = [torch.randn(1, c, 64 >> v, 64 >> v) for c, v in ((3, 0), (4, 1), (8, 2))]
    encoded = [renderer.encode_source(features) for _ in range(2)]
    assert encoded[0][0].values is features[2]
    sizes = [(16, 16), (32, 32)]
    flow = FlowOutput(
        [[torch.zeros(1, 2, *size) for size in sizes] for _ in range(2)],
        [[torch.full((1, 1, *size), 0.5 * r) for size in sizes] for r in range(2)],
    )
    image = renderer(encoded, flow, torch.rand(1, 2, 64, 64))
    assert image.shape == (1, 3, 64, 64)
    assert float(image.abs().max()) <= 1
    assert [tuple(shape) for shape, _, _ in fusion.seen] == [(1, 8, 16, 16), (1, 4, 32, 32)]
    for _, attended, masks in fusion.seen:
        assert len(attended) == 2
        assert [float(mask.mean()) for mask in masks] == [0.0, 0.5]


def test_residual_blocks_per_doubling() -> None:
    counts = [
        sum(type(m).__name__ == "ResBlock" for m in small(blocks(8, 8), res_blocks=n).modules())
        for n in (0, 1, 2)
    ]
    assert counts == [0, 3, 6]


def test_a_code_is_decoded_at_the_flows_size() -> None:
    """The picture's size comes from the flow: a code has none."""
    renderer = small(
        blocks(4), attention_levels=(1,), levels=2, structure_at="bottleneck", join="positions"
    )
    assert renderer.encoder is None
    encoded = [renderer.encode_source([torch.randn(1, 3, 64, 96), torch.randn(1, 4, 32, 48)])]
    flow = FlowOutput([[torch.zeros(1, 2, 32, 48)]], [[torch.rand(1, 1, 32, 48)]])
    first, other = torch.randn(2, 1, 2, 1, 1)
    image = renderer(encoded, flow, first).detach()
    assert image.shape == (1, 3, 64, 96)
    assert float((image - renderer(encoded, flow, other).detach()).abs().max()) > 1e-5


def test_a_structure_has_two_places() -> None:
    with pytest.raises(ValueError, match="structure_at must be input or bottleneck, got 'end'"):
        small(blocks(8, 8), structure_at="end")


def test_level_0_takes_the_sources_own_pixels() -> None:
    """Where the mask is 1, the finished picture is the warped source; where 0, it is painted."""
    attention = LocalAttention(3, 1, hidden=4, pooled=False)  # one tap: a bilinear warp
    renderer = small([attention], attention_levels=(0,), levels=2)
    picture = torch.rand(1, 3, 64, 64) * 2 - 1
    encoded = [renderer.encode_source([picture])]
    flow = torch.zeros(1, 2, 64, 64)
    flow[:, 0] = 5.0  # five pixels to the right, borders clamp
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 32:, :] = 1.0
    structure = torch.rand(1, 2, 64, 64)
    image = renderer(encoded, FlowOutput([[flow]], [[mask]]), structure).detach()
    painted = renderer(encoded, FlowOutput([[flow]], [[mask * 0]]), structure).detach()
    moved = picture[..., (torch.arange(64) + 5).clamp(max=63)]
    torch.testing.assert_close(image[..., 32:, :], moved[..., 32:, :])
    torch.testing.assert_close(image[..., :32, :], painted[..., :32, :])
    assert float((painted - image).abs().max()) > 0.1
