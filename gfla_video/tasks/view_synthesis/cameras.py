"""Cameras on a sphere round an object, their names, and lists of angles.

Convention: y is up. The direction from the object to the camera is (sin az cos el, sin el, cos az
cos el), so azimuth 0 looks at the object's front, which faces +z, and azimuths grow
counter-clockwise seen from above. Angles are in degrees; the camera always looks at the centre.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gfla_video.utils.errors import UserError

SAME_ANGLE = 0.01
"""Degrees up to which two angles are one."""

_NUMBER = r"[+-]?\d+(?:\.\d+)?"
_VIEW_NAME = re.compile(rf"({_NUMBER})_({_NUMBER})")
_MAX_ANGLES = 100_000


class Camera(NamedTuple):
    """Where an object is looked at from; the annotation of this task.

    Attributes:
        azimuth: degrees, 0 at the object's front.
        elevation: degrees above the horizon.
    """

    azimuth: float
    elevation: float


def camera_axes(camera: Camera) -> npt.NDArray[np.float64]:
    """Rows of ``[3, 3]``: to the right and up in the picture, and from the object to the camera."""
    azimuth, elevation = map(math.radians, camera)
    return np.array(
        [
            [math.cos(azimuth), 0.0, -math.sin(azimuth)],
            [
                -math.sin(azimuth) * math.sin(elevation),
                math.cos(elevation),
                -math.cos(azimuth) * math.sin(elevation),
            ],
            [
                math.sin(azimuth) * math.cos(elevation),
                math.sin(elevation),
                math.cos(azimuth) * math.cos(elevation),
            ],
        ]
    )


def angular_distance(first: Camera, second: Camera) -> float:
    """Degrees between the directions from which two cameras look, 0 to 180."""
    one, other = camera_axes(first)[2], camera_axes(second)[2]
    return math.degrees(math.atan2(float(np.linalg.norm(np.cross(one, other))), float(one @ other)))


def azimuth_difference(first: float, second: float) -> float:
    """Degrees between two azimuths the short way round, 0 to 180."""
    return abs((first - second + 180.0) % 360.0 - 180.0)


def view_name(camera: Camera) -> str:
    """A camera as the stem of a file: ``020_10``, or ``347.5_-5`` where an angle is not whole.

    Angles are written to six digits.
    """
    azimuth = float(f"{camera.azimuth % 360.0:g}") % 360.0  # what is written as 360 is 0
    elevation = float(f"{camera.elevation:g}") + 0.0  # no -0
    return f"{_angle_name(azimuth, 3)}_{_angle_name(elevation, 2)}"


def parse_view(name: str) -> Camera | None:
    """Camera that a file's stem ``<azimuth>_<elevation>`` names; None where it names none."""
    found = _VIEW_NAME.fullmatch(name)
    return None if found is None else Camera(float(found[1]) % 360.0, float(found[2]))


def read_cameras(path: Path | str) -> dict[str, Camera]:
    """Read which camera saw which picture: ``{"views": {"a.png": {"azimuth": 15, ...}, ...}}``.

    Returns:
        cameras by the name of the picture, in the order of the file.

    Raises:
        UserError: it cannot be read, or a view has no two numbers.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error}); correct the file") from error
    views = content.get("views") if isinstance(content, dict) else None
    if not isinstance(views, dict) or not views:
        raise UserError(
            f'{path}: says no camera, expected {{"views": {{"picture.png": '
            '{"azimuth": 15, "elevation": 0}}}'
        )
    return {name: check_camera(view, f"{path}, view {name!r}") for name, view in views.items()}


def check_camera(values: Any, where: str) -> Camera:
    """A camera from the plain values ``{"azimuth": ..., "elevation": ...}`` of a JSON file.

    Raises:
        UserError: one is missing or no finite number.
    """
    angles = []
    for key in Camera._fields:
        value = values.get(key) if isinstance(values, Mapping) else None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise UserError(f"{where}: {key} must be a number of degrees, got {value!r}")
        if not math.isfinite(value):
            raise UserError(f"{where}: {key} must be finite, got {value}")
        angles.append(float(value))
    return Camera(angles[0] % 360.0, angles[1])


def read_angles(value: Any, label: str) -> tuple[float, ...]:
    """Angles of a config or command line, in their order.

    Args:
        value: a number, a list of numbers, or text of numbers and ranges ``start:stop:step``
            (``stop`` excluded, as in Python), separated by commas: ``"0:360:20"``, ``"0,10,20"``.
        label: name of the option, for the errors.

    Raises:
        UserError: it is something else, or holds no angle.
    """
    parts = value.split(",") if isinstance(value, str) else value
    if isinstance(value, bool) or not isinstance(parts, Iterable):
        parts = [value]
    angles = [angle for part in parts for angle in _angles_of(part, label)]
    if not angles:
        raise UserError(f"{label}: {value!r} holds no angle; say numbers or start:stop:step")
    return tuple(angles)


def _angles_of(part: Any, label: str) -> list[float]:
    try:
        if isinstance(part, bool):
            raise ValueError
        numbers = [float(number) for number in str(part).split(":")]
        if len(numbers) not in (1, 3) or not all(map(math.isfinite, numbers)):
            raise ValueError
    except ValueError:
        raise UserError(
            f"{label}: {part!r} is no angle; say a number of degrees or start:stop:step"
        ) from None
    if len(numbers) == 1:
        return numbers
    start, stop, step = numbers
    # The small part keeps 0:1:0.1 from reaching 1 by rounding.
    count = math.ceil((stop - start) / step - 1e-9) if step else _MAX_ANGLES + 1
    if count > _MAX_ANGLES:
        raise UserError(f"{label}: {part!r} has too many angles; take a larger step")
    return [start + step * index for index in range(count)]


def _angle_name(angle: float, digits: int) -> str:
    return f"{int(angle):0{digits}d}" if angle == int(angle) else f"{angle:g}"
