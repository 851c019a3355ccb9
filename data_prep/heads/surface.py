"""The neutral template head: a closed surface over (azimuth, row), and its facial curves.

Units are centimetres: X to the right of the picture, Y up from the eyes' line, Z towards the
viewer. Azimuth 0 is the face's middle. Rows run from 0 (vertex) over 1 (edge of the jaw, skull
base behind) to `ROWS` (shoulders); rows beyond 1 go under the jaw and down the neck.
"""

import numpy as np
from scipy.interpolate import PchipInterpolator

from data_prep.heads.raster import Array

TOP, ROWS = 11.3, 1.7
WIDE = 7.2  # centimetres per radian of azimuth, about
_LEVELS = np.array([2.0, 0.0, -2.0, -4.0, -6.0, -8.0, -10.0, -12.0])
_HALF_WIDTH = PchipInterpolator(-_LEVELS, [7.45, 7.25, 6.95, 6.65, 6.4, 6.35, 6.5, 6.6])
_FRONT = PchipInterpolator(-_LEVELS, [9.1, 8.9, 8.8, 8.85, 8.8, 8.5, 8.3, 8.0])
_BACK = PchipInterpolator(-_LEVELS, [10.2, 9.9, 9.2, 8.2, 7.2, 6.5, 6.5, 6.5])
_JAW = PchipInterpolator(
    np.radians([0, 14, 28, 44, 62, 78, 90, 110, 180]),
    [-11.3, -11.05, -10.35, -9.0, -7.2, -5.6, -4.6, -4.5, -5.0],
)

# Landmarks in iBUG's order, seen from the front; the person's right is at -X. Jaw: azimuth in
# degrees and row. All others: (x, y) of one side, or of the middle.
_JAW_POINTS = [(88, 0.66), (87, 0.78), (84, 0.89), (77, 0.97)]
_JAW_POINTS += [(63, 1.0), (45, 1.0), (28, 1.0), (14, 1.0), (0, 1.0)]
BROW = [(6.0, 1.75), (5.1, 2.45), (3.9, 2.75), (2.6, 2.6), (1.5, 2.2)]
NOSE = [(0.0, 0.6), (0.0, -0.8), (0.0, -2.2), (0.0, -3.7)]
NOSTRILS = [(1.6, -4.55), (0.8, -4.85), (0.0, -5.0)]
EYE = [(4.65, 0.05), (3.75, 0.6), (2.65, 0.58), (1.7, -0.15), (2.6, -0.52), (3.7, -0.5)]
LIPS = [(2.6, -6.9), (1.65, -6.2), (0.6, -5.9), (0.0, -6.02)]
LIPS_LOW = [(1.6, -7.8), (0.7, -8.25), (0.0, -8.35)]
INNER = [(2.25, -6.93), (0.9, -6.77), (0.0, -6.8)]
INNER_LOW = [(0.9, -7.1), (0.0, -7.13)]


def surface(azimuth: Array, row: Array) -> Array:
    """Points [N,3] of the template without facial relief."""
    side, cos = np.sin(azimuth), np.cos(azimuth)
    jaw = _JAW(np.abs(azimuth))
    y = TOP - np.minimum(row, 1.0) * (TOP - jaw)
    shell = np.stack([half_width(y) * side, y, _reach(y, cos) * cos], axis=1)
    low = 0.5 * (1 + cos)
    ring = np.stack([5.2 * side, -8.0 - 5.2 * low**1.5, -2.2 + 5.2 * cos], axis=1)
    bend = shell + np.array([0.0, -0.9, 0.0]) * low[:, None] ** 2
    u = np.clip((row - 1.0) / 0.3, 0, 1)[:, None]
    under = (1 - u) ** 2 * shell + 2 * u * (1 - u) * (0.55 * bend + 0.45 * ring) + u**2 * ring
    down = np.clip((row - 1.3) / 0.4, 0, 1)[:, None]
    flare = np.concatenate([side[:, None], 0 * down, cos[:, None]], axis=1)
    under[:, 1] += (down * (-19.5 - under[:, 1:2]))[:, 0]
    return under + 1.6 * flare * down**2


def half_width(y: Array) -> Array:
    """Half the head's width at height y."""
    return np.where(y > 2, 7.45 * _dome(y), _HALF_WIDTH(-np.minimum(y, 2.0)))


def _reach(y: Array, cos: Array) -> Array:
    front = np.where(y > 2, 9.1 * _dome(y), _FRONT(-np.minimum(y, 2.0)))
    back = np.where(y > 2, 10.2 * _dome(y), _BACK(-np.minimum(y, 2.0)))
    return np.where(cos > 0, front, back)


def _dome(y: Array) -> Array:
    part = np.clip((y - 2) / (TOP - 2), 0, 1)
    return (1 - part**2.4) ** (1 / 2.2)


def place(x: Array, y: Array) -> tuple[Array, Array]:
    """Azimuth and row of the face's point that is seen at (x, y) from the front."""
    azimuth = np.arcsin(np.clip(x / half_width(y), -0.98, 0.98))
    return azimuth, (TOP - y) / (TOP - _JAW(np.abs(azimuth)))


def landmark_places() -> tuple[Array, Array]:
    """Azimuth and row of the 68 landmarks."""
    jaw = np.array(_JAW_POINTS)
    azimuth = np.radians(np.r_[-jaw[:, 0], jaw[-2::-1, 0]])
    row = np.r_[jaw[:, 1], jaw[-2::-1, 1]]
    left = [(x, y) for x, y in EYE]
    points = [(-x, y) for x, y in BROW] + BROW[::-1] + NOSE + _mirror(NOSTRILS)
    points += [(-x, y) for x, y in EYE] + [left[i] for i in (3, 2, 1, 0, 5, 4)]
    points += _mirror(LIPS) + _mirror(LIPS_LOW)[::-1] + _mirror(INNER) + _mirror(INNER_LOW)[::-1]
    more, rows = place(*np.array(points).T)
    return np.r_[azimuth, more], np.r_[row, rows]


def _mirror(half: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """From the person's right over the middle (the last point) to the left."""
    return [(-x, y) for x, y in half] + half[-2::-1]


class Curve:
    """A facial curve y(x) through points, given for x >= 0 or for one side's feature."""

    def __init__(self, points: list[tuple[float, float]]) -> None:
        xs, ys = np.array(sorted(points)).T
        self._curve, self.low, self.high = PchipInterpolator(xs, ys), xs[0], xs[-1]

    def __call__(self, x: Array) -> Array:
        """Height at |x|, held beyond the ends."""
        return self._curve(np.clip(np.abs(x), self.low, self.high))


LID_UP, LID_LOW = Curve(EYE[:4]), Curve([EYE[0], EYE[5], EYE[4], EYE[3]])
LIP_UP, LIP_LOW = Curve(LIPS), Curve([LIPS[0], *LIPS_LOW])
MOUTH_UP, MOUTH_LOW = Curve(INNER), Curve([INNER[0], *INNER_LOW])
BROW_LINE = Curve(BROW)


def bump(x: Array, y: Array, cx: float, cy: float, sx: float, sy: float) -> Array:
    """A Gaussian hill of height 1."""
    return np.exp(-(((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2) / 2)


def step(value: Array) -> Array:
    """Smooth step from 0 at -1/2 to 1 at 1/2."""
    t = np.clip(value + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def relief(x: Array, y: Array) -> Array:
    """How far nose, lips, brows, cheeks, chin and eye sockets stand out (Z) at (x, y)."""
    side = np.abs(x)
    length = np.clip((1.6 - y) / 5.3, 0, 1)
    ridge = (0.3 + 2.15 * length**1.5) * step((y + 4.45) / 1.1) * step((2.4 - y) / 2.0)
    z = ridge * np.exp(-((side / (0.62 + 0.5 * length)) ** 2) / 2)
    z += 0.9 * bump(side, y, 1.25, -4.15, 0.42, 0.42)
    z -= 1.1 * bump(side, y, 3.0, 0.1, 1.5, 1.0) - 0.35 * bump(side, y, 3.4, 2.3, 2.0, 0.7)
    z += 0.5 * bump(side, y, 4.6, -2.6, 1.5, 1.2) + 0.8 * bump(x, y, 0, -10.0, 1.7, 1.1)
    z += 0.6 * bump(x, y, 0, -6.7, 2.4, 1.5) - 0.35 * bump(x, y, 0, -8.95, 1.6, 0.45)
    for line, inner, height in ((LIP_UP, MOUTH_UP, 0.45), (LIP_LOW, MOUTH_LOW, 0.55)):
        top, low = np.maximum(line(x), inner(x)), np.minimum(line(x), inner(x))
        within = np.clip((y - low) / (top - low + 0.05), 0, 1) * (side < 2.6)
        z += height * np.sin(np.pi * within) ** 0.8 * (1 - (side / 2.6).clip(0, 1) ** 2)
    return z
