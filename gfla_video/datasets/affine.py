"""The random affine move of a picture and of the points on it (FACTS 1.7)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gfla_video.utils.options import read_options


@dataclass(frozen=True)
class AffineRange:
    """What the random affine is drawn from; the released Market-1501 training values.

    Attributes:
        angle: degrees, drawn from +-angle.
        shift: pixels of the sample, each axis drawn from +-shift.
        scale: drawn between the two.
    """

    angle: float = 5.0
    shift: float = 5.0
    scale: tuple[float, float] = (0.95, 1.05)

    @classmethod
    def read(cls, values: AffineRange | Mapping[str, Any]) -> AffineRange:
        """Take a range or its plain values.

        Raises:
            UserError: a key is unknown or a value is no range.
        """
        known = read_options(cls, values, "affine")
        return cls(known.angle, known.shift, (float(known.scale[0]), float(known.scale[1])))

    def draw(self, rng: np.random.Generator) -> Affine:
        """One random affine."""
        angle, shift_x, shift_y = rng.uniform(-1.0, 1.0, 3) * (self.angle, self.shift, self.shift)
        scale = rng.uniform(*self.scale)
        return Affine(float(angle), (float(shift_x), float(shift_y)), float(scale))


@dataclass(frozen=True)
class Affine:
    """Rotation (degrees) and scaling about the centre, then a shift (x, y) in pixels."""

    angle: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0

    def matrix(self, size: tuple[int, int]) -> npt.NDArray[np.float64]:
        """Forward matrix ``[3, 3]`` for a picture of ``size`` (H, W); see ``affine_matrix``."""
        return affine_matrix(size, self.angle, self.shift, self.scale)


def affine_matrix(
    size: tuple[int, int], angle: float, shift: tuple[float, float], scale: float
) -> npt.NDArray[np.float64]:
    """Forward matrix ``T(shift) C R(angle) scale C^-1`` of the field's random affine (FACTS 1.7).

    Args:
        size: picture (H, W); the centre of rotation is ``(W / 2 + 0.5, H / 2 + 0.5)``.
        angle: degrees, clockwise in the picture.
        shift: (x, y) in pixels.
        scale: 1 keeps the size.

    Returns:
        float64 ``[3, 3]``, takes ``(x, y, 1)`` of the old picture to the new one.
    """
    centre_x, centre_y = size[1] * 0.5 + 0.5, size[0] * 0.5 + 0.5
    cos, sin = scale * math.cos(math.radians(angle)), scale * math.sin(math.radians(angle))
    return np.array(
        [
            [cos, -sin, shift[0] + centre_x - cos * centre_x + sin * centre_y],
            [sin, cos, shift[1] + centre_y - sin * centre_x - cos * centre_y],
            [0.0, 0.0, 1.0],
        ]
    )


def move_points(
    points: npt.NDArray[np.float64], matrix: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Apply a forward affine ``matrix`` [3, 3] to points ``[..., 2]`` (x, y)."""
    return points @ matrix[:2, :2].T + matrix[:2, 2]
