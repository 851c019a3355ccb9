"""The real pictures that distributions of generated ones are compared with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from gfla_video.datasets.base import TransferDataset
from gfla_video.datasets.images import BrokenImageError, read_image
from gfla_video.evaluation.clips import clip_lengths, is_clip_batch
from gfla_video.evaluation.inception import load_extractor
from gfla_video.evaluation.protocols import Picture, Protocol, to_eight_bits
from gfla_video.evaluation.statistics import Prepare, Statistics, folder_statistics
from gfla_video.registry import DATASETS
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import natural_order
from gfla_video.utils.progress import progress

TRAIN = "train"  # as a metric's `real`: the training pictures
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
_NAMED = 3  # of the broken pictures, in a warning
RealStatistics = Callable[[Mapping[str, Any]], Statistics]
Reader = Callable[[Path], Image.Image]


class RealPictures:
    """Training pictures, measured where a metric asks for them.

    Args:
        pictures: files, or pictures uint8 ``[H, W, 3]``; looked at one after the other.
        folders: of the data they belong to; statistics are never kept there.
        read: how a file is read.
        reading: names ``read`` where it is another one than the data sets' plain reader.
        notes: sentences for the table.
    """

    def __init__(
        self,
        pictures: Sequence[Path | Picture],
        folders: Sequence[str | Path] = (),
        read: Reader = read_image,
        reading: str = "",
        notes: tuple[str, ...] = (),
    ) -> None:
        self.pictures, self.folders, self.notes = pictures, folders, notes
        self.read, self.reading = read, reading

    def under(self, protocol: Protocol, fit: str | None = None) -> RealStatistics:
        """What gives the statistics that a metric's config reads, of prepared pictures.

        Args:
            protocol: how they are prepared.
            fit: how they came to their size, see :class:`Protocol`.
        """

        def prepare(picture: Picture) -> tuple[Picture, str | None]:
            prepared = protocol.prepare_reference(picture, fit)
            return prepared.picture, prepared.note

        settings = protocol.settings()
        # what is said of a picture also depends on the other pictures' steps and on the end's size
        keys = ("sizes", "otherwise", "generated", "reference", "size")
        steps = {key: settings[key] for key in keys}
        return self._measured(prepare, {**steps, "fit": fit})

    def as_they_are(self, size: Sequence[int] | None) -> RealStatistics:
        """As :meth:`under` no protocol; pictures of another size (H, W) than ``size`` are said."""
        wanted = None if size is None else tuple(size)

        def prepare(picture: Picture) -> tuple[Picture, str | None]:
            if wanted in (None, picture.shape[:2]):
                return picture, None
            return picture, f"some are not of the config's size {wanted} and measured as they are"

        return self._measured(prepare, {"size": wanted})

    def _measured(self, prepare: Prepare, settings: Mapping[str, Any]) -> RealStatistics:
        told = json.dumps({**settings, "reading": self.reading}, sort_keys=True)

        def statistics(metric: Mapping[str, Any]) -> Statistics:
            extractor = load_extractor(
                metric.get("extractor", "torch-fidelity"), metric.get("weights")
            )
            found = folder_statistics(
                self.pictures,
                extractor,
                read=lambda path: np.asarray(self.read(path)),
                prepare=prepare,
                preparation=told,
                whole_batches=metric.get("whole_batches", 0),
                keep_features=metric.get("type") == "KID",
                data_folders=self.folders,
            )
            notes = tuple(f"training pictures: {note}" for note in found.notes)
            return replace(found, notes=(*self.notes, *notes))

        return statistics


def real_pictures(folder: str | Path | None, cfg: Config | None = None) -> RealPictures | None:
    """The pictures of a folder, or else those of a config's training data.

    Args:
        folder: with pictures, sub-folders included.
        cfg: whose ``train_dataloader`` serves without a folder. The data set is built without its
            ``augmentations``. One with ``picture_files()`` says which pictures are its own (None:
            all of its ``image_folder``) and reads them; another one gives the target of every
            sample.

    Returns:
        None where there is neither.

    Raises:
        UserError: the folder holds no picture, or the training data cannot be read.
    """
    if folder is not None:
        return RealPictures(pictures_in(folder, "--train-images"), [folder])
    settings = None if cfg is None else cfg.get("train_dataloader")
    if not settings:
        return None
    dataset, notes = _plain_dataset(settings["dataset"])
    root = settings["dataset"].get("data_root")
    folders = [] if root is None else [root]
    if not hasattr(dataset, "picture_files"):
        return RealPictures(TargetPictures(dataset), folders, notes=notes)
    files = dataset.picture_files()
    if files is None:
        files = pictures_in(dataset.image_folder, "image_dir")
    reading = f"as the data set, {getattr(dataset, 'size', None)}"
    return RealPictures(_ordered(files), folders, dataset.read_picture, reading, notes)


def broken_real(broken: Sequence[str]) -> list[str]:
    """A sentence where a training picture cannot be read, else nothing."""
    if not broken:
        return []
    named = ", ".join(broken[:_NAMED]) + (", ..." if len(broken) > _NAMED else "")
    are = "training picture is" if len(broken) == 1 else "training pictures are"
    return [f"{len(broken)} {are} left out, which cannot be read: {named}"]


def pictures_in(folder: str | Path, option: str) -> list[Path]:
    """Files of a folder and its sub-folders that are pictures by their names, in natural order.

    Raises:
        UserError: there is no such folder, or no picture in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{option} {folder}: there is no such folder")
    found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES]
    found = [path for path in found if not path.is_dir()]  # a link to nothing is a broken picture
    if not found:
        raise UserError(f"{option} {folder}: holds no picture ({', '.join(SUFFIXES)})")
    return _ordered(found)


class TargetPictures(Sequence[Picture]):
    """Targets of a data set as pictures uint8 ``[H, W, 3]``; of clips every frame of their own.

    A sample that cannot be read is one picture, whose reading is a ``BrokenImageError``; no other
    sample takes its place (``skip_broken``).

    Args:
        dataset: of still samples, or of clips, whose lengths are read once.
    """

    def __init__(self, dataset: Dataset[Any]) -> None:
        self.dataset = dataset
        if isinstance(dataset, TransferDataset):
            dataset.skip_broken = 0
        count = len(dataset)  # type: ignore[arg-type]
        lengths = [1] * count
        if _holds_clips(dataset, count):
            lengths = [_own_frames(dataset, i) for i in progress(range(count), "training clips")]
        self.places = [(index, frame) for index in range(count) for frame in range(lengths[index])]
        self._last: tuple[int, Tensor] | None = None

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, place: Any) -> Any:
        index, frame = self.places[place]
        if self._last is None or self._last[0] != index:
            image = self.dataset[index]["targets"]["image"]
            self._last = index, image if image.ndim == 4 else image[None]
        return to_eight_bits(self._last[1][frame])


def _plain_dataset(settings: Mapping[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """A data set whose pictures are not changed at random, and what is to be said of it."""
    kind = settings["type"]
    options = getattr(DATASETS.get(kind) if isinstance(kind, str) else kind, "augmentations", None)
    plain = {key: value for key, value in settings.items() if key not in (options or ())}
    if options is not None:
        return DATASETS.build(plain), ()
    note = f"training pictures: {kind} does not say by which options (augmentations) it changes "
    return DATASETS.build(plain), (f"{note}pictures at random, so these may be changed ones",)


def _holds_clips(dataset: Dataset[Any], count: int) -> bool:
    for index in range(count):
        try:
            return is_clip_batch(dataset[index])
        except BrokenImageError:
            continue
    return False


def _own_frames(dataset: Dataset[Any], index: int) -> int:
    try:
        return clip_lengths(default_collate([dataset[index]]))[0]
    except BrokenImageError:
        return 1


def _ordered(paths: Sequence[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: natural_order(path.as_posix()))
