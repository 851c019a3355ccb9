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
from gfla_video.evaluation.metrics import base
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


@pytest.mark.parametrize("batch", [5, 7, 30])
@pytest.mark.parametrize("metric", [L1, partial(KID, extractor=small_extractor())])
def test_whole_batches_are_of_frames(metric: Callable, batch: int) -> None:
    """20, 3 and 1 frames: of batches of 5 the first 20 count, of 7 a part of the second clip."""
    samples, made = (
        [clip_sample(length) for length in LENGTHS],
        [clip_prediction() for _ in range(3)],
    )
    clips, frames = metric(whole_batches=batch), metric()
    for sample, prediction in zip(samples, made, strict=True):
        clips.process(default_collate([sample]), [prediction])
    count = 24 - 24 % batch if batch <= 24 else 24
    every = [(i, t) for i, length in enumerate(LENGTHS) for t in range(length)][:count]
    for i, t in every:
        targets = {"image": samples[i]["targets"]["image"][t : t + 1]}
        frames.process({"targets": targets}, [{"image": made[i]["image"][t]}])
    expected = frames.evaluate(count)
    assert clips.evaluate(len(LENGTHS)) == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_whole_batches_of_frames_over_two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clips of 20, 3, 1 and again 20 frames, the last one a repetition: 21 of 24 count."""
    samples, made = (
        [clip_sample(length) for length in LENGTHS],
        [clip_prediction() for _ in range(3)],
    )
    metrics, states = [L1(whole_batches=7), L1(whole_batches=7)], []
    for rank, places in enumerate(([0, 2], [1, 0])):
        for i in places:
            metrics[rank].process(default_collate([samples[i]]), [made[i]])
    told = [(21, [20, 1]), (3, [3])]
    for rank, metric in enumerate(metrics):

        def gathered(own: Any, rank: int = rank) -> list[Any]:
            assert own == told[rank]
            return [(count, list(lengths)) for count, lengths in told]

        monkeypatch.setattr(base, "get_dist_info", lambda rank=rank: (rank, 2))
        monkeypatch.setattr(base, "all_gather_object", gathered)
        monkeypatch.setattr(metric, "compute_metrics", lambda own: states.extend(own) or {})
        metric.evaluate(3)
    alone = L1(whole_batches=7)
    monkeypatch.setattr(base, "get_dist_info", lambda: (0, 1))
    monkeypatch.setattr(base, "all_gather_object", lambda own: [own])
    for sample, prediction in zip(samples, made, strict=True):
        alone.process(default_collate([sample]), [prediction])
    found = metrics[0].finish(metrics[0].join(states))
    assert found == pytest.approx(alone.evaluate(3), rel=1e-6)


def test_how_long_clips_are() -> None:
    batch = default_collate([clip_sample(length) for length in LENGTHS])
    assert is_clip_batch(batch)
    assert clip_lengths(batch) == list(LENGTHS)
    del batch["meta"]["frames"]
    assert clip_lengths(batch) == [FRAMES] * 3
    assert not is_clip_batch({"inputs": {"target_structure": torch.zeros(1)}})
    assert not is_clip_batch({"targets": {}})
