"""A clip as a batch of frames: what the losses, metrics and stage 1 see of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gfla_video.models.base import Inputs

WHOLE = slice(None)  # every frame of a clip


def frames_of(clip: Tensor) -> Tensor:
    """``[B, T, ...]`` to ``[B * T, ...]``, clip by clip."""
    return clip.flatten(0, 1)


def for_each_frame(x: Tensor, frames: int) -> Tensor:
    """What belongs to a whole clip ``[B, ...]``, once per frame: ``[B * T, ...]``."""
    return x.repeat_interleave(frames, dim=0)


def folded(scales: Sequence[Sequence[Tensor]]) -> list[list[Tensor]]:
    """``[r][scale]`` of ``[B, T, ...]`` to ``[r][scale]`` of ``[B * T, ...]``."""
    return [[frames_of(maps) for maps in reference] for reference in scales]


def shifted(first: Tensor, clip: Tensor, steps: int) -> Tensor:
    """Reference number ``steps`` of each frame: ``first`` itself for 0, else what stood before.

    Args:
        first: the source's ``[B, ...]``; it also stands before the beginning of the clip.
        clip: ``[B, T, ...]``.
        steps: frames back, 0 for the source.

    Returns:
        ``[B, T, ...]``.
    """
    frames = clip.shape[1]
    repeated = frames if steps == 0 else min(steps, frames)
    before = first.unsqueeze(1).expand(-1, repeated, *first.shape[1:])
    return torch.cat([before, clip[:, : frames - repeated]], dim=1)


def teacher_forced(inputs: Inputs, images: Tensor, previous: int, part: slice = WHOLE) -> Inputs:
    """A clip as single frames whose previous frames are the true ones, not generated ones.

    Args:
        inputs: of a clip: ``sources``, ``source_structures`` (one each) and ``target_structures``
            ``[B, T, C, H, W]``.
        images: the true frames ``[B, T, 3, H, W]``.
        previous: how many previous frames there are beside the source, n.
        part: the frames of the clip to take, t of them.

    Returns:
        The one call's inputs of B * t frames: ``sources`` and ``source_structures`` of R = 1 + n
        references, ``target_structure [B * t, C, H, W]``. Before the clip's beginning the source
        stands for the previous frame.
    """
    structures = inputs["target_structures"]
    source, source_structure = inputs["sources"][0], inputs["source_structures"][0]
    steps = range(previous + 1)
    return {
        "sources": [frames_of(shifted(source, images, n)[:, part]) for n in steps],
        "source_structures": [
            frames_of(shifted(source_structure, structures, n)[:, part]) for n in steps
        ],
        "target_structure": frames_of(structures[:, part]),
    }


def point_targets(
    targets: Mapping[str, Tensor], previous: int, part: slice = WHOLE
) -> dict[str, Any]:
    """``points`` and ``source_points`` of a clip's frames, one list entry per reference.

    Args:
        targets: of a clip; ``points [B, T, N, 3]`` and ``source_points [B, N, 3]`` where the data
            have them.
        previous: how many previous frames there are beside the source.
        part: the frames of the clip to take, t of them.

    Returns:
        ``points [B * t, N, 3]`` and ``source_points``, R of the same; empty without points.
    """
    if "points" not in targets or "source_points" not in targets:
        return {}
    points, source = targets["points"], targets["source_points"]
    steps = range(previous + 1)
    return {
        "points": frames_of(points[:, part]),
        "source_points": [frames_of(shifted(source, points, n)[:, part]) for n in steps],
    }
