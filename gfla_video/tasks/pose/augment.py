"""Random moves of a picture and its joints together (FACTS 1.7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from PIL import Image

from gfla_video.tasks.pose.joints import Joints, affine_matrix, flip_joints, move_joints
from gfla_video.utils.errors import UserError

FILL = (128, 128, 128)
# The target moves less than the source: parts of the drawn angle and shift, and its scale stays.
_TARGET_ANGLE, _TARGET_SHIFT = 0.2, 0.5


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
        if isinstance(values, cls):
            return values
        known = read_options(cls, dict(values), "affine")
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

    def for_target(self) -> Affine:
        """The target's share of a source's affine: angle x 0.2, shift x 0.5, scale 1."""
        x, y = self.shift
        return Affine(self.angle * _TARGET_ANGLE, (x * _TARGET_SHIFT, y * _TARGET_SHIFT), 1.0)

    def apply(self, image: Image.Image, joints: Joints) -> tuple[Image.Image, Joints]:
        """Move a picture (nearest neighbour, grey 128 beyond its border) and its joints alike."""
        forward = affine_matrix((image.height, image.width), self.angle, self.shift, self.scale)
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


def read_options(kind: type, values: dict[str, Any], label: str) -> Any:
    """Make dataclass ``kind`` from plain values of a config.

    Raises:
        UserError: a key is unknown, or one without a default is missing.
    """
    names = [item.name for item in fields(kind)]
    unknown = [key for key in values if key not in names]
    if unknown:
        raise UserError(f"{label}.{unknown[0]}: there is no such key, only {', '.join(names)}")
    try:
        return kind(**values)
    except TypeError as error:
        raise UserError(f"{label}: {error}") from error
