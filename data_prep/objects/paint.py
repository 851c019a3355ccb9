"""Colours and patterns of the sample objects' surfaces."""

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_prep.objects.solids import Array, Colour

Mask = NDArray[np.bool_]

BLACK: Colour = (0.07, 0.07, 0.08)
RUBBER: Colour = (0.11, 0.11, 0.12)
CHROME: Colour = (0.72, 0.74, 0.77)
WHITE: Colour = (0.95, 0.95, 0.93)
WOODS: tuple[Colour, ...] = (
    (0.72, 0.50, 0.29),
    (0.55, 0.34, 0.18),
    (0.36, 0.21, 0.12),
    (0.85, 0.69, 0.47),
    (0.62, 0.25, 0.14),
)
PATTERNS = ("plain", "stripes", "bands", "checks", "dots", "diamonds", "diagonal", "quarters")
EMBLEMS = ("none", "disc", "ring", "star", "bar")
# Digits 0 to 9, five columns by seven rows, a number per row whose bits are the columns.
DIGITS = (
    (14, 17, 19, 21, 25, 17, 14),
    (4, 12, 4, 4, 4, 4, 14),
    (14, 17, 1, 6, 8, 16, 31),
    (14, 17, 1, 6, 1, 17, 14),
    (2, 6, 10, 18, 31, 2, 2),
    (31, 16, 30, 1, 1, 17, 14),
    (6, 8, 16, 30, 17, 17, 14),
    (31, 1, 2, 4, 8, 8, 8),
    (14, 17, 17, 14, 17, 17, 14),
    (14, 17, 17, 15, 1, 2, 12),
)


def bright(rng: np.random.Generator, hue: float | None = None) -> Colour:
    """A saturated colour, of any hue where none is asked for."""
    hue = float(rng.random()) if hue is None else hue
    value = float(rng.uniform(0.62, 0.95))
    return colorsys.hsv_to_rgb(hue % 1, float(rng.uniform(0.68, 0.97)), value)


def scheme(rng: np.random.Generator) -> tuple[Colour, Colour, Colour]:
    """Three colours that stand apart: mostly bright, sometimes white or black among them."""
    hue = float(rng.random())
    apart = float(rng.uniform(0.28, 0.45))
    colours = [bright(rng, hue), bright(rng, hue + apart), bright(rng, hue - apart)]
    chance = rng.random()
    if chance < 0.45:
        colours[1] = WHITE
    elif chance < 0.6:
        colours[1] = BLACK
    if chance > 0.88:
        colours[0] = (WHITE, (0.6, 0.62, 0.66), (0.17, 0.18, 0.2))[int(rng.integers(3))]
    return colours[0], colours[1], colours[2]


def shade(colour: Colour, factor: float) -> Colour:
    """A darker (factor < 1) or lighter colour."""
    red, green, blue = (min(1.0, max(0.0, c * factor)) for c in colour)
    return red, green, blue


def number_at(a: Array, b: Array, digits: tuple[int, ...]) -> Mask:
    """Where a number is painted.

    Args:
        a: [N], to the right, the number's width is -0.5 to 0.5 for one digit, twice that for two.
        b: [N], upwards, the number's height is -0.7 to 0.7.
        digits: what to write.

    Returns:
        [N] bool.
    """
    column = np.floor((a + 0.5 * len(digits)) * 6 - 0.5).astype(int)
    row = np.floor((0.7 - b) * 5).astype(int)
    which, across = column // 6, column % 6
    bits = np.array(DIGITS)[list(digits)]
    good = (which >= 0) & (which < len(digits)) & (across < 5) & (row >= 0) & (row < 7)
    held = bits[np.where(good, which, 0), np.where(good, row, 0)]
    return good & ((held >> np.where(good, 4 - across, 0)) & 1 == 1)


@dataclass(frozen=True)
class Fabric:
    """A pattern of three colours with an emblem that is not in the middle.

    Attributes:
        pattern: one of `PATTERNS`.
        colours: ground, figure and emblem.
        period: of the pattern.
        emblem: one of `EMBLEMS`, at `at` and `radius` large.
    """

    pattern: str
    colours: tuple[Colour, Colour, Colour]
    period: float
    emblem: str = "none"
    at: tuple[float, float] = (0.0, 0.0)
    radius: float = 0.1

    def paint(self, a: Array, b: Array) -> Array:
        """Colours [N,3] at places a (right), b (up) [N] of the cloth."""
        ground, figure, mark = (np.array(c) for c in self.colours)
        out = np.tile(ground, (len(a), 1))
        out[self._figure(a / self.period, b / self.period)] = figure
        out[self._mark(a - self.at[0], b - self.at[1])] = mark
        return out

    def upright(self, points: Array) -> Array:
        """Colours [N,3] at points [N,3] of a cloth that hangs across x."""
        return self.paint(points[:, 0], points[:, 1])

    def _figure(self, u: Array, v: Array) -> Mask:
        du, dv = u - np.floor(u) - 0.5, v - np.floor(v) - 0.5
        if self.pattern == "stripes":
            return du > 0
        if self.pattern == "bands":
            return dv > 0
        if self.pattern == "checks":
            return (du > 0) ^ (dv > 0)
        if self.pattern == "dots":
            return du**2 + dv**2 < 0.3**2
        if self.pattern == "diamonds":
            return np.abs(du) + np.abs(dv) < 0.36
        if self.pattern == "diagonal":
            return (u + v) - np.floor(u + v) < 0.45
        if self.pattern == "quarters":
            return (u > 0.1) ^ (v > -0.15)
        return np.zeros(len(u), bool)

    def _mark(self, a: Array, b: Array) -> Mask:
        r = np.hypot(a, b) / self.radius
        if self.emblem == "disc":
            return r < 1
        if self.emblem == "ring":
            return (r < 1.1) & (r > 0.55)
        if self.emblem == "star":
            return r < 0.75 + 0.4 * np.cos(5 * np.arctan2(a, b))
        if self.emblem == "bar":
            return np.abs(a) < 0.45 * self.radius
        return np.zeros(len(a), bool)


def fabric(rng: np.random.Generator, reach: float) -> Fabric:
    """Draw a cloth for a surface that goes `reach` from its middle to each side."""
    pattern = str(rng.choice(PATTERNS, p=[0.16, 0.16, 0.12, 0.14, 0.12, 0.1, 0.1, 0.1]))
    emblem = str(rng.choice(EMBLEMS, p=[0.3, 0.2, 0.2, 0.15, 0.15]))
    at = (float(rng.choice([-1, 1]) * rng.uniform(0.2, 0.45)), float(rng.uniform(-0.3, 0.35)))
    period = reach * float(rng.uniform(0.45, 0.8))
    place = (at[0] * reach, at[1] * reach)
    return Fabric(
        pattern, scheme(rng), period, emblem, place, reach * float(rng.uniform(0.3, 0.45))
    )


@dataclass(frozen=True)
class Wood:
    """Grain along one axis."""

    colour: Colour
    axis: int = 1

    def __call__(self, points: Array) -> Array:
        """Colours [N,3] at points [N,3]."""
        along = points[:, self.axis]
        across = points[:, (self.axis + 1) % 3] + 0.7 * points[:, (self.axis + 2) % 3]
        rings = np.sin(90 * across + 6 * np.sin(5 * along))
        return np.array(self.colour) * (1 + 0.12 * rings)[:, None]
