"""From COCO's 17 joints (and Halpe's 26, which begin with them) to OpenPose's 18."""

from __future__ import annotations

import numpy as np

# COCO: nose, left then right of eyes, ears, shoulders, elbows, wrists, hips, knees, ankles.
# OpenPose puts the right side first throughout; in the data sets of the field joint 14 (the first
# eye) lies on the right-shoulder side, too, whatever labels are handed round. The neck, OpenPose's
# joint 1, is not in COCO: its place here is held by the nose and filled in below.
_COCO_OF_OPENPOSE = (0, 0, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
_NECK, _LEFT_SHOULDER, _RIGHT_SHOULDER = 1, 5, 6
_SIZES = (17, 26)


def coco_to_openpose(keypoints: np.ndarray, threshold: float = 0.0) -> np.ndarray:
    """Reorder COCO joints to OpenPose's 18 and add the neck between the shoulders.

    Args:
        keypoints: ``[..., 17 or 26, 3]``: x, y, and a score or COCO's visibility flag.
        threshold: a joint counts as found where its third number is above this.

    Returns:
        float32 ``[..., 18, 3]``: x, y, 1 for found joints and -1, -1, 0 for the others. The neck is
        the middle of the shoulders and found where both are.

    Raises:
        ValueError: another number of joints.
    """
    keypoints = np.asarray(keypoints, dtype=np.float32)
    if keypoints.ndim < 2 or keypoints.shape[-2] not in _SIZES or keypoints.shape[-1] != 3:
        raise ValueError(f"expected [..., 17 or 26, 3] COCO joints, got {keypoints.shape}")
    joints = keypoints[..., list(_COCO_OF_OPENPOSE), :].copy()
    shoulders = keypoints[..., [_LEFT_SHOULDER, _RIGHT_SHOULDER], :]
    joints[..., _NECK, :2] = shoulders[..., :2].mean(axis=-2)
    joints[..., _NECK, 2] = shoulders[..., 2].min(axis=-1)
    found = (joints[..., 2] > threshold) & np.isfinite(joints[..., :2]).all(axis=-1)
    joints[..., 2] = found
    joints[~found, :2] = -1
    return joints
