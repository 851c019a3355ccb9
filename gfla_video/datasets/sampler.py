"""Which sample comes next, so that a resumed run sees exactly what an uninterrupted one sees."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import NamedTuple

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from gfla_video.registry import DATA_SAMPLERS


class SampleKey(NamedTuple):
    """What a sampler gives a dataset: which sample, and in which pass over the data.

    Attributes:
        index: position in the dataset.
        epoch: number of whole passes before this one; augmentation is drawn from both.
    """

    index: int
    epoch: int


@DATA_SAMPLERS.register_module()
class ResumableInfiniteSampler(Sampler[SampleKey]):
    """Go through the data for ever, each pass in an order that depends on seed and pass alone.

    All processes share one endless stream; of ``n`` processes, process ``r`` takes places ``r``,
    ``r + n``, ``r + 2n``, ... Nothing has to be replayed on resume: set ``start`` and iterate.

    Args:
        dataset: what is sampled from, not empty.
        seed: seed of the orders; with None the processes agree on a random one.
        shuffle: False takes the dataset's own order in each pass.

    Attributes:
        start: samples that this process has drawn before (iterations x batch size); the next
            iteration over the sampler begins after them.
    """

    def __init__(self, dataset: Sized, seed: int | None = 0, shuffle: bool = True) -> None:
        self.size = len(dataset)
        if self.size < 1:
            raise ValueError("cannot sample from an empty dataset")
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else int(seed)
        self.shuffle = shuffle
        self.start = 0

    def __iter__(self) -> Iterator[SampleKey]:
        place = self.start * self.world_size + self.rank
        epoch = -1
        order = np.empty(0, dtype=np.int64)
        while True:
            now, offset = divmod(place, self.size)
            if now != epoch:
                epoch, order = now, self.order(now)
            yield SampleKey(int(order[offset]), epoch)
            place += self.world_size

    def order(self, epoch: int) -> np.ndarray:
        """Order of the samples in pass ``epoch``, int64 ``[len(dataset)]``."""
        if not self.shuffle:
            return np.arange(self.size)
        return np.random.default_rng([self.seed, epoch]).permutation(self.size)

    def __len__(self) -> int:
        """Number of samples in one pass of all processes together."""
        return self.size

    def set_epoch(self, epoch: int) -> None:
        """Take no notice: the stream counts its passes itself (called by training loops)."""
