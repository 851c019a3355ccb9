"""Where a position of a map lies, as features."""

from __future__ import annotations

import torch
from torch import Tensor

PLACE = 2  # channels of a position


def positions_of(like: Tensor) -> Tensor:
    """x and y of every position of a map ``[B, c, h, w]``, from -1 to 1: ``[B, 2, h, w]``.

    CoordConv (Liu et al. 2018): with them a convolution knows where it is.
    """
    batch, _, height, width = like.shape
    y = torch.linspace(-1, 1, height, device=like.device, dtype=like.dtype)
    x = torch.linspace(-1, 1, width, device=like.device, dtype=like.dtype)
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"))
    return grid.expand(batch, -1, -1, -1)
