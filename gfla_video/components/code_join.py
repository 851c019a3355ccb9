"""How a structure that is a code meets a map of features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gfla_video.components.blocks import activation

CODE_WIDTHS = (128, 256)  # fully connected, as the view branch of appearance flow (facts 4)


class CodeJoin(nn.Module):
    """A code, at every position of a grid, with the position and perhaps with features there.

    The code goes through two fully connected layers, then with x and y (from -1 to 1: CoordConv,
    Liu et al. 2018) and the features through two convolutions. Nothing is normalised on the way:
    instance norm takes away what is the same everywhere, and that is all that a code is. The
    released networks hand the code around their norms by linear side paths alone, so that it moves
    every position in the same way until the borders tell them apart; here it acts on each position
    in its own way from the start.

    Args:
        code_channels: C of the code.
        out_channels: channels of the result.
        feature_channels: channels of the features, 0 for none.
    """

    def __init__(self, code_channels: int, out_channels: int, feature_channels: int = 0) -> None:
        super().__init__()
        self.code = code_layers(code_channels)
        self.convs = nn.Sequential(
            nn.Conv2d(feature_channels + CODE_WIDTHS[-1] + 2, out_channels, 3, padding=1),
            activation(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
        )

    def forward(self, code: Tensor, size: Sequence[int], features: Tensor | None = None) -> Tensor:
        """``[B, C, 1, 1]`` (and ``[B, f, h, w]``) to ``[B, out_channels, h, w]``.

        Args:
            code: the code.
            size: (h, w) of the grid.
            features: of that size, where the module was made for some.
        """
        height, width = size
        batch = code.shape[0]
        told = self.code(code.flatten(1))[:, :, None, None].expand(-1, -1, height, width)
        y = torch.linspace(-1, 1, height, device=code.device, dtype=told.dtype)
        x = torch.linspace(-1, 1, width, device=code.device, dtype=told.dtype)
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"))  # [2, h, w]
        parts = [told, grid.expand(batch, -1, -1, -1)]
        joined = torch.cat(parts if features is None else [features, *parts], dim=1)
        out: Tensor = self.convs(joined)
        return out


def code_layers(channels: int) -> nn.Sequential:
    """Code ``[B, channels]`` to ``[B, 256]``."""
    layers: list[nn.Module] = []
    for c, o in zip((channels, *CODE_WIDTHS), CODE_WIDTHS, strict=False):
        layers += [nn.Linear(c, o), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
