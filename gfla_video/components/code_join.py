"""How a structure that is a code meets a map of features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gfla_video.components.blocks import activation
from gfla_video.components.global_attention import attend_everywhere
from gfla_video.components.positions import PLACE, positions_of

CODE_WIDTHS = (128, 256)  # fully connected, as the view branch of appearance flow (facts 4)
HEADS = 4


class CodeJoin(nn.Module):
    """A code, at every position of a grid, with the position and perhaps with features.

    The code goes through two fully connected layers, then with the position through two
    convolutions. Where there are features of a source, every position first looks at all of them
    (:class:`SourceLook`): what a turn moves lies anywhere. Nothing is normalised on the way:
    instance norm takes away what is the same everywhere, and that is all that a code is. The
    released networks hand the code around their norms by linear side paths alone, so that it moves
    every position in the same way until the borders tell them apart; here it acts on each position
    in its own way from the start.

    Args:
        code_channels: C of the code.
        out_channels: channels of the result, a multiple of 4 where there are features.
        feature_channels: channels of the features, 0 for none.
    """

    unnormalised = True  # see init_orthogonal

    def __init__(self, code_channels: int, out_channels: int, feature_channels: int = 0) -> None:
        super().__init__()
        self.code = code_layers(code_channels)
        told = CODE_WIDTHS[-1] + PLACE
        self.look: SourceLook | None = None
        channels = told
        if feature_channels:
            self.look = SourceLook(told, feature_channels + PLACE, out_channels)
            channels = feature_channels + told + out_channels
        self.convs = nn.Sequential(
            nn.Conv2d(channels, out_channels, 3, padding=1),
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
        everywhere = self.code(code.flatten(1))[:, :, None, None].expand(-1, -1, height, width)
        grid = positions_of(everywhere)
        told = torch.cat([everywhere, grid], dim=1)
        if self.look is not None and features is not None:
            found = self.look(told, torch.cat([features, grid], dim=1))
            told = torch.cat([features, told, found], dim=1)
        out: Tensor = self.convs(told)
        return out


class SourceLook(nn.Module):
    """Every position of the target looks at all positions of the source: attention, 4 heads.

    Args:
        target_channels: of what asks.
        source_channels: of what is looked at.
        channels: of the answer.
    """

    def __init__(self, target_channels: int, source_channels: int, channels: int) -> None:
        super().__init__()
        self.query = nn.Sequential(
            nn.Conv2d(target_channels, channels, 1),
            activation(inplace=True),
            nn.Conv2d(channels, channels, 1),
        )
        self.key = nn.Conv2d(source_channels, channels, 1)
        self.value = nn.Conv2d(source_channels, channels, 1)

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """``[B, t, h, w]`` and ``[B, s, h, w]`` to ``[B, channels, h, w]``."""
        return attend_everywhere(self.query(target), self.key(source), self.value(source), HEADS)


def code_layers(channels: int) -> nn.Sequential:
    """Code ``[B, channels]`` to ``[B, 256]``."""
    layers: list[nn.Module] = []
    for c, o in zip((channels, *CODE_WIDTHS), CODE_WIDTHS, strict=False):
        layers += [nn.Linear(c, o), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
