"""How a picture of any size is brought to the size of a model, its points alike.

Convention: sizes are (H, W); points are (x, y) in pixels of their picture, which reaches
from 0 to W and from 0 to H, so that a resize scales them by W'/W and H'/H.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

MODES = ("pad", "stretch")


@dataclass(frozen=True)
class FrameFit:
    """An axis-aligned map from a picture's frame into a model's.

    ``stretch`` resizes each axis on its own, as the data sets of the field do; ``pad`` keeps the
    proportions, centres the picture and continues its border pixels to the model's edges.

    Attributes:
        origin: (H, W) of the picture.
        size: (H, W) of the model.
        mode: ``pad`` or ``stretch``.
    """

    origin: tuple[int, int]
    size: tuple[int, int]
    mode: str = "pad"

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode is one of {', '.join(MODES)}, got {self.mode!r}")
        if min(*self.origin, *self.size) < 1:
            raise ValueError(f"sizes must be positive, got {self.origin} and {self.size}")

    @property
    def inner(self) -> tuple[int, int]:
        """(H, W) that the picture takes inside the model's frame, in whole pixels."""
        if self.mode == "stretch":
            return self.size
        scale = min(self.size[0] / self.origin[0], self.size[1] / self.origin[1])
        height, width = (max(1, round(side * scale)) for side in self.origin)
        return min(height, self.size[0]), min(width, self.size[1])

    @property
    def offset(self) -> tuple[int, int]:
        """(top, left) of the picture inside the model's frame."""
        return (self.size[0] - self.inner[0]) // 2, (self.size[1] - self.inner[1]) // 2

    def points(self, points: np.ndarray) -> np.ndarray:
        """Map points ``[..., >=2]`` into the model's frame; columns after x, y are kept."""
        mapped = np.array(points, dtype=np.float32)
        for column, axis in ((0, 1), (1, 0)):
            scale = self.inner[axis] / self.origin[axis]
            mapped[..., column] = mapped[..., column] * scale + self.offset[axis]
        return mapped

    def image(self, image: np.ndarray) -> np.ndarray:
        """Map a picture uint8 ``[H, W, 3]`` of size :attr:`origin` (bilinear, antialiased)."""
        if image.shape[:2] != self.origin:
            raise ValueError(f"expected a picture of {self.origin}, got {image.shape[:2]}")
        height, width = self.inner
        if image.shape[:2] != self.inner:
            resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
            image = np.asarray(resized)
        top, left = self.offset
        margins = (
            (top, self.size[0] - height - top),
            (left, self.size[1] - width - left),
            (0, 0),
        )
        # border pixels instead of a colour: studio backgrounds simply go on, no edge is invented
        return np.ascontiguousarray(np.pad(image, margins, mode="edge"))

    def undo(self, picture: np.ndarray) -> np.ndarray:
        """Give a picture of the model's size the origin's proportions back, at the model's scale.

        Padding is cut off; a stretched picture keeps its height and gets the width that belongs to
        it (uint8 ``[H, W, 3]`` in and out).
        """
        if picture.shape[:2] != self.size:
            raise ValueError(f"expected a picture of {self.size}, got {picture.shape[:2]}")
        if self.mode == "stretch":
            width = max(1, round(self.size[0] * self.origin[1] / self.origin[0]))
            if width == self.size[1]:
                return picture
            wanted = (width, self.size[0])
            resized = Image.fromarray(picture).resize(wanted, Image.Resampling.BILINEAR)
            return np.asarray(resized)
        (height, width), (top, left) = self.inner, self.offset
        return np.ascontiguousarray(picture[top : top + height, left : left + width])

    def describe(self) -> str:
        """One clause for the user: what was done to the picture, empty where nothing was."""
        if self.origin == self.size:
            return ""
        how = "stretched" if self.mode == "stretch" else "resized with its proportions kept"
        extra = "" if self.inner == self.size else f" and padded from {_wxh(self.inner)}"
        return f"{how} from {_wxh(self.origin)} to {_wxh(self.size)}{extra}"


def _wxh(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"
