"""The curves of a face: 68 landmarks to one-pixel lines, and to the areas of its parts.

A curve is cut into pieces of three points that share their ends. Through each goes a parabola, over
x or over y, whichever the piece runs along. The released program fits it iteratively; here it is
solved, for all pieces of a face at once (golden maps_face holds both to each other).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from gfla_video.tasks.face.annotation import NUM_LANDMARKS, Landmarks

Points = npt.NDArray[np.int32]

_FOREHEAD = range(NUM_LANDMARKS, NUM_LANDMARKS + 15)
_FACE = ((*range(17), *_FOREHEAD, 0),)
_BROWS = (tuple(range(17, 22)), tuple(range(22, 27)))
_NOSE = ((28, 31), tuple(range(31, 36)), (35, 28))
_RIGHT_EYE = ((36, 37, 38, 39), (39, 40, 41, 36))
_LEFT_EYE = ((42, 43, 44, 45), (45, 46, 47, 42))
_OUTER_MOUTH = (tuple(range(48, 55)), (54, 55, 56, 57, 58, 59, 48))
_INNER_MOUTH = (tuple(range(60, 65)), (64, 65, 66, 67, 60))

CURVES: tuple[tuple[int, ...], ...] = (
    *_FACE,
    *_BROWS,
    *_NOSE,
    *_RIGHT_EYE,
    *_LEFT_EYE,
    *_OUTER_MOUTH,
    *_INNER_MOUTH,
)
"""The 14 curves, each with a distance map of its own, as indices of the 83 points."""

PARTS: tuple[tuple[int, tuple[int, ...]], ...] = tuple(
    (label, sum(curves, ()))
    for label, curves in (
        (1, _FACE),
        (2, _BROWS[:1]),
        (2, _BROWS[1:]),
        (3, _NOSE),
        (4, _RIGHT_EYE),
        (4, _LEFT_EYE),
        (5, _OUTER_MOUTH),
        (6, _INNER_MOUTH),
    )
)
"""Label and outline of each part; a later part covers an earlier one."""

PART_COLOURS = np.array(
    [
        (255, 255, 255),
        (255, 255, 255),
        (255, 170, 60),
        (120, 220, 120),
        (90, 190, 255),
        (255, 90, 110),
        (255, 150, 200),
    ],
    dtype=np.uint8,
)
"""RGB of each label in drawn pictures; 0 is the background's edges."""

CURVE_LABELS = np.array([1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 6, 6], dtype=np.uint8)
"""Which part each curve belongs to."""

_REACH = 1 << 15  # landmarks far outside the picture stay addressable and cost no time
_ALMOST = 1e-6  # a value that is whole but for rounding is not truncated to the one before
_STEEPEST = 1.0  # a parabola with a larger leading coefficient is left out, as released


class _Pieces(NamedTuple):
    """Indices of the 83 points of every piece ``[P, 3]``, its curve ``[P]``, and its size."""

    points: npt.NDArray[np.intp]
    curve: npt.NDArray[np.intp]
    pair: npt.NDArray[np.bool_]


def _cut() -> _Pieces:
    pieces, owners, pairs = [], [], []
    for number, curve in enumerate(CURVES):
        for start in range(0, max(1, len(curve) - 1), 2):
            piece = curve[start : start + 3]
            owners.append(number)
            pairs.append(len(piece) == 2)
            pieces.append((piece[0], piece[-1], piece[-1]) if len(piece) == 2 else piece)
    return _Pieces(np.array(pieces), np.array(owners), np.array(pairs))


_PIECES = _cut()


def with_forehead(landmarks: Landmarks) -> Landmarks:
    """Add 15 points of the upper face: the contour mirrored at the ears, two thirds as high.

    Args:
        landmarks: ``[68, 2]``.

    Returns:
        float32 ``[83, 2]``; the added points have whole coordinates and run from left to right ear.
    """
    contour = _whole(landmarks[:17]).astype(np.int64)
    level = (contour[0, 1] + contour[16, 1]) / 2
    upper = contour[1:-1].copy()
    upper[:, 1] = np.trunc(level + (level - upper[:, 1]) * 2 // 3)
    return np.concatenate([landmarks, upper[::-1].astype(np.float32)])


def part_labels(points: Landmarks, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Areas of the parts, uint8 ``[H, W]``: 0 nothing, 1 face, 2 brows, 3 nose, 4 eyes, 5 mouth,
    6 inside of the mouth.

    Args:
        points: ``[83, 2]`` in pixels of a picture of ``size``.
        size: (H, W).
    """
    labels = np.zeros(size, dtype=np.uint8)
    whole = _whole(points)
    for label, outline in PARTS:
        cv2.fillPoly(labels, [whole[list(outline)]], label)
    return labels


def curve_pixels(
    points: Landmarks, size: tuple[int, int]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Pixels of all curves, one pixel wide.

    Args:
        points: ``[83, 2]`` in pixels of a picture of ``size``; truncated to whole pixels.
        size: (H, W); what lies outside is moved to the border.

    Returns:
        (curve, y, x) of every pixel, ``[N]`` each; a pixel may come more than once.
    """
    knots = _whole(points)[_PIECES.points].astype(np.float64)
    steps = np.abs(np.diff(knots, axis=1)).max(axis=1)
    along_y = steps[:, 0] < steps[:, 1]
    knots[along_y] = knots[along_y][:, :, ::-1]
    start, slope, bend = _parabolas(knots[:, :, 0], knots[:, :, 1])
    first, last = knots[:, 0, 0], knots[:, 2, 0]
    counts = np.abs(last - first).astype(np.int64)
    counts[np.abs(bend) > _STEEPEST] = 0
    # Sample k of n lies at first + k (last - first) / (n - 1), both ends included.
    piece = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(piece)) - np.repeat(np.cumsum(counts) - counts, counts)
    # Runs from the lower to the higher end, whichever comes first on the curve.
    low, high = np.minimum(first, last), np.maximum(first, last)
    along = low[piece] + place * ((high - low) / np.maximum(counts - 1, 1))[piece]
    offset = along - first[piece]
    across = start[piece] + offset * (slope[piece] + offset * bend[piece])
    u, v = _trunc(along), _trunc(across)
    swapped = along_y[piece]
    x, y = np.where(swapped, v, u), np.where(swapped, u, v)
    return _PIECES.curve[piece], y.clip(0, size[0] - 1), x.clip(0, size[1] - 1)


def _parabolas(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], ...]:
    """Start, slope at the first knot and bend of each piece, in Newton's form about it.

    With two abscissas alike there is no unique parabola; a straight line then joins the ends.
    """
    first, middle, last = x.T
    distinct = ~_PIECES.pair & (first != middle) & (middle != last) & (first != last)
    run = np.where(first == last, 1.0, last - first)
    chord = (y[:, 2] - y[:, 0]) / run
    near = (y[:, 1] - y[:, 0]) / np.where(distinct, middle - first, 1.0)
    bend = np.where(distinct, (chord - near) / np.where(distinct, last - middle, 1.0), 0.0)
    slope = np.where(distinct, near - bend * (middle - first), chord)
    return y[:, 0], slope, bend


def _whole(points: Landmarks) -> Points:
    return np.clip(np.trunc(points), -_REACH, _REACH).astype(np.int32)


def _trunc(values: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    return np.trunc(values + np.copysign(_ALMOST, values)).clip(-_REACH, _REACH).astype(np.intp)
