"""One pass over test data: every predictor, every table, every observer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image
from torch.utils.data import DataLoader

from gfla_video.apis.evaluation.data import Broken, BrokenFiles
from gfla_video.apis.predictors import Batch, Prediction, Predictor
from gfla_video.evaluation.clips import clip_lengths, is_clip_batch
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import atomic_path
from gfla_video.utils.progress import progress
from gfla_video.utils.workers import plain_worker_errors
from gfla_video.visualization import tensor_to_uint8

Observer = Callable[[Batch, list[Prediction]], None]


class TakesBatches(Protocol):
    """A table of :mod:`gfla_video.apis.evaluation.tables`."""

    def add(self, batch: Batch, made: Mapping[str, list[Prediction]]) -> None:
        """Take one batch with what every predictor made of it."""


def run_pass(
    predictors: Mapping[str, Predictor],
    dataloader: DataLoader[Any],
    tables: Sequence[TakesBatches],
    observers: Iterable[Observer] = (),
    seed: int = 0,
) -> BrokenFiles:
    """Go through the data once.

    Args:
        predictors: by name; each makes B prediction dicts of a batch.
        dataloader: of :func:`gfla_video.apis.evaluation.data.collate_readable` batches.
        tables: each gets every batch with all predictions.
        observers: each sees every batch with the first predictor's predictions.
        seed: of torch's random numbers.

    Returns:
        What could not be read.

    Raises:
        UserError: no sample can be read, or a table or an observer refuses one.
    """
    torch.manual_seed(seed)
    watching, broken, measured = list(observers), BrokenFiles(), 0
    last: Broken | None = None
    with plain_worker_errors():
        for batch, unreadable in progress(dataloader, "evaluating"):
            for last in unreadable:
                broken.add(last)
            if batch is None:
                continue
            measured += 1
            made = {name: predict(batch) for name, predict in predictors.items()}
            for table in tables:
                table.add(batch, made)
            for observer in watching:
                observer(batch, next(iter(made.values())))
    if not measured and last is not None:
        raise UserError(
            f"no sample of the test data can be read, the last because of {last.file} "
            f"({last.why}); replace the broken pictures"
        )
    return broken


class PictureWriter:
    """Writes what the network made, ``<name>_vis.png``; of clips ``<name>_<frame>_vis.png``.

    Args:
        folder: where to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, batch: Batch, predictions: list[Prediction]) -> None:
        """Write the pictures of one batch.

        Raises:
            UserError: the predictions hold no pictures, or the folder cannot be written.
        """
        names = batch["meta"]["name"]
        if not is_clip_batch(batch):
            for name, prediction in zip(names, predictions, strict=True):
                self._write(name, prediction, None)
            return
        for name, prediction, length in zip(names, predictions, clip_lengths(batch), strict=True):
            for frame in range(length):
                self._write(f"{name}_{frame:05d}", prediction, frame)

    def _write(self, name: str, prediction: Prediction, frame: int | None) -> None:
        if "image" not in prediction:
            raise UserError("--images-out: this checkpoint holds no generator, only a flow")
        image = prediction["image"] if frame is None else prediction["image"][frame]
        with atomic_path(self.folder / f"{name}_vis.png") as temporary:
            Image.fromarray(tensor_to_uint8(image)).save(temporary)
