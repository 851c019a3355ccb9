"""Clips in the metrics of pictures: the same numbers as of their frames one by one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import default_collate

from gfla_video.evaluation import (
    FID,
    KID,
    L1,
    MAE,
    FlowEPE,
    FlowOutlierRate,
    ForegroundL1,
    InceptionScore,
    MaskAUC,
    PointColourError,
    RegionL1,
)
from gfla_video.evaluation.clips import clip_lengths, is_clip_batch
from tests.evaluation.metrics.pictures import small_extractor

SIZE = (24, 16)
LENGTHS = (20, 3, 1)  # the first needs two portions of frames
FRAMES = max(LENGTHS)
METRICS = (
    *(L1, MAE, FlowEPE, FlowOutlierRate, ForegroundL1, MaskAUC, PointColourError, RegionL1),
    *(partial(kind, extractor=small_extractor()) for kind in (FID, KID, InceptionScore)),
)


def clip_sample(length: int) -> dict[str, Any]:
    """A sample of random clips of 20 frames, of which ``length`` are its own."""
    points = torch.rand(FRAMES, 5, 3) * torch.tensor([SIZE[1], SIZE[0], 1.5])
    return {
        "inputs": {"target_structures": torch.zeros(FRAMES, 1, *SIZE)},
        "targets": {
            "image": torch.rand(FRAMES, 3, *SIZE) * 2 - 1,
            "flow": torch.randn(FRAMES, 2, *SIZE),
            "visible": (torch.rand(FRAMES, 1, *SIZE) > 0.5).float(),
            "foreground": (torch.rand(FRAMES, 1, *SIZE) > 0.5).float(),
            "source_foreground": (torch.rand(1, *SIZE) > 0.5).float(),
            "points": points,
        },
        "meta": {"frames": length},
    }


def clip_prediction() -> dict[str, Any]:
    """An image, flows and masks of two references at two scales, for every frame."""

    def maps(channels: int) -> list[list[Tensor]]:
        scales = ((6, 4), (12, 8))
        return [[torch.rand(FRAMES, channels, *scale) for scale in scales] for _ in range(2)]

    return {
        "image": torch.rand(FRAMES, 3, *SIZE) * 2 - 1,
        "flows": maps(2),
        "masks": maps(1),
    }


def frame_of(prediction: dict[str, Any], frame: int) -> dict[str, Any]:
    parts = {
        name: [[maps[frame] for maps in reference] for reference in prediction[name]]
        for name in ("flows", "masks")
    }
    return {"image": prediction["image"][frame], **parts}


@pytest.mark.parametrize("metric", METRICS)
def test_a_clip_counts_as_its_own_frames(metric: Callable) -> None:
    samples = [clip_sample(length) for length in LENGTHS]
    made = [clip_prediction() for _ in samples]
    clips, frames = metric(), metric()
    clips.process(default_collate(samples[:2]), made[:2])
    clips.process(default_collate(samples[2:]), made[2:])
    for sample, prediction, length in zip(samples, made, LENGTHS, strict=True):
        for t in range(length):
            targets = {
                key: value[None] if key.startswith("source_") else value[t : t + 1]
                for key, value in sample["targets"].items()
            }
            frames.process({"targets": targets}, [frame_of(prediction, t)])
    expected = frames.evaluate(sum(LENGTHS))
    assert all(value == value for value in expected.values())
    assert clips.evaluate(len(LENGTHS)) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_how_long_clips_are() -> None:
    batch = default_collate([clip_sample(length) for length in LENGTHS])
    assert is_clip_batch(batch)
    assert clip_lengths(batch) == list(LENGTHS)
    del batch["meta"]["frames"]
    assert clip_lengths(batch) == [FRAMES] * 3
    assert not is_clip_batch({"inputs": {"target_structure": torch.zeros(1)}})
    assert not is_clip_batch({"targets": {}})
