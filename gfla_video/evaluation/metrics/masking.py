"""Pictures of the person alone, for metrics that leave the background out."""

from __future__ import annotations

import torch
from torch import Tensor

from gfla_video.evaluation.body_mask import body_mask
from gfla_video.utils.errors import UserError

_TARGETS = {None: (), "mask": ("mask",), "points": ("points",)}


def mask_targets(mask: str | None, metric: str) -> tuple[str, ...]:
    """Targets that a metric's option ``mask`` reads, besides the image.

    Args:
        mask: None; "mask" (``[B, 1, H, W]``, 1 on the person); "points" (``[B, 18, 3]``: x, y in
            pixels, visible; the mask is :func:`body_mask`'s).
        metric: name, for the message.

    Raises:
        UserError: another word.
    """
    if mask not in _TARGETS:
        raise UserError(f"{metric}: mask must be 'mask', 'points' or None, not {mask!r}")
    return _TARGETS[mask]


def read_mask(mask: str | None, targets: dict[str, Tensor], images: Tensor) -> Tensor | None:
    """Mask ``[B, 1, H, W]`` of 0 and 1 for ``images``, None where the whole picture counts.

    Raises:
        UserError: points that are not 18, or a mask of another size than the pictures.
    """
    if mask is None:
        return None
    size = (int(images.shape[-2]), int(images.shape[-1]))
    if mask == "points":
        points = targets["points"]
        if points.shape[1:] != (18, 3):
            raise UserError(
                f"mask='points' needs the 18 joints of a body, these samples have "
                f"{points.shape[1]} points; use mask='mask' and give the data a target 'mask'"
            )
        drawn = [torch.from_numpy(body_mask(one, size)) for one in points.cpu().numpy()]
        return torch.stack(drawn)[:, None].to(images)
    found = targets["mask"]
    if found.shape[-2:] != images.shape[-2:]:
        raise UserError(
            f"the target 'mask' is {found.shape[-2]}x{found.shape[-1]} and the pictures are "
            f"{size[0]}x{size[1]}; bring both to one size"
        )
    return (found > 0.5).to(images)
