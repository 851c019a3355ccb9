"""Expressions and head poses, and how they move a head's points."""

from dataclasses import dataclass

import numpy as np

from data_prep.heads.mesh import EYE_AT, Mesh, ball
from data_prep.heads.raster import Array
from data_prep.heads.surface import (
    INNER,
    LID_LOW,
    LID_UP,
    MOUTH_LOW,
    MOUTH_UP,
    bump,
    step,
)
from data_prep.people.skeleton import turn

HINGE = np.array([-1.5, 0.5])  # (y, z) of the jaw's axis
NECK = np.array([0.0, -9.0, -2.0])  # the head turns about this point


@dataclass(frozen=True)
class Face:
    """One moment: the mesh's controls, lengths in centimetres, angles in degrees.

    `apart` 0 presses the lips together, 1 lets them part; pairs are the person's right, left.
    """

    jaw: float = 0.0
    apart: float = 0.0
    smile: float = 0.0
    pucker: float = 0.0
    brows: tuple[float, float] = (0.0, 0.0)
    frown: float = 0.0
    lids: tuple[float, float] = (0.0, 0.0)
    gaze: tuple[float, float] = (0.0, 0.0)
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)


class Rig:
    """Moves a person's neutral points.

    Args:
        mesh: the template.
        points: neutral points [V,3] of a person.
        centres: of the eyeballs [2,3].
        opening: the person's eye height against the template's.
    """

    def __init__(self, mesh: Mesh, points: Array, centres: Array, opening: float) -> None:
        self.mesh, self.points, self.centres, self.opening = mesh, points, centres, opening
        self.x, self.y = mesh.front.T
        self.side, self.sign = np.abs(self.x), np.sign(self.x)
        self.ahead = self.x < 90  # `mesh.front` marks all else
        self.jaw, self.rigid = _jaw_share(mesh), _rigid_share(mesh)
        near = (np.abs(self.side - EYE_AT) < 2.4) & (np.abs(self.y) < 2.4)
        self.by_eye = np.flatnonzero(near)

    def pose(self, face: Face) -> Array:
        """World points [V,3] at a moment."""
        points = self.points + self._mimics(face)
        points[:, 1] += self._press(face) + self._lids(face)
        cover = ball(self.centres, points[self.by_eye]) + 0.06  # lids slide over the eyeballs
        points[self.by_eye, 2] = np.maximum(points[self.by_eye, 2], cover)
        angle = np.radians(face.jaw) * self.jaw
        y, z = points[:, 1] - HINGE[0], points[:, 2] - HINGE[1]
        c, s = np.cos(angle), np.sin(angle)
        points[:, 1], points[:, 2] = HINGE[0] + c * y - s * z, HINGE[1] + s * y + c * z
        self._look(points, face)
        rim = points[self.mesh.rim]
        back = rim - self.mesh.depth[:, None] * (0, 0, 1)
        points[self.mesh.of("lining")] = np.concatenate([rim, back])
        rotation = turn("z", -face.roll) @ turn("x", -face.pitch) @ turn("y", face.yaw)
        turned = (points - NECK) @ rotation.T + NECK
        share = self.rigid[:, None]
        return share * turned + (1 - share) * points + np.array(face.shift) * (0.5 + 0.5 * share)

    def _mimics(self, face: Face) -> Array:
        """Displacements [V,3] by smile, pucker, brows and frown."""
        x, y, side, sign = self.x, self.y, self.side, self.sign
        move = np.zeros_like(self.points)
        corner, cheek = bump(side, y, 2.7, -6.9, 1.5, 1.3), bump(side, y, 4.0, -3.6, 1.5, 1.4)
        lips, inner = bump(x, y, 0, -6.95, 2.6, 1.5), bump(side, y, 1.5, 2.4, 1.1, 0.9)
        move[:, 0] += face.smile * 0.75 * sign * corner * np.clip(side / 1.2, 0, 1)
        move[:, 1] += face.smile * (0.55 * corner + 0.35 * cheek)
        move[:, 2] += face.smile * (0.25 * cheek - 0.35 * corner)
        move[:, 0] -= face.pucker * 0.36 * x * lips
        move[:, 2] += face.pucker * 0.75 * lips
        lift = np.where(x < 0, *face.brows) * bump(side, y, 3.8, 2.7, 2.3, 1.0)
        move[:, 1] += lift - face.frown * 0.5 * inner
        move[:, 2] += 0.15 * lift
        move[:, 0] -= face.frown * 0.35 * sign * inner * np.clip(side / 0.8, 0, 1)
        move[~self.ahead] = 0.0
        return move

    def _press(self, face: Face) -> Array:
        """Displacement in Y [V] that lays the lips, apart in the template, on each other."""
        up, low = MOUTH_UP(self.x), MOUTH_LOW(self.x)
        above = self.y > (up + low) / 2
        gap = np.where(self.side < INNER[0][0], up - low, 0.0) * (0.5 - 0.5 * face.apart)
        away = np.where(above, self.y - up, low - self.y)
        return np.where(above, -gap, gap) * np.exp(-np.maximum(away, 0.0) / 0.6) * (away < 3)

    def _lids(self, face: Face) -> Array:
        """Displacement in Y [V] that closes the lids, the upper one most of the way."""
        up, low = LID_UP(self.x), LID_LOW(self.x)
        fade = np.clip(4.8 - np.abs(self.side - EYE_AT) / 0.475, 0, 1) * self.ahead
        upper = np.exp(-np.square(np.maximum(self.y - up, 0) / 0.75))
        lower = np.exp(-np.square(np.maximum(low - self.y, 0) / 0.6))
        share = np.where(self.y > (up + low) / 2, -0.88 * upper, 0.12 * lower)
        return np.where(self.x < 0, *face.lids) * fade * share * (up - low) * self.opening

    def _look(self, points: Array, face: Face) -> None:
        """Turn the eyeballs in place."""
        eyes = self.mesh.of("eyes")
        rotation = turn("y", face.gaze[0]) @ turn("x", -face.gaze[1])
        right = self.mesh.points[eyes, 0] < 0
        for rows, centre in zip((eyes[right], eyes[~right]), self.centres, strict=True):
            points[rows] = (points[rows] - centre) @ rotation.T + centre


def _jaw_share(mesh: Mesh) -> Array:
    """How far each corner [V] follows the jaw: sharp at the mouth's line, smooth beside it."""
    skin, mouth = mesh.of("skin"), mesh.of("mouth")
    x, y = mesh.front[skin].T
    azimuth, row = (mesh.where[skin, 0] - 0.5) * 2 * np.pi, mesh.row[skin]
    blur = 0.04 + 0.8 * np.maximum(np.abs(x) - 2.1, 0.0)
    over = (y - (MOUTH_UP(x) + MOUTH_LOW(x)) / 2) / blur
    face = np.where(row > 1.0, 1 - step((row - 1.14) / 0.28), 1 / (1 + np.exp(over.clip(-40, 40))))
    out = np.zeros(len(mesh.points))
    out[skin] = face * step((80 - np.degrees(np.abs(azimuth))) / 25)
    strip = mesh.where[mouth, 1]  # the texture's strips: cavity, upper teeth, lower teeth
    cavity = step((-7.0 - mesh.points[mouth, 1]) / 2.5)
    out[mouth] = np.where(strip > 0.75, 1.0, np.where(strip > 0.5, 0.0, cavity))
    return out


def _rigid_share(mesh: Mesh) -> Array:
    """How far each corner [V] follows the head, not the body."""
    out, mane = np.ones(len(mesh.points)), mesh.of("mane")
    skin = mesh.of("skin")
    out[skin] = 1 - step((mesh.row[skin] - 1.28) / 0.44)
    out[mesh.of("bust")] = 0.0
    out[mane] = 1 - 0.8 * step((-11 - mesh.points[mane, 1]) / 12)
    return out
