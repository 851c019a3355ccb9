"""Base of the tasks' datasets: keys, reproducible randomness, and broken files."""

from __future__ import annotations

import hashlib
import logging
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from mmengine.logging import print_log
from torch.utils.data import Dataset

from gfla_video.datasets.images import BrokenImageError
from gfla_video.datasets.sampler import SampleKey
from gfla_video.utils.errors import UserError

_MAX_DRAWS = 1000

Sample = dict[str, Any]


class TransferDataset(Dataset[Sample], ABC):
    """Samples ``{"inputs", "targets", "meta"}`` under keys ``SampleKey`` or int (pass 0).

    Args:
        seed: all randomness of a sample comes from (seed, epoch, index).
        skip_broken: how many distinct files may be unreadable. Each is named once in the log, and
            another sample, drawn from (seed, epoch, index), takes its place. 0 makes the first an
            error.

    Attributes:
        augmentations: names of the options that change the pictures at random, which are plain
            without them; None where a class does not say.
    """

    augmentations: ClassVar[tuple[str, ...] | None] = None

    def __init__(self, seed: int = 0, skip_broken: int = 0) -> None:
        if skip_broken < 0:
            raise UserError(f"skip_broken must be 0 or more, got {skip_broken}")
        self.seed = int(seed)
        self.skip_broken = int(skip_broken)
        # Shared memory: the worker processes of a loader count together.
        self._broken = torch.zeros(self.skip_broken + 1, dtype=torch.int64).share_memory_()

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples."""

    @abstractmethod
    def load(self, index: int, rng: np.random.Generator) -> Sample:
        """Make one sample.

        Raises:
            BrokenImageError: a file of it cannot be read.
        """

    @property
    def broken_count(self) -> int:
        """Number of distinct broken files met so far, in all processes of this loader."""
        return int((self._broken != 0).sum())

    def __getitem__(self, key: SampleKey | int) -> Sample:
        index, epoch = key if isinstance(key, tuple) else (int(key), 0)
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        index %= len(self)
        rng = np.random.default_rng([self.seed, epoch, index])
        replacements = np.random.default_rng([self.seed, epoch, index, 1])
        for _ in range(_MAX_DRAWS):
            try:
                return self.load(index, rng)
            except BrokenImageError as error:
                self._note_broken(error)
                index = int(replacements.integers(len(self)))
        raise UserError(
            f"no readable sample in {_MAX_DRAWS} draws from {len(self)}; replace the broken images"
        )

    def _note_broken(self, error: BrokenImageError) -> None:
        if self.skip_broken == 0:
            raise error
        digest = hashlib.blake2b(error.path.encode(), digest_size=7).digest()
        mark = int.from_bytes(digest, "big") + 1
        if bool((self._broken == mark).any()):
            return
        known = self.broken_count
        self._broken[min(known, self.skip_broken)] = mark
        if known >= self.skip_broken:
            raise UserError(
                f"more than {self.skip_broken} images are broken (skip_broken), the last: {error}"
            ) from error
        print_log(
            f"broken image {known + 1} of at most {self.skip_broken} is skipped: {error}",
            logger="current",
            level=logging.WARNING,
        )
