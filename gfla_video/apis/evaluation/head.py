"""What an evaluation writes about itself, and the samples that its report shows."""

from __future__ import annotations

import importlib
import importlib.metadata
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from gfla_video.apis.evaluation.weights import file_digest
from gfla_video.apis.predictors import Batch, Prediction
from gfla_video.apis.preview import batch_panels, build_drawer
from gfla_video.apis.report import SampleKeeper
from gfla_video.apis.tables import RESULTS_FORMAT, RESULTS_VERSION
from gfla_video.evaluation.clips import clip_lengths, is_clip_batch

SCORE = "l1"
_PACKAGES = (
    *("torch", "torchvision", "torchmetrics", "torch-fidelity", "onedl-mmengine", "lpips"),
    *("numpy", "pillow", "opencv-python", "scikit-image"),
)


def report_head(
    cfg: Config | None = None,
    meta: Mapping[str, Any] | None = None,
    checkpoint: str | Path | None = None,
) -> dict[str, Any]:
    """What a results file begins with: the format, and what was measured.

    Args:
        cfg: of the evaluation; None where pictures of a folder are measured.
        meta: the checkpoint's.
        checkpoint: its file.
    """
    told, file = meta or {}, None if checkpoint is None else Path(checkpoint)
    name = cfg.filename if cfg is not None else None
    size = cfg.get("size") if cfg is not None else None
    return {
        "format": RESULTS_FORMAT,
        "version": RESULTS_VERSION,
        "task": None if cfg is None else cfg.get("task"),
        "config": Path(name).name if name else None,
        "checkpoint": None if file is None else file.name,
        "checkpoint_sha256": None if file is None else file_digest(file),
        "iterations": told.get("iter"),
        "train_seconds": told.get("train_seconds"),
        "size": list(size) if size else None,
    }


def measured_how(
    seed: int,
    device: torch.device | str,
    start: float,
    command: str | None,
    inference: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The second part of a results file: how it was measured.

    Args:
        seed: of random numbers.
        device: where networks ran.
        start: of the evaluation, by ``time.monotonic``.
        command: the command line.
        inference: how the network ran; None without one.
    """
    return {
        "seed": seed,
        "device": str(device),
        "inference": inference,
        "versions": versions(),
        "seconds": round(time.monotonic() - start, 1),
        "command": command,
    }


def versions() -> dict[str, str]:
    """Versions of what takes part in a number; a package that is not installed is left out."""
    found = {"gfla_video": importlib.import_module("gfla_video").__version__}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


class KeepsSamples:
    """An observer that keeps the best and the worst samples for the report.

    Samples are ordered by the mean absolute difference of the network's picture (all frames of a
    clip) to the true one, in [0, 1].

    Args:
        structure: the config's, which draws structures.
    """

    def __init__(self, structure: Mapping[str, Any] | None) -> None:
        self.drawer = build_drawer(structure)
        self.keeper = SampleKeeper(score=SCORE)

    def __call__(self, batch: Batch, predictions: list[Prediction]) -> None:
        """Look at one batch; predictions without a picture are not kept."""
        clips = is_clip_batch(batch)
        lengths = clip_lengths(batch) if clips else [None] * len(predictions)
        for index, (made, length) in enumerate(zip(predictions, lengths, strict=True)):
            if "image" not in made:
                continue
            target = batch["targets"]["image"][index][:length]
            image = made["image"][:length].clamp(-1, 1)
            score = float((image - target).abs().mean()) / 2
            name = str(batch["meta"]["name"][index])
            self.keeper.add(name, score, self._panels(batch, index, made))

    def _panels(self, batch: Batch, index: int, made: Prediction) -> Any:
        return lambda: batch_panels(batch, index, made, self.drawer, self.keeper.frames)
