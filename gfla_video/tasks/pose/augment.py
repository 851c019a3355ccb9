"""Random moves of a picture and its joints together (FACTS 1.7)."""

from __future__ import annotations

import numpy as np
from PIL import Image

from gfla_video.datasets import Affine
from gfla_video.tasks.pose.joints import Joints, flip_joints, move_joints

FILL = (128, 128, 128)
# The target moves less than the source: parts of the drawn angle and shift, and its scale stays.
_TARGET_ANGLE, _TARGET_SHIFT = 0.2, 0.5


def for_target(affine: Affine) -> Affine:
    """The target's share of a source's affine: angle x 0.2, shift x 0.5, scale 1."""
    x, y = affine.shift
    return Affine(affine.angle * _TARGET_ANGLE, (x * _TARGET_SHIFT, y * _TARGET_SHIFT), 1.0)


def move(affine: Affine, image: Image.Image, joints: Joints) -> tuple[Image.Image, Joints]:
    """Move a picture (nearest neighbour, grey 128 beyond its border) and its joints alike."""
    forward = affine.matrix((image.height, image.width))
    backward = np.linalg.inv(forward)[:2].reshape(-1).tolist()
    moved = image.transform(
        image.size,
        Image.Transform.AFFINE,
        backward,
        resample=Image.Resampling.NEAREST,
        fillcolor=FILL,
    )
    return moved, move_joints(joints, forward)


def flip(image: Image.Image, joints: Joints) -> tuple[Image.Image, Joints]:
    """Mirror a picture and its joints, left and right exchanged."""
    mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return mirrored, flip_joints(joints, image.width)
