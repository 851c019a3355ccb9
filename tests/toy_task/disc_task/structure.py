"""A disc's centre as a structure tensor: one Gaussian map."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gfla_video.registry import STRUCTURES


@STRUCTURES.register_module()
class DiscStructure:
    """A centre ``[2]`` (x, y) in pixels <-> a map with a blob there.

    Args:
        sigma: standard deviation of the blob in pixels.
    """

    channels = 1

    def __init__(self, sigma: float = 4.0) -> None:
        self.sigma = sigma

    def encode(self, annotation: npt.ArrayLike, size: tuple[int, int]) -> Tensor:
        """A centre to a map, float32 ``[1, H, W]`` in [0, 1]; size is (H, W)."""
        x, y = np.asarray(annotation, dtype=np.float64)
        across = (np.arange(size[1]) - x) ** 2
        down = (np.arange(size[0]) - y) ** 2
        blob = np.exp(-(down[:, None] + across[None]) / (2 * self.sigma**2))
        return torch.from_numpy(blob.astype(np.float32))[None]

    def decode(self, structure: Tensor) -> npt.NDArray[np.float64]:
        """A map ``[1, H, W]`` to the pixel of its maximum, ``[2]`` (x, y)."""
        y, x = divmod(int(structure.argmax()), structure.shape[2])
        return np.array([x, y], dtype=np.float64)

    def draw(self, annotation: npt.ArrayLike, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """The map as a grey picture for people, uint8 ``[H, W, 3]``."""
        grey = (self.encode(annotation, size)[0] * 255).byte().numpy()
        return np.stack([grey] * 3, axis=2)
