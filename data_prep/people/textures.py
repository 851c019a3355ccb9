"""Colours of surface points: cloth patterns, skin, faces, hair, shoes, all in bone coordinates.

A texture sees only the bone-local point: a surface point keeps its colour in every pose and view.
"""

from dataclasses import dataclass, replace

import numpy as np

from data_prep.people.shapes import Array

Colour = tuple[float, float, float]
WHITE: Colour = (0.95, 0.95, 0.94)
DARK: Colour = (0.1, 0.1, 0.12)


@dataclass(frozen=True)
class Cloth:
    """A pattern of up to three colours.

    Attributes:
        kind: plain, hstripes, vstripes, checks, dots, diagonal, gradient, blocks or argyle.
        colours: base, second and third colour, RGB in [0, 1].
        period: of the pattern, body heights.
        share: part of a period in the second colour.
        split: local height where a gradient or a block of colour changes.
    """

    kind: str
    colours: tuple[Colour, Colour, Colour]
    period: float = 0.07
    share: float = 0.45
    split: float = 0.1

    def paint(self, point: Array, radius: float) -> Array:
        """Colours [N,3] at bone-local points [N,3] of a part about `radius` wide."""
        base, second, third = (np.array(c) for c in self.colours)
        turns = max(2, round(2 * np.pi * radius / self.period))  # the seam at the back closes
        u = np.arctan2(point[:, 0], point[:, 2] + 1e-12) * turns / (2 * np.pi)
        v = point[:, 1] / self.period
        out = np.tile(base, (len(point), 1))
        if self.kind == "hstripes":
            out[_frac(v) < self.share] = second
        elif self.kind == "vstripes":
            out[_frac(u + self.share / 2) < self.share] = second
        elif self.kind == "checks":
            a, b = _frac(u + self.share / 2) < self.share, _frac(v) < self.share
            out[a ^ b] = second
            out[a & b] = third
        elif self.kind == "dots":
            row = np.floor(v)
            du, dv = _frac(u + 0.5 * (row % 2)) - 0.5, _frac(v) - 0.5
            out[du**2 + dv**2 < (0.22 + 0.3 * self.share) ** 2] = second
        elif self.kind == "diagonal":
            out[_frac(u + v) < self.share] = second
        elif self.kind == "argyle":
            out[np.abs(_frac(u) - 0.5) + np.abs(_frac(v) - 0.5) < 0.38] = second
        elif self.kind == "gradient":
            mix = np.clip((point[:, 1] - self.split) / 0.16 + 0.5, 0, 1)[:, None]
            out = (1 - mix) * second + mix * base
        elif self.kind == "blocks":
            out[point[:, 1] < self.split] = second
            out[np.abs(point[:, 1] - self.split) < 0.014] = third
        return out


@dataclass(frozen=True)
class Top:
    """The cloth of a torso: pattern, neckline, opening, print, collar and hem."""

    cloth: Cloth
    skin: Colour
    neck_y: float
    neckline: str = "round"
    opening: Colour | None = None
    logo: str = ""
    logo_colour: Colour = WHITE
    back_logo: bool = False
    trim: Colour | None = None

    def paint(self, point: Array, radius: float) -> Array:
        """Colours [N,3] at torso points [N,3]."""
        x, y, z = point.T
        out = self.cloth.paint(point, radius)
        if self.opening is not None:
            gap = 0.018 + 0.12 * np.maximum(0.0, y - self.neck_y + 0.16)
            out[(z > 0) & (np.abs(x) < gap)] = self.opening
        front = z > 0
        if self.logo:
            for side, shown in ((front, True), (~front, self.back_logo)):
                if shown:
                    out[side & self._inside(x, y - self.neck_y + 0.115)] = self.logo_colour
        depth = self.neck_y - 0.012 - y
        if self.neckline == "v":
            bare = front & (np.abs(x) * 1.5 < 0.055 - depth)
            edge = front & (np.abs(x) * 1.5 < 0.068 - depth)
        else:
            low = np.maximum(0.0, depth - np.where(front, 0.012, -0.016))
            bare = x**2 + low**2 < 0.036**2
            edge = x**2 + low**2 < 0.045**2
        if self.trim is not None:
            out[edge] = self.trim
        out[bare] = self.skin
        return out

    def _inside(self, x: Array, y: Array) -> Array:
        r = np.hypot(x, y)
        if self.logo == "disc":
            return r < 0.036
        if self.logo == "ring":
            return (r < 0.042) & (r > 0.021)
        if self.logo == "box":
            return (np.abs(x) < 0.045) & (np.abs(y) < 0.022)
        if self.logo == "cross":
            return (np.minimum(np.abs(x), np.abs(y)) < 0.013) & (r < 0.045)
        if self.logo == "star":
            return r < 0.026 + 0.017 * np.cos(5 * np.arctan2(x, y))
        return (np.abs(y + 0.5 * np.abs(x) - 0.012) < 0.013) & (np.abs(x) < 0.06)  # a chevron


@dataclass(frozen=True)
class Face:
    """Skin of a head with eyes, brows, cheeks, mouth and perhaps a beard."""

    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    scale: float = 1.0
    beard: bool = False

    def paint(self, point: Array, radius: float) -> Array:
        """Colours [N,3] at head points [N,3]."""
        x, y, z = point.T / self.scale
        out = np.tile(np.array(self.skin), (len(point), 1))
        front, side = z > 0, np.abs(x)
        cheek = front & ((side - 0.03) ** 2 + (y + 0.022) ** 2 < 0.012**2)
        out[cheek] = 0.75 * np.array(self.skin) + 0.25 * np.array((0.9, 0.4, 0.38))
        if self.beard:
            out[(z > -0.01) & (y < -0.026 - 0.25 * (0.045 - side))] = self.hair
        out[front & _ellipse(side - 0.023, y - 0.008, 0.014, 0.0095)] = WHITE
        out[front & _ellipse(side - 0.022, y - 0.008, 0.0075, 0.0095)] = self.iris
        brow = (
            front
            & (np.abs(y - 0.0245 + 0.15 * (side - 0.02)) < 0.004)
            & (np.abs(side - 0.023) < 0.014)
        )
        out[brow] = self.hair
        out[front & _ellipse(x, y + 0.042, 0.019, 0.0065)] = self.lips
        return out


@dataclass(frozen=True)
class Shoe:
    """Upper and sole of a shoe."""

    upper: Colour
    sole: Colour

    def paint(self, point: Array, radius: float) -> Array:
        """Colours [N,3] at foot points [N,3]."""
        out = np.tile(np.array(self.upper), (len(point), 1))
        out[point[:, 1] < -0.032] = self.sole
        out[(point[:, 1] > -0.018) & (point[:, 2] > 0.03) & (point[:, 2] < 0.055)] = self.sole
        return out


@dataclass(frozen=True)
class Hair:
    """Two tones of strands."""

    colour: Colour

    def paint(self, point: Array, radius: float) -> Array:
        """Colours [N,3] at head points [N,3]."""
        angle = np.arctan2(point[:, 0], point[:, 2] + 1e-12)
        tone = 1.0 + 0.16 * np.sin(13 * angle) * np.cos(25 * point[:, 1])
        return np.clip(np.array(self.colour) * tone[:, None] + 0.02, 0, 1)


Material = Cloth | Top | Face | Shoe | Hair


def plain(colour: Colour) -> Cloth:
    """A cloth (or skin) of one colour."""
    return Cloth("plain", (colour, colour, colour))


def moved(cloth: Cloth, split: float) -> Cloth:
    """The same cloth for a bone on which gradients and blocks change at another height."""
    return replace(cloth, split=split)


def _frac(value: Array) -> Array:
    return value - np.floor(value)


def _ellipse(x: Array, y: Array, a: float, b: float) -> Array:
    return (x / a) ** 2 + (y / b) ** 2 < 1.0
