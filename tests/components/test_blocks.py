"""Shapes, widths and borders of the building blocks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gfla_video.components.blocks import (
    DecoderBlock,
    DiscriminatorBlock,
    EncoderBlock,
    ReflectConv,
    ResBlock,
    level_width,
    norm,
    spectral_conv,
)


@pytest.mark.parametrize(
    ("base", "most", "widths"),
    [(64, 512, [64, 128, 256, 512, 512]), (32, 256, [32, 64, 128, 256, 256]), (8, 8, [8] * 5)],
)
def test_widths_double_up_to_the_limit(base: int, most: int, widths: list[int]) -> None:
    assert [level_width(level, base, most) for level in range(1, 6)] == widths


@pytest.mark.parametrize(
    ("block", "shape"),
    [
        (EncoderBlock(3, 5), (2, 5, 4, 6)),
        (EncoderBlock(3, 5, "none"), (2, 5, 4, 6)),
        (ResBlock(3, 5), (2, 5, 8, 12)),
        (ResBlock(3, 3), (2, 3, 8, 12)),
        (DecoderBlock(3, 5), (2, 5, 16, 24)),
        (ReflectConv(3, 5), (2, 5, 8, 12)),
        (DiscriminatorBlock(3, 5, hidden=7), (2, 5, 4, 6)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_shapes(block: nn.Module, shape: tuple[int, ...]) -> None:
    assert block(torch.randn(2, 3, 8, 12)).shape == shape


@pytest.mark.parametrize("kind", [ResBlock, DecoderBlock])
def test_hidden_width(kind: type[nn.Module]) -> None:
    assert kind(6, 4).conv1.out_channels == 6  # type: ignore[union-attr]
    block = kind(6, 4, hidden=5)
    assert (block.conv1.out_channels, block.conv2.in_channels) == (5, 5)  # type: ignore[union-attr]
    assert block.norm2.num_channels == 5  # type: ignore[union-attr]


def test_a_residual_block_keeps_its_input_where_the_width_is_kept() -> None:
    block = ResBlock(3, 3)
    nn.init.zeros_(block.conv2.weight)
    nn.init.zeros_(block.conv2.bias)
    x = torch.randn(1, 3, 4, 4)
    assert torch.equal(block(x), x)
    assert isinstance(ResBlock(3, 5).shortcut, nn.Conv2d)


def test_norm_has_weights_and_no_running_statistics() -> None:
    layer = norm(4)
    assert {name for name, _ in layer.named_parameters()} == {"weight", "bias"}
    assert not list(layer.buffers())
    with pytest.raises(ValueError, match="norm must be instance or none, got 'batch'"):
        norm(4, "batch")


def test_the_skip_reflects_at_the_border_and_activates_first() -> None:
    skip = ReflectConv(1, 1)
    nn.init.zeros_(skip.conv.bias)
    nn.init.zeros_(skip.conv.weight)
    skip.conv.weight.data[0, 0, 1, 0] = 1.0  # the left neighbour
    x = torch.tensor([[10.0, 20.0, -30.0]]).expand(1, 1, 3, 3)
    assert torch.equal(skip(x)[0, 0, 1], torch.tensor([20.0, 10.0, 20.0]))
    assert torch.equal(skip(x.flip(3))[0, 0, 1], torch.tensor([20.0, -3.0, 20.0]))


@pytest.mark.parametrize("gain", [0.02, 1.0])
def test_a_spectral_convolution_starts_with_a_norm_of_1(gain: float) -> None:
    conv = spectral_conv(6, 9, 3, gain, padding=1)
    with torch.no_grad():
        largest = torch.linalg.svdvals(conv.weight.flatten(1))[0]
    assert float(largest) == pytest.approx(1.0, abs=1e-3)
    original = conv.parametrizations.weight.original  # type: ignore[union-attr]
    assert float(torch.linalg.svdvals(original.detach().flatten(1))[0]) == pytest.approx(gain)


def test_the_discriminators_shortcut_is_not_activated() -> None:
    block = DiscriminatorBlock(1, 1, hidden=2).eval()
    with torch.no_grad():
        block.conv2 = nn.Conv2d(2, 1, 4, stride=2, padding=1)  # leaves the shortcut alone
        nn.init.zeros_(block.conv2.weight)
        nn.init.zeros_(block.conv2.bias)
        out = block(torch.full((1, 1, 4, 4), -1.0))
        scale = block.shortcut.weight
    torch.testing.assert_close(out, -scale.expand(1, 1, 2, 2))
