"""Pre-activation blocks (facts 1.1): normalise, activate, convolve.

Shapes: ``c`` channels in, ``o`` out, ``h`` hidden; s = stride. Every convolution has a bias.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gfla_video.components.init import init_orthogonal

SLOPE = 0.1  # of every LeakyReLU
NORMS = ("instance", "none")


def activation(inplace: bool = False) -> nn.Module:
    """The networks' activation, LeakyReLU(0.1).

    Args:
        inplace: overwrite the input; right after a norm, whose output nobody else reads, this saves
            a third of what a block keeps for its backward pass.
    """
    return nn.LeakyReLU(SLOPE, inplace=inplace)


class InstanceNorm(nn.GroupNorm):
    """Instance normalisation, ``[B, c, H, W]`` to the same, with affine parameters (facts 1).

    Group normalisation with one channel per group is the same formula; on the CPU its kernel is two
    to five times as fast as that of ``nn.InstanceNorm2d`` and keeps channels-last maps as they lie.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)


def norm(channels: int, kind: str = "instance") -> nn.Module:
    """:class:`InstanceNorm`, or nothing for ``none``.

    Raises:
        ValueError: another kind.
    """
    if kind not in NORMS:
        raise ValueError(f"norm must be {' or '.join(NORMS)}, got {kind!r}")
    return nn.Identity() if kind == "none" else InstanceNorm(channels)


def level_width(level: int, base_channels: int, max_channels: int) -> int:
    """Channels at resolution 1 / 2^level, level >= 1: base * min(2^(level-1), max // base)."""
    return base_channels * min(2 ** (level - 1), max_channels // base_channels)


class EncoderBlock(nn.Module):
    """``[B, c, H, W] -> [B, o, H/2, W/2]``: norm, act, conv4 s2, norm, act, conv3."""

    def __init__(self, in_channels: int, out_channels: int, norm_kind: str = "instance") -> None:
        super().__init__()
        self.norm1 = norm(in_channels, norm_kind)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1)
        self.norm2 = norm(out_channels, norm_kind)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.act = activation(inplace=norm_kind != "none")

    def forward(self, x: Tensor) -> Tensor:
        """Halve the resolution."""
        x = self.conv1(self.act(self.norm1(x)))
        out: Tensor = self.conv2(self.act(self.norm2(x)))
        return out


class ResBlock(nn.Module):
    """``[B, c, H, W] -> [B, o, H, W]``: residual; a 1x1 convolution beside it where c != o."""

    def __init__(self, in_channels: int, out_channels: int, hidden: int | None = None) -> None:
        super().__init__()
        hidden = in_channels if hidden is None else hidden
        self.norm1 = norm(in_channels)
        self.conv1 = nn.Conv2d(in_channels, hidden, 3, padding=1)
        self.norm2 = norm(hidden)
        self.conv2 = nn.Conv2d(hidden, out_channels, 3, padding=1)
        self.shortcut = (
            nn.Identity()
            if in_channels == out_channels
            else nn.Conv2d(in_channels, out_channels, 1)
        )
        self.act = activation(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the resolution."""
        hidden = self.conv1(self.act(self.norm1(x)))
        out: Tensor = self.conv2(self.act(self.norm2(hidden)))
        return out.add_(self.shortcut(x))


class DecoderBlock(nn.Module):
    """``[B, c, H, W] -> [B, o, 2H, 2W]``: residual, both paths by transposed convolutions."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden: int | None = None,
        norm_kind: str = "instance",
    ) -> None:
        super().__init__()
        hidden = in_channels if hidden is None else hidden
        self.norm1 = norm(in_channels, norm_kind)
        self.conv1 = nn.Conv2d(in_channels, hidden, 3, padding=1)
        self.norm2 = norm(hidden, norm_kind)
        self.conv2 = _up(hidden, out_channels)
        self.shortcut = _up(in_channels, out_channels)
        self.act = activation(inplace=norm_kind != "none")

    def forward(self, x: Tensor) -> Tensor:
        """Double the resolution."""
        hidden = self.conv1(self.act(self.norm1(x)))
        out: Tensor = self.conv2(self.act(self.norm2(hidden)))
        return out.add_(self.shortcut(x))


def _up(in_channels: int, out_channels: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1)


class ReflectConv(nn.Module):
    """``[B, c, H, W] -> [B, o, H, W]``: act, reflection pad, conv3: the skip's "jump".

    The padded copy is activated, in place: the same values, and one map less is kept.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.act = activation(inplace=True)
        self.conv = nn.Conv2d(in_channels, out_channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve without norm, borders reflected."""
        out: Tensor = self.conv(self.act(F.pad(x, (1, 1, 1, 1), mode="reflect")))
        return out


def spectral_conv(
    in_channels: int, out_channels: int, size: int, gain: float, stride: int = 1, padding: int = 0
) -> nn.Module:
    """A convolution with spectral norm, initialised before its norm is estimated.

    Args:
        in_channels: c.
        out_channels: o.
        size: width of the kernel.
        gain: of the orthogonal initial weights; it sets how far a step of the optimiser reaches.
        stride: of the convolution.
        padding: of the convolution.
    """
    conv = nn.Conv2d(in_channels, out_channels, size, stride=stride, padding=padding)
    return _normed_spectrally(conv, gain)


Sizes3d = int | tuple[int, int, int]


def spectral_conv3d(
    in_channels: int,
    out_channels: int,
    size: Sizes3d,
    gain: float,
    stride: Sizes3d = 1,
    padding: Sizes3d = 0,
) -> nn.Module:
    """:func:`spectral_conv` over time, height and width."""
    conv = nn.Conv3d(in_channels, out_channels, size, stride=stride, padding=padding)
    return _normed_spectrally(conv, gain)


def _normed_spectrally(conv: nn.Module, gain: float) -> nn.Module:
    init_orthogonal(conv, gain)
    return spectral_norm(conv)


class DiscriminatorBlock(nn.Module):
    """``[B, c, H, W] -> [B, o, H/2, W/2]``: no norm, spectral weights, average-pooled shortcut."""

    def __init__(
        self, in_channels: int, out_channels: int, hidden: int, gain: float = 0.02
    ) -> None:
        super().__init__()
        self.conv1 = spectral_conv(in_channels, hidden, 3, gain, padding=1)
        self.conv2 = spectral_conv(hidden, out_channels, 4, gain, stride=2, padding=1)
        self.shortcut = spectral_conv(in_channels, out_channels, 1, gain)
        self.act = activation()

    def forward(self, x: Tensor) -> Tensor:
        """Halve the resolution; the raw input is activated first, also an image."""
        main = self.conv2(self.act(self.conv1(self.act(x))))
        out: Tensor = main + self.shortcut(F.avg_pool2d(x, 2))
        return out
