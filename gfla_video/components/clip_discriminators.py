"""Discriminators of a few frames in a row: their differences, or their course (facts 1.4)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from gfla_video.components.blocks import (
    DiscriminatorBlock,
    activation,
    level_width,
    spectral_conv,
    spectral_conv3d,
)
from gfla_video.components.discriminator import ResidualDiscriminator
from gfla_video.registry import MODELS


@MODELS.register_module()
class FrameDifferenceDiscriminator(ResidualDiscriminator):
    """The patch discriminator on what changes from frame to frame: ``frame_t - frame_(t+1)``.

    Args:
        frames: T, frames of a window (released: 3).
        channels: channels of a frame.
        base_channels: channels at 1/2.
        max_channels: upper limit of channels.
        levels: halvings.
        gain: of the orthogonal initial weights.
    """

    def __init__(
        self,
        frames: int = 3,
        channels: int = 3,
        base_channels: int = 32,
        max_channels: int = 128,
        levels: int = 4,
        gain: float = 0.02,
    ) -> None:
        if frames < 2:
            raise ValueError(f"frames must be 2 or more, got {frames}")
        super().__init__((frames - 1) * channels, base_channels, max_channels, levels, gain)
        self.frames = frames

    def forward(self, window: Tensor) -> Tensor:
        """``[B, T, c, H, W] -> [B, 1, H/2^levels, W/2^levels]`` logits."""
        _check_length(window, self.frames)
        return super().forward((window[:, :-1] - window[:, 1:]).flatten(1, 2))


@MODELS.register_module()
class TemporalDiscriminator(nn.Module):
    """Two blocks in space and time, then time joins the channels and the rest is in space.

    Args:
        frames: T, frames of a window (released: 6); each of the first two blocks takes 2 away.
        channels: channels of a frame.
        base_channels: channels at 1/2.
        max_channels: upper limit of channels.
        levels: halvings.
        gain: of the orthogonal initial weights.
    """

    def __init__(
        self,
        frames: int = 6,
        channels: int = 3,
        base_channels: int = 32,
        max_channels: int = 128,
        levels: int = 4,
        gain: float = 0.02,
    ) -> None:
        super().__init__()
        if frames < 5 or levels < 2:
            raise ValueError(f"needs 5 frames and 2 levels or more, got {frames} and {levels}")
        self.frames = frames
        widths = [level_width(i, base_channels, max_channels) for i in range(1, levels + 1)]
        self.clip_blocks = nn.ModuleList(
            [
                ClipDiscriminatorBlock(channels, widths[0], base_channels, gain),
                ClipDiscriminatorBlock(widths[0], widths[1], base_channels, gain),
            ]
        )
        inputs = [widths[1] * (frames - 4), *widths[2:]]
        self.blocks = nn.ModuleList(
            DiscriminatorBlock(c, o, h, gain)
            for c, o, h in zip(inputs[:-1], widths[2:], inputs[:-1], strict=True)
        )
        self.act = activation()
        self.to_logit = spectral_conv(inputs[-1], 1, 1, gain)

    def forward(self, window: Tensor) -> Tensor:
        """``[B, T, c, H, W] -> [B, 1, H/2^levels, W/2^levels]`` logits."""
        _check_length(window, self.frames)
        x = window.transpose(1, 2)  # [B, c, T, H, W]
        for block in self.clip_blocks:
            x = block(x)
        x = x.flatten(1, 2)  # [B, w (T - 4), H/4, W/4]
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.to_logit(self.act(x))
        return out


class ClipDiscriminatorBlock(nn.Module):
    """``[B, c, T, H, W] -> [B, o, T - 2, H/2, W/2]``: as the block in space, time shrinks by 2."""

    def __init__(self, in_channels: int, out_channels: int, hidden: int, gain: float) -> None:
        super().__init__()
        self.conv1 = spectral_conv3d(in_channels, hidden, 3, gain, padding=1)
        self.conv2 = spectral_conv3d(
            hidden, out_channels, (3, 4, 4), gain, stride=(1, 2, 2), padding=(0, 1, 1)
        )
        self.shortcut = spectral_conv3d(in_channels, out_channels, 1, gain)
        self.act = activation()

    def forward(self, x: Tensor) -> Tensor:
        """Halve the resolution, take two frames away."""
        main = self.conv2(self.act(self.conv1(self.act(x))))
        out: Tensor = main + self.shortcut(F.avg_pool3d(x, (3, 2, 2), stride=(1, 2, 2)))
        return out


def _check_length(window: Tensor, frames: int) -> None:
    if window.ndim != 5 or window.shape[1] != frames:
        raise ValueError(f"expected a window [B, {frames}, c, H, W], got {tuple(window.shape)}")
