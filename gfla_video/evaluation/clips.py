"""Which batches are clips, and how long each clip is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_clip_batch(batch: Mapping[str, Any]) -> bool:
    """Whether a collated batch (or a sample) holds clips: ``target_structures`` in its inputs."""
    return "target_structures" in batch.get("inputs", {})


def clip_lengths(batch: Mapping[str, Any]) -> list[int]:
    """How many frames of each clip of a batch are its own.

    A data set that fills short videos up says their length in ``meta["frames"]``; what is behind it
    is not measured. Without it all T frames count.
    """
    clips, frames = batch["inputs"]["target_structures"].shape[:2]
    said = batch.get("meta", {}).get("frames")
    if said is None:
        return [frames] * clips
    return [min(int(length), frames) for length in said]
