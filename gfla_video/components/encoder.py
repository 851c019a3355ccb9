"""The encoder of an image or of a structure map."""

from __future__ import annotations

from torch import Tensor, nn

from gfla_video.components.blocks import EncoderBlock, level_width
from gfla_video.components.recompute import run
from gfla_video.registry import MODELS


@MODELS.register_module()
class PyramidEncoder(nn.Module):
    """Features at 1/2, 1/4, ..., 1/2^levels of the input's resolution.

    Args:
        in_channels: channels of the input.
        base_channels: channels at 1/2.
        max_channels: upper limit; channels double per level up to it.
        levels: number of halvings.
        norm: ``instance`` (released) or ``none``. Instance norm takes each channel's mean and
            contrast away, and with them the picture's own colours: the result then has the colours
            that are usual in the training set. Without it they are kept.
        checkpointing: keep each level's input only for the backward pass, compute it again there.
    """

    def __init__(
        self,
        in_channels: int = 3,
        base_channels: int = 64,
        max_channels: int = 512,
        levels: int = 3,
        norm: str = "instance",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.checkpointing = checkpointing
        widths = [level_width(i, base_channels, max_channels) for i in range(1, levels + 1)]
        self.levels = levels
        self.blocks = nn.ModuleList(
            EncoderBlock(c, o, norm) for c, o in zip([in_channels, *widths], widths, strict=False)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """``[B, c, H, W]`` to a list over levels, fine to coarse: ``[B, w_i, H/2^i, W/2^i]``."""
        features = []
        for block in self.blocks:
            x = run(block, x, self.checkpointing)
            features.append(x)
        return features
