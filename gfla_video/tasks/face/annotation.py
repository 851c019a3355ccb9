"""68 landmarks of a face: what they are, what a frame's annotation holds, how they are mirrored.

Convention: landmarks are float32 ``[68, 2]`` (x, y) in pixels of their picture (integer values at
pixel centres, x to the right, y down), in the order of the iBUG 300-W annotation: contour from the
right ear to the left one (0-16), right brow (17-21), left brow (22-26), nose (27-35), right eye
(36-41), left eye (42-47), outer mouth (48-59), inner mouth (60-67). Right is the person's right.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gfla_video.detectors.faces import MIRRORED_POINTS

Landmarks = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]

NUM_LANDMARKS = 68


class FaceAnnotation(NamedTuple):
    """What the structure of one frame is made of.

    Attributes:
        landmarks: float32 ``[68, 2]`` (x, y) in pixels of a picture of ``size``.
        size: (H, W).
        picture: uint8 ``[H, W, 3]`` RGB, for the edges of the background; None leaves them out.
        shown: landmarks of the face that the picture shows, where it is not the one above: its
            edges are not the background's either.
    """

    landmarks: Landmarks
    size: tuple[int, int]
    picture: Picture | None = None
    shown: Landmarks | None = None


def check_landmarks(landmarks: npt.ArrayLike) -> Landmarks:
    """``landmarks`` as float32 ``[68, 2]``.

    Raises:
        ValueError: another shape, or a value that is not finite.
    """
    points = np.asarray(landmarks, dtype=np.float32)
    if points.shape != (NUM_LANDMARKS, 2):
        raise ValueError(f"expected landmarks [{NUM_LANDMARKS}, 2] (x, y), got {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError("landmarks must be finite; fill the frames without a face before")
    return points


def scale_landmarks(
    landmarks: Landmarks, frame: tuple[int, int], size: tuple[int, int]
) -> Landmarks:
    """Take landmarks ``[..., 68, 2]`` from a picture of ``frame`` (H, W) to one of ``size``."""
    moved = np.asarray(landmarks, dtype=np.float32)
    if tuple(frame) == tuple(size):
        return moved.copy()  # not by x / w * w, which may end below a whole number
    # Division first, in single precision, as the released program does: truncation depends on it.
    moved = moved / np.float32([frame[1], frame[0]])
    return moved * np.float32([size[1], size[0]])


def flip_landmarks(landmarks: Landmarks, width: int) -> Landmarks:
    """Mirror landmarks ``[..., 68, 2]`` in a picture ``width`` pixels wide; right becomes left."""
    flipped = np.asarray(landmarks, dtype=np.float32)[..., list(MIRRORED_POINTS), :].copy()
    flipped[..., 0] = width - 1 - flipped[..., 0]
    return flipped
