"""The residual patch discriminator (facts 1.4)."""

from __future__ import annotations

from torch import Tensor, nn

from gfla_video.components.blocks import (
    DiscriminatorBlock,
    activation,
    level_width,
    spectral_conv,
)
from gfla_video.registry import MODELS


@MODELS.register_module()
class ResidualDiscriminator(nn.Module):
    """One logit per patch, at 1 / 2^levels of the input; spectral norm on every convolution.

    One power iteration is run at every forward in training mode, also when the weights are frozen.

    Args:
        in_channels: channels of the input.
        base_channels: channels at 1/2.
        max_channels: upper limit of channels.
        levels: halvings (released: 4; Market-1501: 3).
        gain: of the orthogonal initial weights.
    """

    def __init__(
        self,
        in_channels: int = 3,
        base_channels: int = 32,
        max_channels: int = 128,
        levels: int = 4,
        gain: float = 0.02,
    ) -> None:
        super().__init__()
        widths = [level_width(i, base_channels, max_channels) for i in range(1, levels + 1)]
        hidden = [base_channels, *widths[:-1]]
        self.blocks = nn.ModuleList(
            DiscriminatorBlock(c, o, h, gain)
            for c, o, h in zip([in_channels, *widths[:-1]], widths, hidden, strict=True)
        )
        self.act = activation()
        self.to_logit = spectral_conv(widths[-1], 1, 1, gain)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, c, H, W] -> [B, 1, H/2^levels, W/2^levels]`` logits."""
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.to_logit(self.act(x))
        return out
