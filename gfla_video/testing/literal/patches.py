"""Patches around the flow, materialised: the k^2-times larger tensor that ``ops`` never builds.

Convention: flow ``[B, 2, h, w]`` = (dx, dy) in source pixels; cell l of the result holds the k x k
taps around ``l + flow(l)``, from -(k // 2) on; borders clamp.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def patch_positions(flow: Tensor, kernel_size: int) -> tuple[Tensor, Tensor]:
    """Absolute x and y of every tap, in source pixels: two of ``[B, h*k, w*k]``.

    Args:
        flow: ``[B, 2, h, w]`` in source pixels.
        kernel_size: k.
    """
    k = kernel_size
    height, width = flow.shape[-2:]
    columns = torch.arange(width * k, device=flow.device)
    rows = torch.arange(height * k, device=flow.device)
    own_x = columns // k + (columns % k - k // 2)
    own_y = rows // k + (rows % k - k // 2)
    cell = flow.repeat_interleave(k, dim=2).repeat_interleave(k, dim=3)  # [B, 2, h*k, w*k]
    return cell[:, 0] + own_x.view(1, 1, -1), cell[:, 1] + own_y.view(1, -1, 1)


def extract_patches(source: Tensor, flow: Tensor, kernel_size: int) -> Tensor:
    """Bilinear k x k patches around ``l + flow(l)`` by index gathers: ``[B, C, h*k, w*k]``.

    Exact in every type, and slow: each of the four integer taps is clamped by itself.

    Args:
        source: ``[B, C, H, W]``.
        flow: ``[B, 2, h, w]`` in source pixels.
        kernel_size: k; taps run from -(k // 2).
    """
    batch, channels, height, width = source.shape
    px, py = patch_positions(flow, kernel_size)
    rows, cols = px.shape[-2:]
    x0, y0 = px.detach().floor(), py.detach().floor()
    a, b = (px - x0).unsqueeze(1), (py - y0).unsqueeze(1)

    def tap(dx: int, dy: int) -> Tensor:
        column = (x0 + dx).long().clamp(0, width - 1)
        row = (y0 + dy).long().clamp(0, height - 1)
        index = (row * width + column).view(batch, 1, -1).expand(-1, channels, -1)
        return source.flatten(2).gather(2, index).view(batch, channels, rows, cols)

    upper = tap(0, 0) * (1 - a) + tap(1, 0) * a
    lower = tap(0, 1) * (1 - a) + tap(1, 1) * a
    return upper * (1 - b) + lower * b


def grid_sample_patches(
    source: Tensor, flow: Tensor, kernel_size: int, mode: str = "bilinear"
) -> Tensor:
    """The same patches by ``grid_sample``, the fastest plain way: ``[B, C, h*k, w*k]``.

    ``grid_sample`` wants positions in [-1, 1] and undoes that itself; in single precision its
    values agree with :func:`extract_patches` to about 1e-4, and at integer flows a gradient of the
    flow may come from the other side.

    Args:
        source: ``[B, C, H, W]``, sampled in the flow's type.
        flow: ``[B, 2, h, w]`` in source pixels.
        kernel_size: k; taps run from -(k // 2).
        mode: ``bilinear`` or ``nearest``.
    """
    height, width = source.shape[-2:]
    px, py = patch_positions(flow, kernel_size)
    # corners aligned: pixel 0 is -1 and the last is 1; on a one-pixel map every position is pixel 0
    grid = torch.stack([px * (2 / max(width - 1, 1)) - 1, py * (2 / max(height - 1, 1)) - 1], -1)
    found = F.grid_sample(
        source.to(grid.dtype), grid, mode=mode, padding_mode="border", align_corners=True
    )
    return found.to(source.dtype)
