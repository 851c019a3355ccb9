"""The head's mesh: skin with eye and mouth holes by Delaunay, eyeballs, mouth, ears, hair, bust."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.spatial import Delaunay

from data_prep.heads import surface as face
from data_prep.heads.raster import Array, Ints

PARTS = ("skin", "eyes", "mouth", "ears", "mane", "bust", "lining")
EYE_AT, EYE_RADIUS = 3.17, 1.75  # of the eyeballs: |x|, centimetres


@dataclass(frozen=True)
class Mesh:
    """One topology for all heads.

    Attributes:
        points: neutral template positions [V,3], centimetres.
        faces: corners [F,3], anticlockwise from outside.
        part: index into `PARTS` of each corner [V]; a triangle never mixes parts.
        where: each corner's place in its part's texture [V,2], from 0 to 1.
        front: (x, y) from the front on the skin without relief [V,2].
        row: the skin's row [V] (0 elsewhere).
        eye_centre: of both eyeballs [2,3], the person's right first.
        rim: skin corners [L] round the eyes and the mouth; the lining's corners are these again,
            then the same pushed back by `depth` [L] centimetres.
    """

    points: Array
    faces: Ints
    part: Ints
    where: Array
    front: Array
    row: Array
    eye_centre: Array
    rim: Ints
    depth: Array

    def of(self, part: str) -> Ints:
        """Corners of a part."""
        return np.flatnonzero(self.part == PARTS.index(part))


@cache
def template() -> Mesh:
    """The mesh; the first 68 corners are the landmarks."""
    azimuth, row = _skin_places()
    faces = _skin_faces(azimuth, row)
    base = face.surface(azimuth, row)
    ahead = (np.cos(azimuth) > 0) & (row <= 1.02)
    x, y = base[:, 0], base[:, 1]
    skin = base.copy()
    skin[:, 2] += np.where(ahead, face.relief(x, y), 0.0) * np.clip(np.cos(azimuth), 0, 1)
    centres = _eye_centres(skin)
    skin[:, 2] = np.where(ahead, np.maximum(skin[:, 2], ball(centres, skin) + 0.05), skin[:, 2])
    where = np.stack([azimuth / (2 * np.pi) + 0.5, row / face.ROWS], axis=1)
    front = np.where(ahead[:, None], base[:, :2], 99.0)
    pieces = [(skin, faces, where, 0)]
    pieces += [(p, f, w, 1) for p, f, w in (_eyeball(c) for c in centres)]
    pieces += [(*_mouth(), 2)]
    pieces += [(*_ear(sign), 3) for sign in (-1.0, 1.0)]
    pieces += [(*_mane(), 4), (*_bust(), 5)]
    rim, depth, lining = _lining(skin, faces, front)
    pieces += [(*lining, 6)]
    counts = np.cumsum([0, *(len(p[0]) for p in pieces)])
    rest = counts[-1] - len(skin)
    return Mesh(
        np.concatenate([p[0] for p in pieces]),
        np.concatenate([p[1] + n for p, n in zip(pieces, counts, strict=False)]),
        np.concatenate([np.full(len(p[0]), p[3]) for p in pieces]),
        np.concatenate([p[2] for p in pieces]),
        np.concatenate([front, np.full((rest, 2), 99.0)]),
        np.concatenate([row, np.zeros(rest)]),
        centres,
        rim,
        depth,
    )


def ball(centres: Array, points: Array) -> Array:
    """Height (Z) [N] of the nearer eyeball's front over points [N,3], far below beside it."""
    centre = centres[(points[:, 0] > 0).astype(int)]
    flat = np.square(points[:, :2] - centre[:, :2]).sum(1)
    height = centre[:, 2] + np.sqrt(np.maximum(EYE_RADIUS**2 - flat, 0.0))
    return np.where(flat < EYE_RADIUS**2, height, -99.0)


def _eye_centres(skin: Array) -> Array:
    found = []
    for sign, rows in ((-1.0, slice(36, 42)), (1.0, slice(42, 48))):
        depth = skin[rows, 2].mean() + 0.2 - EYE_RADIUS
        found.append((sign * EYE_AT, 0.03, depth))
    return np.array(found)


def _skin_places() -> tuple[Array, Array]:
    """Azimuth and row of all corners of the skin: landmarks, curves, rings, then a grid."""
    azimuth, row = face.landmark_places()
    curves = [_ring(face.LID_UP, face.LID_LOW, 25, scale) for scale in (1.0, 1.22, 1.55)]
    curves = [side * np.array([[s, 1.0]]) for side in curves for s in (-1.0, 1.0)]
    curves += [_both(face.MOUTH_UP, face.MOUTH_LOW, 29), _both(face.LIP_UP, face.LIP_LOW, 29)]
    curves += [(_both(face.LIP_UP, face.LIP_LOW, 25) - (0, -7)) * (1.12, 1.3) + (0, -7)]
    middle = _both(face.LIP_UP, face.LIP_LOW, 25) + _both(face.MOUTH_UP, face.MOUTH_LOW, 25)
    curves += [middle / 2]
    nose = np.array(
        [(x, y) for y in np.arange(-5.2, -3.2, 0.27) for x in np.arange(-2.1, 2.2, 0.3)]
    )
    placed = [face.place(*np.concatenate([*curves, nose]).T)]
    jaw = np.radians(np.linspace(-80, 80, 41))
    placed.append((jaw, np.ones_like(jaw)))
    fine_a, fine_r = np.meshgrid(np.radians(np.arange(-78, 79, 5.0)), np.arange(0.27, 1.0, 0.028))
    placed.append((fine_a.ravel(), fine_r.ravel()))
    rows = np.r_[0.0, 0.008, 0.03, 0.065, 0.11, 0.16, np.arange(0.22, 0.99, 0.07), 1.0]
    rows = np.r_[rows, 1.06, 1.12, 1.2, 1.3, 1.4, 1.5, 1.6, face.ROWS]
    wide_a, wide_r = np.meshgrid(np.radians(np.linspace(-180, 180, 49)), rows)
    placed.append((wide_a.ravel(), wide_r.ravel()))
    for more_a, more_r in placed:
        apart = _distance(more_a, more_r, azimuth, row)
        kept = apart > (0.11 if len(azimuth) == 68 else 0.27)
        azimuth, row = np.r_[azimuth, more_a[kept]], np.r_[row, more_r[kept]]
    kept = np.r_[np.ones(68, bool), ~_in_hole(azimuth[68:], row[68:])]
    return azimuth[kept], row[kept]


def _distance(a: Array, r: Array, others_a: Array, others_r: Array) -> Array:
    """Distance [N], in centimetres of the unrolled skin, to the nearest of the others."""
    da = (a[:, None] - others_a[None]) * face.WIDE
    dr = (r[:, None] - others_r[None]) * 20
    return np.sqrt((da**2 + dr**2).min(1))


def _ring(up: face.Curve, low: face.Curve, count: int, scale: float) -> Array:
    """A feature's outline [2*count-2,2] for x > 0, enlarged about its middle."""
    turn = np.linspace(0, np.pi, count)
    x = (up.low + up.high) / 2 + (up.high - up.low) / 2 * np.cos(turn)
    outline = np.r_[np.stack([x, up(x)], 1), np.stack([x, low(x)], 1)[1:-1]]
    middle = outline.mean(0)
    return (outline - middle) * (scale, 1 + 1.6 * (scale - 1)) + middle


def _both(up: face.Curve, low: face.Curve, count: int) -> Array:
    """A mouth's outline [2*count-2,2]."""
    x = up.high * np.cos(np.linspace(0, np.pi, count))
    return np.r_[np.stack([x, up(x)], 1), np.stack([x, low(x)], 1)[1:-1]]


def _in_hole(azimuth: Array, row: Array, shrink: float = 0.02) -> np.ndarray:
    base = face.surface(azimuth, row)
    x, y = np.abs(base[:, 0]), base[:, 1]
    front = (np.cos(azimuth) > 0.3) & (row < 1)
    eye = (y < face.LID_UP(x) - shrink) & (y > face.LID_LOW(x) + shrink)
    eye &= (x > face.EYE[3][0]) & (x < face.EYE[0][0])
    mouth = (y < face.MOUTH_UP(x) - shrink) & (y > face.MOUTH_LOW(x) + shrink)
    return front & (eye | (mouth & (x < face.INNER[0][0])))


def _skin_faces(azimuth: Array, row: Array) -> Ints:
    plane = np.stack([azimuth * face.WIDE, -row * 20], axis=1)
    faces = Delaunay(plane).simplices.astype(np.int64)
    a, b, c = (plane[faces[:, i]] for i in range(3))
    turned = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] < 0
    faces[turned] = faces[turned][:, ::-1]
    hole = _in_hole(azimuth[faces].mean(1), row[faces].mean(1), 0.0)
    return faces[~hole]


def _grid_faces(rows: int, columns: int) -> Ints:
    """Two triangles per cell of a grid whose rows go down and columns to the right."""
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    lower = np.stack([a, c, d], -1).reshape(-1, 3)
    return np.concatenate([lower, np.stack([a, d, b], -1).reshape(-1, 3)])


def _patch(rows: int, columns: int) -> tuple[Array, Array, Array, Ints]:
    """Grid places v (down), u (right) from 0 to 1, texture places [N,2] and faces."""
    v, u = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")
    v, u = v.ravel(), u.ravel()
    return v, u, np.stack([u, v], 1), _grid_faces(rows, columns)


def _eyeball(centre: Array) -> tuple[Array, Ints, Array]:
    v, u, where, faces = _patch(19, 19)
    across, up = np.radians(100) * (u - 0.5) * 1.3, np.radians(100) * (0.5 - v) * 1.3
    out = np.stack([np.sin(across) * np.cos(up), np.sin(up), np.cos(across) * np.cos(up)], 1)
    return centre + EYE_RADIUS * out, faces, where


def _mouth() -> tuple[Array, Ints, Array]:
    """Cavity, upper and lower teeth; texture (v): below 0.5, to 0.75, to 1."""
    points, faces, places = [], [], []
    for top, bottom, half, back, low, high, rows in (
        (-4.6, -11.0, 3.4, 2.6, 0.0, 0.48, 15),
        (-5.3, -7.25, 2.3, 0.85, 0.52, 0.73, 5),
        (-7.25, -8.6, 2.2, 1.0, 0.77, 1.0, 5),
    ):
        v, u, where, grid = _patch(rows, 15)
        x, y = half * (2 * u - 1), top + v * (bottom - top)
        z = 9.55 - back - 0.16 * x**2
        faces.append(grid + sum(len(p) for p in points))
        points.append(np.stack([x, y, z], 1))
        places.append(np.stack([where[:, 0], low + where[:, 1] * (high - low)], 1))
    return np.concatenate(points), np.concatenate(faces), np.concatenate(places)


def _ear(sign: float) -> tuple[Array, Ints, Array]:
    v, u, where, faces = _patch(13, 17)
    up, around = np.pi * (0.5 - v), 2 * np.pi * (u - 0.5)
    lump = [
        0.55 * np.cos(up) * np.sin(around),
        3.2 * np.sin(up),
        1.75 * np.cos(up) * np.cos(around),
    ]
    x, y, z = lump
    z = z * (1 + 0.25 * y / 3.2) - 0.12 * y
    c, s = np.cos(0.5 * sign), np.sin(0.5 * sign)
    points = np.stack([c * x - s * z, y, s * x + c * z], 1)
    return points + np.array([sign * 7.35, -1.4, -0.9]), faces, where


def _mane() -> tuple[Array, Ints, Array]:
    """Long hair: a curtain from one temple round the back to the other, seen from both sides."""
    v, u, where, faces = _patch(20, 33)
    azimuth = np.radians(52 + 256 * u)
    y = 7.2 - 25.0 * v
    wide = np.interp(v, [0, 0.15, 0.3, 0.6, 1], [6.6, 8.0, 8.9, 9.2, 9.0])
    deep = np.interp(v, [0, 0.25, 0.6, 1], [9.3, 10.8, 9.3, 8.6])
    tuck = 1 - 0.1 * np.exp(-np.square(np.minimum(u, 1 - u) / 0.06))
    points = np.stack([wide * tuck * np.sin(azimuth), y, deep * np.cos(azimuth)], 1)
    points[:, 2] -= 2.6 * np.clip(np.cos(azimuth), 0, 1) * deep / 10 + 0.5
    both = np.concatenate([faces, faces[:, ::-1] + len(points)])
    return np.tile(points, (2, 1)), both, np.tile(where, (2, 1))


def _bust() -> tuple[Array, Ints, Array]:
    v, u, where, faces = _patch(15, 25)
    up, around = np.pi / 2 * (1 - 1.2 * v), np.pi * (u - 0.5) * 1.5
    slope = np.sign(np.cos(up)) * np.abs(np.cos(up)) ** 0.8
    x, y, z = 20.0 * slope * np.sin(around), 13.5 * np.sin(up), 9.0 * slope * np.cos(around)
    return np.stack([x, y - 28.2, z - 3.0], 1), faces, where


def _lining(
    skin: Array, faces: Ints, front: Array
) -> tuple[Ints, Array, tuple[Array, Ints, Array]]:
    """Walls that go inwards from the rims of the eye and mouth holes; texture u: eyes, mouth."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    keys = edges.min(1) * len(skin) + edges.max(1)
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    rim_edges = edges[first[counts == 1]]
    holes = (np.abs(front[rim_edges, 0]) < 6).all(1) & (np.abs(front[rim_edges, 1]) < 9).all(1)
    rim_edges = rim_edges[holes]
    rim = np.unique(rim_edges)
    i, j = np.searchsorted(rim, rim_edges).T
    n = len(rim)
    # An edge runs with its triangle on the left; the wall on its right runs the other way.
    walls = np.concatenate([np.stack([j, i, i + n], 1), np.stack([j, i + n, j + n], 1)])
    mouth = front[rim, 1] < -4
    depth = np.where(mouth, 2.6, 1.8)
    points = np.concatenate([skin[rim], skin[rim] - depth[:, None] * (0, 0, 1)])
    u = np.tile(np.where(mouth, 0.75, 0.25), 2)
    return rim, depth, (points, walls, np.stack([u, np.repeat([0.1, 0.9], n)], 1))
