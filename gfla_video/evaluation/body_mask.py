"""Where a person is, drawn from its joints: the mask of mask-SSIM and mask-LPIPS."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from skimage.draw import disk, polygon
from skimage.morphology import dilation, erosion

_HALF_WIDTH = 4  # of a limb, and the radius of a joint, in pixels
_CLOSING = np.ones((5, 5), dtype=bool)
_JOINTS = 18
# Pairs of OpenPose joints (0 nose, 1 neck, arms 2 to 7, legs 8 to 13, eyes and ears 14 to 17).
_ARMS = ((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7))
_LEGS = ((8, 9), (9, 10), (11, 12), (12, 13))
_TRUNK = ((1, 8), (1, 11), (8, 11), (2, 8), (5, 11))
_HEAD = ((0, 1), (0, 14), (0, 15), (14, 16), (15, 17), (1, 16), (1, 17), (16, 17))
_LIMBS = (*_ARMS, *_LEGS, *_TRUNK, *_HEAD)


def body_mask(points: npt.ArrayLike, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The mask that Def-GAN, PATN and GFLA draw round a body.

    A bar 8 pixels wide for each limb of which both ends are visible, a disc of radius 4 for each
    visible joint, then a dilation and an erosion by 5 x 5, which close the gaps between them. The
    sizes are those of pictures 128 pixels high (Market-1501); they do not grow with the picture.

    Args:
        points: ``[18, 3]``: x, y in pixels of the picture and visible (1 or 0), OpenPose's joints.
        size: (H, W) of the picture.

    Returns:
        uint8 ``[H, W]``, 1 on the body; all 0 where no joint is visible.

    Raises:
        ValueError: another number of joints.
    """
    joints = np.asarray(points, dtype=np.float64)
    if joints.shape != (_JOINTS, 3):
        raise ValueError(f"a body mask needs [18, 3] joints (x, y, visible), got {joints.shape}")
    mask = np.zeros(size, dtype=np.uint8)
    places, visible = joints[:, 1::-1], joints[:, 2] > 0.5  # (y, x)
    for start, end in _LIMBS:
        if visible[start] and visible[end]:
            bar = _bar(places[start], places[end])
            mask[polygon(bar[:, 0], bar[:, 1], shape=size)] = 1
    for place in places[visible]:
        mask[disk(place, _HALF_WIDTH, shape=size)] = 1
    closed: npt.NDArray[np.uint8] = erosion(dilation(mask, _CLOSING), _CLOSING)
    return closed


def _bar(start: npt.NDArray[np.float64], end: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Corners ``[4, 2]`` (y, x) of a bar between two points; no area where they are one."""
    along = end - start
    across = np.array([-along[1], along[0]]) * (_HALF_WIDTH / max(np.linalg.norm(along), 1e-9))
    return np.stack([start + across, start - across, end - across, end + across])
