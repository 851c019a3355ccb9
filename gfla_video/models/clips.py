"""A clip as a batch of frames: what the losses, metrics and stage 1 see of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gfla_video.models.base import Inputs


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
    """What stood ``steps`` frames before each frame of a clip; ``first`` before its beginning.

    Args:
        first: ``[B, ...]``.
        clip: ``[B, T, ...]``.
        steps: 1 or more.
    """
    frames = clip.shape[1]
    before = first.unsqueeze(1).expand(-1, min(steps, frames), *first.shape[1:])
    return torch.cat([before, clip[:, : max(frames - steps, 0)]], dim=1)


def teacher_forced(inputs: Inputs, images: Tensor, previous: int) -> Inputs:
    """A clip as single frames whose previous frames are the true ones, not generated ones.

    Args:
        inputs: of a clip: ``sources``, ``source_structures`` (one each) and ``target_structures``
            ``[B, T, C, H, W]``.
        images: the true frames ``[B, T, 3, H, W]``.
        previous: how many previous frames there are beside the source, n.

    Returns:
        The one call's inputs of B * T frames: ``sources`` and ``source_structures`` of R = 1 + n
        references, ``target_structure [B * T, C, H, W]``. Before the clip's beginning the source
        stands for the previous frame.
    """
    structures = inputs["target_structures"]
    frames = structures.shape[1]
    source, source_structure = inputs["sources"][0], inputs["source_structures"][0]
    steps = range(1, previous + 1)
    return {
        "sources": [
            for_each_frame(source, frames),
            *(frames_of(shifted(source, images, step)) for step in steps),
        ],
        "source_structures": [
            for_each_frame(source_structure, frames),
            *(frames_of(shifted(source_structure, structures, step)) for step in steps),
        ],
        "target_structure": frames_of(structures),
    }
