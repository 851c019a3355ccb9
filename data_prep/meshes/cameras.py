"""Cameras on a sphere around an object, and where points appear in their pictures.

World: y up. A camera stands at distance * (sin az * cos el, sin el, cos az * cos el) and looks at
the origin: azimuth 0 sees the object's front from +z, and grows counter-clockwise seen from above.
Pictures: pixel centres are whole numbers, x to the right, y down; the origin appears in the middle,
at ((W - 1) / 2, (H - 1) / 2).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Camera(NamedTuple):
    """Where a camera stands, in degrees: azimuth from 0 to 360, elevation above the horizon."""

    azimuth: float
    elevation: float

    def axes(self) -> Array:
        """Its right, up and backward direction [3,3] (rows, unit length) in the world."""
        az, el = np.radians([self.azimuth, self.elevation])
        sa, ca, se, ce = np.sin(az), np.cos(az), np.sin(el), np.cos(el)
        return np.array([[ca, 0.0, -sa], [-sa * se, ce, -ca * se], [sa * ce, se, ca * ce]])


@dataclass(frozen=True)
class Lens:
    """What all cameras of a data set share.

    Args:
        size: (H, W) of the pictures.
        fov: vertical field of view in degrees.
        distance: from the origin, in diagonals of the object's box.
    """

    size: tuple[int, int]
    fov: float = 30.0
    distance: float = 2.0

    @property
    def focal(self) -> float:
        """Pixels per unit at depth 1."""
        return 0.5 * self.size[0] / float(np.tan(np.radians(self.fov) / 2))

    def position(self, camera: Camera) -> Array:
        """Where a camera stands in the world [3]."""
        return self.distance * camera.axes()[2]


def project(lens: Lens, camera: Camera, points: NDArray) -> tuple[Array, Array]:
    """Where world points appear.

    Args:
        lens: of the camera.
        camera: which looks at them.
        points: [N,3].

    Returns:
        (x, y) in pixels [N,2], and the depth along the line of sight [N]; points must lie before
        the camera (depth > 0) for the position to mean anything.
    """
    seen = np.asarray(points, np.float64) @ camera.axes().T
    depth = lens.distance - seen[:, 2]
    height, width = lens.size
    x = (width - 1) / 2 + lens.focal * seen[:, 0] / depth
    y = (height - 1) / 2 - lens.focal * seen[:, 1] / depth
    return np.stack([x, y], axis=1), depth


def view_name(camera: Camera) -> str:
    """Name of a view without its ending, such as `020_10`, `000_00` or `347.5_-5`.

    Angles are written to six digits.
    """
    azimuth = float(f"{camera.azimuth % 360:g}") % 360  # what is written as 360 is 0
    elevation = float(f"{camera.elevation:g}") + 0.0  # no -0
    front = f"{azimuth:03.0f}" if azimuth.is_integer() else f"{azimuth:g}"
    back = f"{elevation:02.0f}" if elevation.is_integer() else f"{elevation:g}"
    return f"{front}_{back}"


def grid(azimuths: list[float], elevations: list[float]) -> list[Camera]:
    """Every azimuth at every elevation."""
    return [Camera(azimuth, elevation) for elevation in elevations for azimuth in azimuths]
