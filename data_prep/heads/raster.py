"""What rays see of a triangle mesh that was projected: the nearest triangle and the place in it.

A surface point is named by its triangle and three weights, the same in every frame: the exact
correspondence of two frames follows from this alone. Picture axes: x right, y down, pixels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
EDGE = 1e-9  # a ray on an edge belongs to both triangles
SLIVER = 1e-7  # pixels: triangles of less than half this area are not seen


@dataclass(frozen=True)
class Hits:
    """What N rays see: triangle (-1: nothing), its corners' weights [N,3], nearness [N]."""

    triangle: Ints
    weights: Array
    near: Array


def cast(points: Array, near: Array, faces: Ints, x: Array, y: Array) -> Hits:
    """Cast rays through picture positions and keep the nearest triangle that faces the viewer.

    Args:
        points: corners' picture positions (x, y) [V,2].
        near: their nearness to the viewer [V], larger is nearer; linear within a triangle.
        faces: corners of the triangles [F,3], anticlockwise as seen by the viewer.
        x: rays' picture positions [N].
        y: the same.
    """
    hits = Hits(np.full(x.shape, -1), np.zeros((*x.shape, 3)), np.full(x.shape, -np.inf))
    a, b, c = (points[faces[:, i]] for i in range(3))
    area = (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1]) - (c[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
    low = np.floor(np.minimum(np.minimum(a, b), c)).astype(np.int64)
    high = np.floor(np.maximum(np.maximum(a, b), c)).astype(np.int64)
    column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    start = np.array([column.min(), row.min()])
    width, height = column.max() - start[0] + 1, row.max() - start[1] + 1
    low = np.maximum(low - start, 0)
    high = np.minimum(high - start, [width - 1, height - 1])
    shown = np.flatnonzero((area > SLIVER) & (low <= high).all(1))
    if not len(shown):
        return hits
    planes = _planes(a[shown] - start, b[shown] - start, c[shown] - start, area[shown])
    cell, triangle = _cells(low[shown], high[shown], width, planes)
    ray, item = _join((row - start[1]) * width + column - start[0], cell)
    p, u, t = planes[:, triangle[item]], x[ray] - start[0], y[ray] - start[1]
    v, w = p[0] + p[1] * u + p[2] * t, p[3] + p[4] * u + p[5] * t
    inside = np.flatnonzero((v >= -EDGE) & (w >= -EDGE) & (v + w <= 1 + EDGE))
    if not len(inside):
        return hits
    ray, triangle = ray[inside], shown[triangle[item[inside]]]
    weights = np.stack([1.0 - v[inside] - w[inside], v[inside], w[inside]], axis=1)
    depth = np.einsum("ij,ij->i", weights, near[faces[triangle]])
    # A ray's candidates stand side by side: the best of each run, the first of equals.
    first = np.flatnonzero(np.r_[True, ray[1:] != ray[:-1]])
    best = np.maximum.reduceat(depth, first)
    wins = np.flatnonzero(depth == np.repeat(best, np.diff(np.r_[first, len(ray)])))[::-1]
    hits.triangle[ray[wins]] = triangle[wins]
    hits.weights[ray[wins]] = weights[wins]
    hits.near[ray[wins]] = depth[wins]
    return hits


def normals(world: Array, faces: Ints) -> Array:
    """Unit normals [V,3] of a mesh's corners, averaged by area over their triangles."""
    a, b, c = (world[faces[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    out = np.stack(
        [
            np.bincount(faces.ravel(), np.repeat(normal[:, k], 3), minlength=len(world))
            for k in range(3)
        ],
        axis=1,
    )
    return out / (np.linalg.norm(out, axis=1, keepdims=True) + 1e-12)


def _planes(a: Array, b: Array, c: Array, area: Array) -> Array:
    """The weights of corners b and c as linear functions: (1, x, y) twice [6,F]."""
    out = []
    for near, far, scale in ((a, c, -area), (a, b, area)):
        dx, dy = (far - near).T / scale
        out += [near[:, 1] * dx - near[:, 0] * dy, dy, -dx]
    return np.stack(out)


def _cells(low: Ints, high: Ints, width: int, planes: Array) -> tuple[Ints, Ints]:
    """Every pixel-wide cell that a triangle touches: cell numbers (sorted), and whose they are."""
    spans = high - low + 1
    counts = spans.prod(1)
    owner = np.repeat(np.arange(len(low)), counts)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    dy, dx = np.divmod(place, spans[owner, 0])
    x, y = low[owner, 0] + dx, low[owner, 1] + dy
    p = planes[:, owner]
    third = np.array([1.0 - p[0] - p[3], -p[1] - p[4], -p[2] - p[5]])
    touched = np.ones(len(owner), bool)
    for one, ux, uy in (p[:3], p[3:], third):  # each weight's largest value in the cell
        most = one + ux * x + uy * y + np.maximum(ux, 0) + np.maximum(uy, 0)
        touched &= most >= -EDGE
    cell, owner = (y * width + x)[touched], owner[touched]
    order = np.argsort(cell, kind="stable")
    return cell[order], owner[order]


def _join(wanted: Ints, cells: Ints) -> tuple[Ints, Ints]:
    """All pairs (index into `wanted`, index into the sorted `cells`) of one cell."""
    begin = np.searchsorted(cells, wanted, "left")
    counts = np.searchsorted(cells, wanted, "right") - begin
    ray = np.repeat(np.arange(len(wanted)), counts)
    step = np.arange(len(ray)) - np.repeat(np.cumsum(counts) - counts, counts)
    return ray, begin[ray] + step
