"""Discs drawn on the fly: one colour, a source place and a straight way."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from disc_task.dataset import DiscDataset, draw_disc

from gfla_video.registry import DATASETS


@DATASETS.register_module()
class DiscClipDataset(DiscDataset):
    """``count`` clips of one disc each.

    Args:
        frames: T, frames of a clip.
        **kwargs: of ``DiscDataset``.
    """

    def __init__(self, frames: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.frames = frames

    def load(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """One sample; the disc is the index's, its way is the generator's."""
        colour = np.random.default_rng([self.seed, index]).uniform(-1, 1, 3)
        ends = rng.uniform(0.2, 0.8, (2, 2)) * (self.size[1], self.size[0])
        steps = np.linspace(0, 1, self.frames + 1)[:, None]
        source, *way = (1 - steps) * ends[0] + steps * ends[1]
        points = [[[x, y, 1.0]] for x, y in way]
        return {
            "inputs": {
                "sources": [draw_disc(source, colour, self.size)],
                "source_structures": [self.structure.encode(source, self.size)],
                "target_structures": torch.stack(
                    [self.structure.encode(place, self.size) for place in way]
                ),
            },
            "targets": {
                "image": torch.stack([draw_disc(place, colour, self.size) for place in way]),
                "points": torch.tensor(points, dtype=torch.float32),
            },
            "meta": {"name": f"{index}_0", "source": f"{index}/source", "target": f"{index}/0"},
        }
