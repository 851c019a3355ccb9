"""The 18 joints of a body: names, limbs, mirror order, and how they move with a picture.

Convention: an array of joints is float64 ``[18, 3]`` (or ``[..., 18, 3]``) with x, y in pixels of
its picture (integer values at pixel centres, x to the right, y down) and visible (0 or 1). A joint
that was not found is ``(-1, -1, 0)``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gfla_video.datasets import move_points

Joints = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

NUM_JOINTS = 18
JOINT_NAMES: tuple[str, ...] = (
    "nose",
    "neck",
    "right shoulder",
    "right elbow",
    "right wrist",
    "left shoulder",
    "left elbow",
    "left wrist",
    "right hip",
    "right knee",
    "right ankle",
    "left hip",
    "left knee",
    "left ankle",
    # The released pose utilities call these four left-first; the data say right-first: joint 14 is
    # on the side of the right shoulder in 99% of Market and 85% of Fashion pictures.
    "right eye",
    "left eye",
    "right ear",
    "left ear",
)
LIMBS: tuple[tuple[int, int], ...] = (
    (1, 2),
    (1, 5),
    (2, 3),
    (3, 4),
    (5, 6),
    (6, 7),
    (1, 8),
    (8, 9),
    (9, 10),
    (1, 11),
    (11, 12),
    (12, 13),
    (1, 0),
    (0, 14),
    (14, 16),
    (0, 15),
    (15, 17),
)
FLIP_ORDER: tuple[int, ...] = (0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16)
"""Joint ``i`` of a mirrored body is joint ``FLIP_ORDER[i]`` of the original."""

MISSING = -1.0


def visible(joints: Joints) -> Mask:
    """Which joints are there: visible and finite, bool ``[..., 18]``."""
    return (joints[..., 2] > 0) & np.isfinite(joints[..., :2]).all(axis=-1)


def scale_joints(joints: Joints, frame: tuple[int, int], size: tuple[int, int]) -> Joints:
    """Take joints from a frame (H, W) to a picture of ``size`` (H, W), each axis by itself."""
    moved = np.array(joints, dtype=np.float64)
    seen = visible(moved)
    # Division first, as the released loader does: the truncation of the centres depends on it.
    moved[seen, 0] = moved[seen, 0] / frame[1] * size[1]
    moved[seen, 1] = moved[seen, 1] / frame[0] * size[0]
    return moved


def flip_joints(joints: Joints, width: int) -> Joints:
    """Mirror joints in a picture ``width`` pixels wide, with left and right exchanged."""
    flipped = np.array(joints, dtype=np.float64)[..., list(FLIP_ORDER), :]
    seen = visible(flipped)
    flipped[seen, 0] = width - 1 - flipped[seen, 0]
    return flipped


def move_joints(joints: Joints, matrix: npt.NDArray[np.float64]) -> Joints:
    """Apply a forward affine ``matrix`` [3, 3] to (x, y, 1); joints may leave the picture."""
    moved = np.array(joints, dtype=np.float64)
    seen = visible(moved)
    moved[seen, :2] = move_points(moved[seen, :2], matrix)
    return moved
