"""Files of 68 landmarks: texts of one face, and arrays of a clip."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gfla_video.tasks.face.annotation import NUM_LANDMARKS, Landmarks, scale_landmarks
from gfla_video.utils.errors import UserError

_ARRAYS = ("landmarks", "found", "size", "fps")
_UNREADABLE = (OSError, ValueError, TypeError, EOFError, ZeroDivisionError, zipfile.BadZipFile)

Found = npt.NDArray[np.bool_]


class LandmarkClip(NamedTuple):
    """Landmarks of a clip, as a file holds them.

    Attributes:
        landmarks: float32 ``[T, 68, 2]`` (x, y); of no meaning where no face was found.
        found: bool ``[T]``.
        size: (H, W) of the pictures they belong to, None where the file does not say it.
        fps: exact frame rate, None where the file does not say it.
    """

    landmarks: Landmarks
    found: Found
    size: tuple[int, int] | None = None
    fps: Fraction | None = None

    def at(self, frames: Sequence[int]) -> LandmarkClip:
        """The landmarks of these frames, in this order."""
        return self._replace(landmarks=self.landmarks[frames], found=self.found[frames])


def read_arrays(path: Path | str, needed: Sequence[str] = ("landmarks",)) -> LandmarkClip:
    """Read an ``.npz`` of ``landmarks`` ``[T, 68, 2]``, ``found`` ``[T]`` and ``size`` = (H, W).

    ``fps``, two whole numbers whose quotient is the rate, may be there as well. One face
    ``[68, 2]`` is a clip of one frame. Without ``found`` a face counts as found where its landmarks
    are numbers.

    Args:
        path: the file.
        needed: the arrays that must be there.

    Raises:
        UserError: the file cannot be read, an array is missing or has another shape.
    """
    path = Path(path)
    try:
        with np.load(path) as arrays:
            held = {key: arrays[key] for key in _ARRAYS if key in arrays}
        missing = [key for key in needed if key not in held]
        if missing:
            raise UserError(f"{path}: has no array '{missing[0]}'; prepare this video again")
        landmarks = np.asarray(held["landmarks"], dtype=np.float32)
        landmarks = landmarks[None] if landmarks.ndim == 2 else landmarks
        finite = np.isfinite(landmarks).all(axis=tuple(range(1, landmarks.ndim)))
        found = np.asarray(held.get("found", finite), dtype=bool)
        size = np.asarray(held.get("size", (0, 0))).ravel().astype(int)
        fps = Fraction(*map(int, held["fps"])) if "fps" in held else None
    except _UNREADABLE as error:
        raise UserError(
            f"{path}: the landmarks cannot be read ({error}); prepare this video again"
        ) from error
    if landmarks.ndim != 3 or landmarks.shape[1:] != (NUM_LANDMARKS, 2):
        raise UserError(
            f"{path}: landmarks are {landmarks.shape}, expected [T, {NUM_LANDMARKS}, 2];"
            " other landmark sets cannot be used"
        )
    if found.shape != landmarks.shape[:1] or size.shape != (2,):
        raise UserError(
            f"{path}: found is {found.shape} and size {size.shape} for "
            f"{len(landmarks)} frames; prepare this video again"
        )
    if not finite[found].all():
        raise UserError(f"{path}: a found frame has landmarks that are no numbers")
    frame = (int(size[0]), int(size[1])) if "size" in held else None
    return LandmarkClip(landmarks, found, frame, fps)


def read_text(path: Path | str) -> Landmarks:
    """Read 68 lines ``x,y`` as float32 ``[68, 2]``.

    Raises:
        UserError: the file cannot be read or holds something else.
    """
    path = Path(path)
    try:
        lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        points = np.array([[float(value) for value in line.split(",")] for line in lines])
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: the landmarks cannot be read ({error}); write {NUM_LANDMARKS} lines x,y"
        ) from error
    if points.shape != (NUM_LANDMARKS, 2) or not np.isfinite(points).all():
        raise UserError(
            f"{path}: holds landmarks {points.shape}, expected {NUM_LANDMARKS} lines x,y"
        )
    return points.astype(np.float32)


def in_pictures(clip: LandmarkClip, size: tuple[int, int], where: Path) -> LandmarkClip:
    """Bring landmarks to pictures of ``size`` (H, W) in their file's proportions.

    Landmarks whose file says no size are taken as they are.

    Args:
        clip: the landmarks.
        size: of the pictures that they are used with.
        where: their file, for the message.

    Raises:
        UserError: they belong to pictures of another shape, by more than rounding to pixels.
    """
    if clip.size is None or clip.size == size:
        return clip
    if abs(clip.size[0] * size[1] - clip.size[1] * size[0]) > max(*clip.size, *size):
        raise UserError(
            f"{where}: holds landmarks in a frame of {clip.size[1]}x{clip.size[0]}, the pictures "
            f"are {size[1]}x{size[0]}; pass those of this picture or clip"
        )
    return clip._replace(landmarks=scale_landmarks(clip.landmarks, clip.size, size), size=size)
