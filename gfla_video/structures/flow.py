"""Changing the resolution of a flow field.

Convention: flow ``[B, 2, h, w]`` = (dx, dy) in pixels of its own map, target to source.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def to_full_resolution(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a flow bilinearly to ``size`` (H, W) and express it in pixels of that size.

    Args:
        flow: ``[B, 2, h, w]`` in pixels of its own map.
        size: height and width of the result.

    Returns:
        ``[B, 2, H, W]`` in pixels of the result. Pixel centres are aligned
        (``align_corners=False``), under which displacements scale by H/h and W/w exactly.
    """
    height, width = flow.shape[-2:]
    resized = F.interpolate(flow, size=size, mode="bilinear", align_corners=False)
    # no tensor is made on the host here: a CUDA graph can record it
    return torch.cat([resized[:, :1] * (size[1] / width), resized[:, 1:] * (size[0] / height)], 1)


def resize_values_kept(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a flow by nearest neighbour **without** rescaling its values.

    This is what the released sampling-correctness loss does (facts, section 1.5); it is exact
    where the size does not change and is kept for parity elsewhere.
    """
    return F.interpolate(flow, size=size, mode="nearest")
