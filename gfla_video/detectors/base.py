"""What a pose detector is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class PoseDetector(Protocol):
    """A registered finder of people and their joints (registry ``DETECTORS``)."""

    @classmethod
    def from_weights(cls, weights: Sequence[str], device: str = "cpu") -> PoseDetector:
        """Build one from the files of ``--detector-weights``, in the order the class documents.

        Raises:
            UserError: the library or a file is missing.
        """

    def detect(self, image: np.ndarray) -> np.ndarray:
        """Find people in one picture.

        Args:
            image: uint8 ``[H, W, 3]`` RGB.

        Returns:
            float32 ``[N, 18, 3]``: x, y in pixels and 1 where the joint was found, 0 (with x and y
            -1) where not; joints in OpenPose order. N is 0 where nobody was found.
        """
