"""Square cuts around a face: one per clip, so that the picture stands still."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gfla_video.detectors.faces import NUM_POINTS

DEFAULT_MARGIN = 0.25
_FOREHEAD = 0.45  # of the height from the brows to the chin, which is all that the points span
_OUTLIERS = 2.0  # per cent of the frames, at either end
_FILLS = 0.75
_SQUARE = 1.05


@dataclass(frozen=True)
class FaceCrop:
    """A square of whole pixels in a picture.

    It may reach outside the picture, whose border pixels are then repeated. Points are
    pixel-centre coordinates here and there: (0, 0) is the middle of the first pixel.

    Attributes:
        x: column of its left edge.
        y: row of its upper edge.
        side: in pixels.
    """

    x: int
    y: int
    side: int

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"the side of a crop must be at least 1 pixel, got {self.side}")

    def image(self, picture: np.ndarray, size: int) -> np.ndarray:
        """Cut out and resize, antialiased.

        Args:
            picture: uint8 ``[H, W, 3]``.
            size: side of the result.

        Returns:
            uint8 ``[size, size, 3]``.
        """
        height, width = picture.shape[:2]
        rows = np.clip(np.arange(self.y, self.y + self.side), 0, height - 1)
        columns = np.clip(np.arange(self.x, self.x + self.side), 0, width - 1)
        if self.inside((height, width)):
            cut = picture[self.y : self.y + self.side, self.x : self.x + self.side]
        else:
            cut = picture[rows][:, columns]
        return _resized(cut, size)

    def points(self, landmarks: np.ndarray, size: int) -> np.ndarray:
        """Points ``[..., 2]`` of the picture as points of :meth:`image`'s result."""
        corner = np.array([self.x, self.y], np.float64)
        moved = (np.asarray(landmarks, np.float64) + 0.5 - corner) * (size / self.side) - 0.5
        return moved.astype(np.float32)

    def undo(self, points: np.ndarray, size: int) -> np.ndarray:
        """Points ``[..., 2]`` of :meth:`image`'s result as points of the picture."""
        corner = np.array([self.x, self.y], np.float64)
        moved = (np.asarray(points, np.float64) + 0.5) * (self.side / size) + corner - 0.5
        return moved.astype(np.float32)

    def paste(self, picture: np.ndarray, face: np.ndarray, feather: float = 0.1) -> np.ndarray:
        """Put a picture of the crop back where it was cut.

        Args:
            picture: uint8 ``[H, W, 3]``, left as it is.
            face: uint8 ``[s, s, 3]``.
            feather: part of the side over which the two are blended along the crop's edges, 0 for
                a hard edge. Edges on or beyond the picture's own border are not blended.

        Returns:
            uint8 ``[H, W, 3]``.
        """
        height, width = picture.shape[:2]
        low = max(self.y, 0), max(self.x, 0)
        high = min(self.y + self.side, height), min(self.x + self.side, width)
        result = picture.copy()
        if low[0] >= high[0] or low[1] >= high[1]:
            return result
        there = slice(low[0], high[0]), slice(low[1], high[1])
        here = tuple(
            slice(a - start, b - start)
            for a, b, start in zip(low, high, (self.y, self.x), strict=True)
        )
        down = _ramp(self.side, feather, self.y > 0, self.y + self.side < height)
        across = _ramp(self.side, feather, self.x > 0, self.x + self.side < width)
        weight = np.outer(down[here[0]], across[here[1]])[..., None]
        below = picture[there].astype(np.float32)
        above = _resized(face, self.side)[here].astype(np.float32)
        result[there] = np.rint(below + (above - below) * weight).astype(np.uint8)
        return result

    def inside(self, size: tuple[int, int]) -> bool:
        """Whether it lies wholly in a picture of ``size`` (H, W)."""
        height, width = size
        return (
            self.x >= 0
            and self.y >= 0
            and self.x + self.side <= width
            and self.y + self.side <= height
        )

    def is_all_of(self, size: tuple[int, int] | None) -> bool:
        """Whether it is the whole of a picture of ``size`` (H, W); False where that is unknown."""
        return (self.x, self.y) == (0, 0) and size is not None and tuple(size) == (self.side,) * 2

    def is_needed(self, size: tuple[int, int]) -> bool:
        """False where the crop is nearly all of a picture of ``size`` (H, W)."""
        short, long = min(size), max(size)
        return long > _SQUARE * short or self.side < _FILLS * short

    def describe(self) -> str:
        """In words, for reports."""
        return f"{self.side}x{self.side} pixels from x = {self.x}, y = {self.y}"


def whole_picture(size: tuple[int, int]) -> FaceCrop:
    """The largest square in the middle of a picture of ``size`` (H, W)."""
    height, width = size
    side = min(height, width)
    return FaceCrop((width - side) // 2, (height - side) // 2, side)


def crop_around(
    landmarks: np.ndarray,
    margin: float = DEFAULT_MARGIN,
    size: tuple[int, int] | None = None,
) -> FaceCrop:
    """One square that holds a face, from forehead to chin, in all frames of a clip.

    The square follows the middle 96% of the frames, so that single bad frames do not move it.

    Args:
        landmarks: ``[T, 68, 2]`` or ``[68, 2]`` (x, y); frames with NaN are left out.
        margin: what is added on each side, in parts of the box that holds forehead and points.
        size: (H, W) of the pictures: the square is then moved inside, and made smaller where it
            is larger than the picture, as far as forehead and points stay in it.

    Raises:
        ValueError: another shape, or no frame with a face.
    """
    points = np.asarray(landmarks, np.float64)
    points = points[None] if points.ndim == 2 else points
    if points.ndim != 3 or points.shape[1:] != (NUM_POINTS, 2):
        raise ValueError(f"expected landmarks [T, {NUM_POINTS}, 2], got {np.shape(landmarks)}")
    points = points[np.isfinite(points).all(axis=(1, 2))]
    if not len(points):
        raise ValueError("there is no face to lay a crop around")
    low, high = points.min(axis=1), points.max(axis=1)
    low[:, 1] -= _FOREHEAD * (high[:, 1] - low[:, 1])
    low = np.percentile(low, _OUTLIERS, axis=0)
    high = np.percentile(high, 100 - _OUTLIERS, axis=0)
    centre = (low + high) / 2
    least = float((high - low).max())
    side = max(2, round(least * (1 + 2 * margin)))
    if size is not None:
        side = max(min(side, min(size)), min(side, int(np.ceil(least))))
    x, y = (round(middle - side / 2) for middle in centre)
    if size is not None:
        x, y = _moved_inside(x, side, size[1]), _moved_inside(y, side, size[0])
    return FaceCrop(x, y, side)


def _moved_inside(start: int, side: int, length: int) -> int:
    if side > length:  # cannot be inside: as much of the picture as there is, in the middle
        return (length - side) // 2
    return min(max(start, 0), length - side)


def _ramp(side: int, feather: float, at_start: bool, at_end: bool) -> np.ndarray:
    """Weights ``[side]`` that rise from 0 to 1 along the chosen ends."""
    weight = np.ones(side, np.float32)
    length = min(round(side * feather), side // 2)
    if length > 0:
        rise = (np.arange(length, dtype=np.float32) + 0.5) / length
        rise = rise * rise * (3 - 2 * rise)
        if at_start:
            weight[:length] = rise
        if at_end:
            weight[side - length :] = rise[::-1]
    return weight


def _resized(picture: np.ndarray, side: int) -> np.ndarray:
    if picture.shape[:2] == (side, side):
        return np.ascontiguousarray(picture)
    shrinks = picture.shape[0] > side
    filter_ = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(picture, (side, side), interpolation=filter_)
