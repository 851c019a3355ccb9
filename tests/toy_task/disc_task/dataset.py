"""Discs drawn on the fly: one colour, two places."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from disc_task.structure import DiscStructure
from gfla_video.datasets import TransferDataset
from gfla_video.registry import DATASETS, STRUCTURES


def draw_disc(centre: np.ndarray, colour: np.ndarray, size: tuple[int, int]) -> Tensor:
    """A picture ``[3, H, W]`` in [-1, 1]: a disc of ``colour [3]`` on grey, centre (x, y)."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    inside = (columns - centre[0]) ** 2 + (rows - centre[1]) ** 2 < (size[0] / 6) ** 2
    picture = np.where(inside[None], colour[:, None, None], -0.2)
    return torch.from_numpy(picture.astype(np.float32))


@DATASETS.register_module()
class DiscDataset(TransferDataset):
    """``count`` pairs of pictures of one disc at two places.

    Args:
        size: (H, W) of the samples.
        structure: a ``DiscStructure``, or the dict to build it from.
        count: number of samples.
        seed: other seed, other discs.
    """

    def __init__(
        self,
        size: tuple[int, int],
        structure: DiscStructure | dict[str, Any],
        count: int = 8,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        self.size = (int(size[0]), int(size[1]))
        self.structure = STRUCTURES.build(structure) if isinstance(structure, dict) else structure
        self.count = count

    def __len__(self) -> int:
        return self.count

    def load(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """One sample; the disc is the index's, its places are the generator's."""
        colour = np.random.default_rng([self.seed, index]).uniform(-1, 1, 3)
        places = rng.uniform(0.2, 0.8, (2, 2)) * (self.size[1], self.size[0])
        (source, target), maps = (
            [draw_disc(place, colour, self.size) for place in places],
            [self.structure.encode(place, self.size) for place in places],
        )
        return {
            "inputs": {
                "sources": [source],
                "source_structures": [maps[0]],
                "target_structure": maps[1],
            },
            "targets": {"image": target},
            "meta": {"name": f"{index}a_2_{index}b", "source": f"{index}a", "target": f"{index}b"},
        }
