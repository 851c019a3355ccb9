"""Test data for an evaluation: every sample once, broken pictures named and left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch.utils.data import DataLoader, Dataset, Subset, default_collate

from gfla_video.datasets.base import TransferDataset
from gfla_video.datasets.images import BrokenImageError
from gfla_video.registry import DATASETS
from gfla_video.utils.errors import UserError

_NAMED = 3  # of the broken files, in a warning; the result lists them all


@dataclass(frozen=True)
class Broken:
    """A sample that could not be read.

    Attributes:
        index: of the sample in its data set.
        file: name of the picture.
        why: what is wrong with it.
        path: of the picture; the name alone where it tells it from all others.
    """

    index: int
    file: str
    why: str
    path: str = ""

    @classmethod
    def of(cls, index: int, error: BrokenImageError) -> Broken:
        """What a reader's error says, without the folder."""
        text = str(error).removeprefix(f"{error.path}: ").partition("; ")[0]
        return cls(index, Path(error.path).name, text, error.path)


class BrokenFiles:
    """What could not be read, file by file; one file may cost several samples.

    A file is called by its name, with the folders that tell it from another one of that name.
    """

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        self.indices: set[int] = set()

    def add(self, broken: Broken) -> None:
        """Note one sample that a broken file costs."""
        self._reasons.setdefault(broken.path or broken.file, broken.why)
        self.indices.add(broken.index)

    def merged(self, other: BrokenFiles) -> BrokenFiles:
        """This and another one together."""
        both = BrokenFiles()
        both._reasons = {**self._reasons, **other._reasons}
        both.indices = self.indices | other.indices
        return both

    def listed(self) -> list[str]:
        """``name: why`` of every broken file."""
        return [f"{name}: {self._reasons[path]}" for path, name in self._names().items()]

    def warnings(self) -> list[str]:
        """A sentence where anything is broken, else nothing."""
        if not self._reasons:
            return []
        files, lost = list(self._names().values()), len(self.indices)
        named = ", ".join(files[:_NAMED]) + (", ..." if len(files) > _NAMED else "")
        samples = "1 sample is" if lost == 1 else f"{lost} samples are"
        pictures = "1 picture" if len(files) == 1 else f"{len(files)} pictures"
        return [f"{samples} left out, as {pictures} cannot be used: {named}"]

    def _names(self) -> dict[str, str]:
        """What each file is called, by its path."""
        ends = dict.fromkeys(self._reasons, 1)  # how many parts of a path are its name
        while True:
            names = {path: "/".join(Path(path).parts[-end:]) for path, end in ends.items()}
            times = Counter(names.values())
            alike = [path for path, name in names.items() if times[name] > 1]
            longer = [path for path in alike if ends[path] < len(Path(path).parts)]
            if not longer:
                return names
            for path in longer:
                ends[path] += 1


class ReadableSamples(Dataset[Any]):
    """A data set that gives a :class:`Broken` for a sample whose picture cannot be read.

    A data set that would take another sample in its place (``skip_broken``) does not: every sample
    of a test list counts once.

    Args:
        dataset: of any kind.
    """

    def __init__(self, dataset: Dataset[Any]) -> None:
        self.dataset = dataset
        if isinstance(dataset, TransferDataset):
            dataset.skip_broken = 0

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> Any:
        try:
            return self.dataset[index]
        except BrokenImageError as error:
            return Broken.of(index, error)

    def without(self, broken: BrokenFiles) -> Dataset[Any]:
        """The samples that could be read."""
        kept = [index for index in range(len(self)) if index not in broken.indices]
        return Subset(self.dataset, kept)


def collate_readable(
    samples: list[Any], collate: Callable[[list[Any]], Any] = default_collate
) -> tuple[Any, list[Broken]]:
    """The readable samples as one batch (None where there is none), and the broken ones."""
    broken = [sample for sample in samples if isinstance(sample, Broken)]
    readable = [sample for sample in samples if not isinstance(sample, Broken)]
    return collate(readable) if readable else None, broken


def build_test_dataset(cfg: Config) -> Dataset[Any]:
    """The data set of ``test_dataloader``.

    Raises:
        UserError: there is none, or it is empty.
    """
    settings = cfg.get("test_dataloader")
    if not settings:
        raise UserError(f"{cfg.filename}: has no test_dataloader, so there are no test samples")
    dataset: Dataset[Any] = DATASETS.build(settings["dataset"])
    if not len(dataset):  # type: ignore[arg-type]
        raise UserError(f"{cfg.filename}: test_dataloader.dataset holds no sample")
    return dataset


def build_test_loader(
    cfg: Config, batch_size: int | None
) -> tuple[DataLoader[Any], ReadableSamples]:
    """Every test sample once, in order; the config says data set, batch size and workers.

    Returns:
        A loader of :func:`collate_readable` batches, and its data set.

    Raises:
        UserError: there are no test data, or ``batch_size`` is below 1.
    """
    if batch_size is not None and batch_size < 1:
        raise UserError(f"--batch-size: at least 1, not {batch_size}")
    samples = ReadableSamples(build_test_dataset(cfg))
    settings = cfg.test_dataloader
    loader = readable_loader(
        samples, batch_size or settings.get("batch_size", 1), settings.get("num_workers", 0)
    )
    return loader, samples


def readable_loader(
    samples: Dataset[Any],
    batch_size: int,
    workers: int = 0,
    collate: Callable[[list[Any]], Any] = default_collate,
) -> DataLoader[Any]:
    """A loader of :func:`collate_readable` batches of :class:`ReadableSamples`, in order."""
    return DataLoader(
        samples,
        batch_size=batch_size,
        num_workers=workers,
        collate_fn=partial(collate_readable, collate=collate),
    )
