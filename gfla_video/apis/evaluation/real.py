"""The real pictures that distributions of generated ones are compared with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from gfla_video.evaluation.clips import clip_lengths, is_clip_batch
from gfla_video.evaluation.inception import load_extractor
from gfla_video.evaluation.protocols import Picture, Protocol, to_eight_bits
from gfla_video.evaluation.statistics import Statistics, folder_statistics
from gfla_video.registry import DATASETS
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import natural_order
from gfla_video.utils.progress import progress

TRAIN = "train"  # as a metric's `real`: the training pictures
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
RealStatistics = Callable[[Mapping[str, Any]], Statistics]


class RealPictures:
    """Training pictures, measured where a metric asks for them.

    Args:
        pictures: files, or pictures uint8 ``[H, W, 3]``; looked at one after the other.
    """

    def __init__(self, pictures: Sequence[Path | Picture]) -> None:
        self.pictures = pictures

    def under(self, protocol: Protocol) -> RealStatistics:
        """What gives the statistics that a metric's config reads, of prepared pictures."""

        def prepare(picture: Picture) -> Picture:
            return protocol.prepare_reference(picture).picture

        settings = protocol.settings()
        steps = {key: settings[key] for key in ("sizes", "otherwise", "reference")}

        def statistics(metric: Mapping[str, Any]) -> Statistics:
            extractor = load_extractor(
                metric.get("extractor", "torch-fidelity"), metric.get("weights")
            )
            return folder_statistics(
                self.pictures,
                extractor,
                prepare=prepare,
                preparation=json.dumps(steps, sort_keys=True),
                whole_batches=metric.get("whole_batches", 0),
                keep_features=metric.get("type") == "KID",
            )

        return statistics


def real_pictures(folder: str | Path | None, cfg: Config | None = None) -> RealPictures | None:
    """The pictures of a folder, or else those of a config's training data.

    Args:
        folder: with pictures, sub-folders included.
        cfg: whose ``train_dataloader`` serves without a folder. A data set that says its
            ``image_folder`` gives all pictures there, another one the target of every sample.

    Returns:
        None where there is neither.

    Raises:
        UserError: the folder holds no picture, or the training data cannot be read.
    """
    if folder is not None:
        return RealPictures(pictures_in(folder, "--train-images"))
    settings = None if cfg is None else cfg.get("train_dataloader")
    if not settings:
        return None
    dataset = DATASETS.build(settings["dataset"])
    own = getattr(dataset, "image_folder", None)
    return RealPictures(TargetPictures(dataset) if own is None else pictures_in(own, "image_dir"))


def pictures_in(folder: str | Path, option: str) -> list[Path]:
    """Files of a folder and its sub-folders that are pictures by their names, in natural order.

    Raises:
        UserError: there is no such folder, or no picture in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{option} {folder}: there is no such folder")
    found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES]
    if not found:
        raise UserError(f"{option} {folder}: holds no picture ({', '.join(SUFFIXES)})")
    return sorted(found, key=lambda path: natural_order(path.as_posix()))


class TargetPictures(Sequence[Picture]):
    """Targets of a data set as pictures uint8 ``[H, W, 3]``; of clips every frame of their own.

    Args:
        dataset: of still samples, or of clips, whose lengths are read once.
    """

    def __init__(self, dataset: Dataset[Any]) -> None:
        self.dataset = dataset
        count = len(dataset)  # type: ignore[arg-type]
        lengths = [1] * count
        if count and is_clip_batch(dataset[0]):
            lengths = [_own_frames(dataset[i]) for i in progress(range(count), "training clips")]
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


def _own_frames(clip: dict[str, Any]) -> int:
    return clip_lengths(default_collate([clip]))[0]
