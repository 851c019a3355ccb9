"""What ``--driving`` may be: a turntable, angles on the command line, or a JSON file of cameras."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from gfla_video.tasks.view_synthesis.cameras import Camera, check_camera, read_angles
from gfla_video.utils.errors import UserError
from gfla_video.utils.frame_rate import parse_fps

TURNTABLE = "turntable"
TURN_SECONDS = 3
FREE_STEP = 5.0  # degrees between the frames of a turntable, where the model knows any angle
FORMS = 'turntable, "azimuth=0:360:5,elevation=10" or a JSON file of cameras'
_MAX_FRAMES = 100_000
_LISTS = ("views", "cameras")


@dataclass(frozen=True)
class CameraPath:
    """The cameras of a clip.

    Attributes:
        cameras: one per frame.
        fps: frame rate, None where nothing says it.
        names: of the frames, for messages.
    """

    cameras: tuple[Camera, ...]
    fps: Fraction | None
    names: tuple[str, ...]


def read_path(driving: str, start: Camera, step: float, turns: float | None) -> CameraPath:
    """The cameras that ``--driving`` asks for.

    Args:
        driving: ``turntable``, angles, or the path of a JSON file.
        start: the source's camera: where a turntable begins, and the angle that is not said.
        step: degrees between the frames of a turntable.
        turns: how often a turntable goes round; once where None, below 0 the other way.

    Raises:
        UserError: it is none of these, or says no camera.
    """
    if driving == TURNTABLE:
        return turntable(start, step, 1.0 if turns is None else turns)
    if turns is not None:
        raise UserError(f"--turns: is for --driving {TURNTABLE}, leave it out")
    if "=" in driving and not os.path.exists(driving):  # a long text is no error there
        return parse_path(driving, start)
    return read_camera_file(driving)


def turntable(start: Camera, step: float, turns: float = 1.0) -> CameraPath:
    """Once (or ``turns`` times) round the object from ``start``, at its height.

    A turn takes :data:`TURN_SECONDS`. The clip ends one step before it would come back to the
    start, so that it can be looped.

    Args:
        start: the first camera.
        step: degrees from one frame to the next; a turn has the nearest whole number of them.
        turns: below 0 the camera goes the other way round.

    Raises:
        UserError: there are no turns, or too many.
    """
    frames = max(1, round(360.0 / step))
    count = round(abs(turns) * frames) if abs(turns) * frames <= _MAX_FRAMES else 0
    if not count:
        raise UserError(
            f"--turns: {turns:g} turns of {frames} frames are no clip, say another number such as 1"
        )
    sign = 1 if turns > 0 else -1
    cameras = (
        Camera((start.azimuth + sign * 360.0 * index / frames) % 360.0, start.elevation)
        for index in range(count)
    )
    return _path(list(cameras), Fraction(frames, TURN_SECONDS), "--driving turntable")


def parse_path(text: str, start: Camera) -> CameraPath:
    """Angles such as ``azimuth=0:360:5,elevation=10``: numbers, ranges as in Python, lists of them.

    A single angle holds for all frames, one that is not said is that of ``start``.

    Raises:
        UserError: an unknown or repeated name, no angle, or lists of different lengths.
    """
    angles: dict[str, tuple[float, ...]] = {}
    for name, values in _assignments(text).items():
        angles[name] = read_angles(values, f"--driving {name}")
    counts = {name: len(values) for name, values in angles.items() if len(values) > 1}
    if len(set(counts.values())) > 1:
        found = " and ".join(f"{count} of {name}" for name, count in counts.items())
        raise UserError(f"--driving {text}: {found}, say as many of each or a single one")
    frames = max(counts.values(), default=1)
    azimuths, elevations = (
        values * frames if len(values) == 1 else values
        for values in (angles.get(name, (getattr(start, name),)) for name in Camera._fields)
    )
    cameras = zip(azimuths, elevations, strict=True)
    return _path([Camera(azimuth % 360.0, e) for azimuth, e in cameras], None, f"--driving {text}")


def read_camera_file(path: Path | str) -> CameraPath:
    """Cameras of a JSON file: a list, or a list or an object under ``views`` or ``cameras``.

    A camera is ``{"azimuth": degrees, "elevation": degrees}``; beside the list there may be an
    ``fps``. The object, of names and cameras, is what says the cameras of a folder of pictures.

    Raises:
        UserError: it cannot be read, or holds no cameras.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"--driving {path}: there is no such file; pass {FORMS}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error}); correct the file") from error
    fps = content.get("fps") if isinstance(content, Mapping) else None
    views = content
    if isinstance(content, Mapping):
        views = next((content[key] for key in _LISTS if key in content), None)
    named = views if isinstance(views, Mapping) else dict(_numbered(views))
    if not named:
        raise UserError(
            f'{path}: holds no cameras, expected [{{"azimuth": 15, "elevation": 0}}, ...] '
            f"or such a list under {' or '.join(map(repr, _LISTS))}"
        )
    cameras = {name: check_camera(view, f"{path}, {name}") for name, view in named.items()}
    rate = None if fps is None else parse_fps(fps, f"{path}, fps")
    return CameraPath(tuple(cameras.values()), rate, tuple(f"{path}, {name}" for name in cameras))


def _assignments(text: str) -> dict[str, str]:
    """``a=1,2,b=3`` to ``{"a": "1,2", "b": "3"}``."""
    found: dict[str, str] = {}
    name = ""
    for part in text.split(","):
        if "=" in part:
            name, part = (piece.strip() for piece in part.split("=", 1))
            if name not in Camera._fields or name in found:
                wrong = (
                    "is said twice" if name in found else f"is none of {', '.join(Camera._fields)}"
                )
                raise UserError(f"--driving {text}: {name!r} {wrong}; pass {FORMS}")
            found[name] = part
        elif name:
            found[name] += f",{part}"
        else:
            raise UserError(f"--driving {text}: {part!r} belongs to no angle; pass {FORMS}")
    return found


def _numbered(views: Any) -> list[tuple[str, Any]]:
    listed = views if isinstance(views, list) else []
    return [(f"frame {index}", view) for index, view in enumerate(listed)]


def _path(cameras: list[Camera], fps: Fraction | None, what: str) -> CameraPath:
    return CameraPath(
        tuple(cameras), fps, tuple(f"{what}, frame {index}" for index in range(len(cameras)))
    )
