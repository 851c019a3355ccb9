"""Random changes of a whole clip: one colour change and one move for all of its frames."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from gfla_video.datasets import Affine, move_points
from gfla_video.tasks.face.annotation import Landmarks, flip_landmarks
from gfla_video.utils.errors import UserError
from gfla_video.utils.options import read_options

Frames = npt.NDArray[np.uint8]

_LUMA = np.array([0.299, 0.587, 0.114])
_TO_YIQ = np.array([_LUMA, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)])


@dataclass(frozen=True)
class ColourRange:
    """What a clip's colour change is drawn from; 0 leaves that one out.

    Attributes:
        brightness: all values times 1 +- brightness.
        contrast: differences to the clip's mean brightness times 1 +- contrast.
        saturation: differences to a pixel's own brightness times 1 +- saturation.
        hue: colours turned by +- hue of a full turn, at the same brightness; at most 0.5.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    @classmethod
    def read(cls, values: ColourRange | Mapping[str, Any]) -> ColourRange:
        """Take a range or its plain values.

        Raises:
            UserError: a key is unknown or a value is out of range.
        """
        known = read_options(cls, values, "colour")
        for item in fields(cls):
            top, value = (0.5 if item.name == "hue" else 1.0), getattr(known, item.name)
            if not 0.0 <= value <= top:
                raise UserError(f"colour.{item.name} must lie between 0 and {top}, got {value}")
        return known

    def draw(self, rng: np.random.Generator) -> Colour:
        """One random colour change."""
        widths = (self.brightness, self.contrast, self.saturation, self.hue)
        brightness, contrast, saturation, turn = rng.uniform(-1.0, 1.0, 4) * widths
        return Colour(1.0 + brightness, 1.0 + contrast, 1.0 + saturation, turn)


@dataclass(frozen=True)
class Colour:
    """A colour change, linear in RGB: factors of ``ColourRange``, and a part of a full turn."""

    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0

    def apply(self, frames: Frames) -> Frames:
        """Change frames uint8 ``[n, H, W, 3]`` alike; what leaves 0..255 is cut off."""
        turn = 2.0 * math.pi * self.hue
        cos, sin = math.cos(turn), math.sin(turn)
        turned = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
        hue = np.linalg.inv(_TO_YIQ) @ turned @ _TO_YIQ
        grey = np.broadcast_to(_LUMA, (3, 3))
        saturation = self.saturation * np.eye(3) + (1.0 - self.saturation) * grey
        linear = self.contrast * self.brightness * (hue @ saturation)
        mean = self.brightness * float(_LUMA @ frames.mean(axis=(0, 1, 2)))
        offset = np.full((3, 1), (1.0 - self.contrast) * mean)
        count, height, width, _ = frames.shape
        flat = np.ascontiguousarray(frames).reshape(count * height, width, 3)
        changed = cv2.transform(flat, np.concatenate([linear, offset], axis=1))
        return changed.reshape(frames.shape)


def move_frames(
    frames: Frames, landmarks: Landmarks, affine: Affine, size: tuple[int, int]
) -> tuple[Frames, Landmarks]:
    """Move all frames of a clip and their landmarks alike; borders go on beyond the picture.

    Args:
        frames: uint8 ``[n, h, w, 3]``.
        landmarks: ``[n, 68, 2]`` in pixels of the frames.
        affine: the move, its shift in pixels of a sample of ``size``.
        size: (H, W) of the sample.
    """
    height, width = frames.shape[1:3]
    shift = (affine.shift[0] * width / size[1], affine.shift[1] * height / size[0])
    matrix = Affine(affine.angle, shift, affine.scale).matrix((height, width))
    moved = [
        cv2.warpAffine(
            frame,
            matrix[:2],
            (width, height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for frame in frames
    ]
    return np.stack(moved), move_points(landmarks, matrix).astype(np.float32)


def flip_frames(frames: Frames, landmarks: Landmarks) -> tuple[Frames, Landmarks]:
    """Mirror all frames uint8 ``[n, h, w, 3]`` and their landmarks ``[n, 68, 2]``."""
    return np.ascontiguousarray(frames[:, :, ::-1]), flip_landmarks(landmarks, frames.shape[2])
