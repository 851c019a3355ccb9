"""Solids with painted textures, from which the sample objects are put together.

Everything is made of sheets: grids of points whose texture is painted by a function of the points
themselves, so that a picture on a surface is where it should be whatever the grid's shape.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from data_prep.meshes.model import Part

Array = NDArray[np.float64]
Colour = tuple[float, float, float]
Paint = Callable[[Array], Array] | Colour
FINE = 2  # paint samples per texel and direction
CREASE = 0.62  # cosine of the angle at which an edge is no longer smooth


def sheet(points: Array, paint: Paint, texels: int = 64, inside: Array | None = None) -> Part:
    """A grid of points as a part with smooth shading.

    Args:
        points: [R,C,3]; rows or columns may close on themselves or shrink to a point.
        paint: one colour, or a function of points [N,3] that gives colours [N,3], sRGB in [0, 1].
        texels: of the texture along each side.
        inside: a point [3] behind the surface; without it the points' mean.
    """
    faces = _grid_faces(*points.shape[:2])
    corners = points.reshape(-1, 3)
    uv = _places(*points.shape[:2], texels)
    return _part(corners, faces, uv, _texture([points], paint, texels), inside)


def block(
    at: Array | tuple[float, float, float],
    size: tuple[float, float, float],
    paint: Paint,
    rounding: float = 0.0,
    shape: Callable[[Array], Array] | None = None,
    texels: int = 24,
) -> Part:
    """A box with rounded edges.

    Args:
        at: its centre (x, y, z).
        size: its whole extent along x, y, z.
        paint: sees points relative to the centre, before `shape`.
        rounding: radius of the edges.
        shape: bends points [N,3] relative to the centre, e.g. into a curved back.
        texels: of the texture along each side of a face.
    """
    half = np.asarray(size) / 2
    radius = min(rounding, 0.98 * float(half.min()))
    tiles = [_box_face(half, radius, axis, sign) for axis in range(3) for sign in (-1.0, 1.0)]
    rows, columns = tiles[0].shape[:2]
    count = rows * columns
    faces = np.concatenate([_grid_faces(rows, columns) + i * count for i in range(6)])
    plain = np.concatenate([tile.reshape(-1, 3) for tile in tiles])
    uv = np.tile(_places(rows, columns, texels), (6, 1))
    uv[:, 1] = (uv[:, 1] + np.repeat(np.arange(6), count)) / 6
    bent = (plain if shape is None else shape(plain)) + np.asarray(at, float)
    # Each face turns outwards by itself: seen from the unbent middle, as bending keeps the side.
    middle = np.zeros(3)
    faces = _turned(plain, faces, middle, each=True)
    return _part(bent, faces, uv, _texture(tiles, paint, texels), None, oriented=True)


def tube(path: Array, radius: Array | float, paint: Paint, sides: int = 10) -> Part:
    """A round bar along a path, closed at both ends.

    Args:
        path: [N,3] points, N >= 2, no two neighbours equal.
        radius: of the bar, one or [N].
        paint: as for `sheet`; sees the points as they are.
        sides: corners of the cross-section.
    """
    path = np.asarray(path, float)
    radii = np.broadcast_to(np.asarray(radius, float), len(path))
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    # One fixed side direction, the least parallel to the path, keeps the bar from twisting.
    helper = np.eye(3)[np.argmin(np.abs(along).max(axis=0))]
    right = np.cross(along, helper)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    up = np.cross(right, along)
    turn = np.linspace(0, 2 * np.pi, sides + 1)[None, :, None]
    ring = np.cos(turn) * right[:, None] + np.sin(turn) * up[:, None]
    points = path[:, None] + radii[:, None, None] * ring
    ends = [np.repeat(path[i][None, None], sides + 1, axis=1) for i in (0, -1)]
    return sheet(np.concatenate([ends[0], points, ends[1]]), paint, texels=16)


def lathe(profile: Array, at: Array, axis: Array, paint: Paint, sides: int = 24) -> Part:
    """A turned solid.

    Args:
        profile: [N,2] = (distance from the axis, place along it).
        at: [3], where the place along the axis is 0.
        axis: [3], a unit vector.
        paint: sees points [N,3] = (two coordinates across the axis, the place along it).
        sides: corners of the cross-section.
    """
    axis = np.asarray(axis, float)
    helper = np.eye(3)[np.argmin(np.abs(axis))]
    right = np.cross(axis, helper)
    right /= np.linalg.norm(right)
    frame = np.stack([right, np.cross(axis, right), axis])  # rows: the local axes
    turn = np.linspace(0, 2 * np.pi, sides + 1)
    r, h = (np.repeat(profile[:, i : i + 1], sides + 1, axis=1) for i in (0, 1))
    local = np.stack([r * np.cos(turn), r * np.sin(turn), h], axis=-1)
    made = paint if isinstance(paint, tuple) else lambda p: paint((p - at) @ frame.T)
    return sheet(local @ frame + at, made, texels=48)


def _grid_faces(rows: int, columns: int) -> NDArray[np.int64]:
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    first = np.stack([a, b, c], -1).reshape(-1, 3)
    return np.concatenate([first, np.stack([b, d, c], -1).reshape(-1, 3)])


def _box_face(half: Array, radius: float, axis: int, sign: float) -> Array:
    """Grid [R,C,3] of one face of a rounded box; its borders lie on the edges' diagonals."""
    steps = np.concatenate([[-1.0, -0.97, -0.85], np.linspace(-0.7, 0.7, 6), [0.85, 0.97, 1.0]])
    grid = np.zeros((len(steps), len(steps), 3))
    grid[..., axis] = sign
    others = [i for i in range(3) if i != axis]
    grid[..., others[0]], grid[..., others[1]] = np.meshgrid(steps, steps, indexing="ij")
    if radius == 0:
        return grid * half
    core = np.clip(grid * half, -(half - radius), half - radius)
    # Points beyond the core go to a sphere round it; the grid's border to where faces meet.
    out = np.zeros_like(grid)
    out[..., axis] = sign
    for other in others:
        beyond = np.abs(grid[..., other]) * half[other] - (half[other] - radius)
        share = np.clip(beyond / radius, 0, 1)
        out[..., other] = np.sign(grid[..., other]) * np.tan(np.pi / 4 * share)
    return core + radius * out / np.linalg.norm(out, axis=-1, keepdims=True)


def _places(rows: int, columns: int, texels: int) -> Array:
    """Texture places [R*C,2] = (u, v) from 0 to 1, v downwards, half a texel off the border."""
    u = (0.5 + np.linspace(0, 1, columns) * (texels - 1)) / texels
    v = (0.5 + np.linspace(0, 1, rows) * (texels - 1)) / texels
    v, u = np.meshgrid(v, u, indexing="ij")
    return np.stack([u.ravel(), v.ravel()], axis=1)


def _texture(tiles: list[Array], paint: Paint, texels: int) -> NDArray[np.uint8] | Colour:
    """Paint all tiles, one below the other: uint8 [n*texels, texels, 3]; a colour stays one."""
    if isinstance(paint, tuple):
        return paint
    fine = texels * FINE
    where = np.clip((np.arange(fine) + 0.5) / FINE - 0.5, 0, texels - 1) / (texels - 1)
    points = np.concatenate([_stretched(_stretched(tile, where, 0), where, 1) for tile in tiles])
    colours = paint(points.reshape(-1, 3)).reshape(len(tiles) * texels, FINE, texels, FINE, 3)
    mean = np.clip(colours, 0, 1).mean(axis=(1, 3))
    return np.rint(255 * mean).astype(np.uint8)


def _stretched(grid: Array, where: Array, axis: int) -> Array:
    """Linear interpolation of a grid along one axis at places from 0 to 1."""
    at = where * (grid.shape[axis] - 1)
    low = np.clip(np.floor(at).astype(int), 0, grid.shape[axis] - 2)
    share = (at - low)[:, None, None] if axis == 0 else (at - low)[None, :, None]
    first, second = np.take(grid, low, axis), np.take(grid, low + 1, axis)
    return (1 - share) * first + share * second


def _turned(
    points: Array, faces: NDArray[np.int64], inside: Array, each: bool = False
) -> NDArray[np.int64]:
    """Faces anticlockwise seen from outside: each by itself, or all by the volume they enclose."""
    a, b, c = (points[faces[:, i]] - inside for i in range(3))
    volume = np.einsum("ni,ni->n", a, np.cross(b, c))
    wrong = volume < 0 if each else np.full(len(faces), volume.sum() < 0)
    return np.where(wrong[:, None], faces[:, ::-1], faces)


def _part(
    points: Array,
    faces: NDArray[np.int64],
    uv: Array,
    look: NDArray[np.uint8] | Colour,
    inside: Array | None,
    oriented: bool = False,
) -> Part:
    """A part whose triangles own their corners, with normals that stop at creases."""
    if not oriented:
        faces = _turned(points, faces, points.mean(axis=0) if inside is None else inside)
    area = np.linalg.norm(_face_vectors(points, faces), axis=1)
    faces = faces[area > 1e-12]
    corners = points[faces].reshape(-1, 3)
    plain = isinstance(look, tuple)
    return Part(
        vertices=corners.astype(np.float32),
        faces=np.arange(len(corners), dtype=np.int32).reshape(-1, 3),
        color=look if plain else (1.0, 1.0, 1.0),
        uv=None if plain else _page(uv[faces].reshape(-1, 2)),
        texture=None if plain else look,
        normals=_normals(points, faces).astype(np.float32),
    )


def _page(uv: Array) -> NDArray[np.float32]:
    """Texture places with v upwards, as meshes have them."""
    return np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1).astype(np.float32)


def _face_vectors(points: Array, faces: NDArray[np.int64]) -> Array:
    a, b, c = (points[faces[:, i]] for i in range(3))
    return np.cross(b - a, c - a)


def _normals(points: Array, faces: NDArray[np.int64]) -> Array:
    """Unit normal [3F,3] of every corner: of all faces at its place that lie nearly as its own."""
    vectors = _face_vectors(points, faces)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    _, place = np.unique(np.rint(points * 1e5), axis=0, return_inverse=True)
    place = place.reshape(-1)[faces].reshape(-1)  # of every corner
    face = np.repeat(np.arange(len(faces)), 3)
    order = np.argsort(place, kind="stable")
    _, first, count = np.unique(place[order], return_index=True, return_counts=True)
    group = np.repeat(np.arange(len(first)), count)
    table = np.full((len(first), count.max()), -1)
    table[group, np.arange(len(order)) - first[group]] = face[order]
    near, known = units[table], table >= 0
    alike = np.einsum("gid,gjd->gij", near, near) > CREASE
    summed = (alike & known[:, None]) @ (vectors[table] * known[..., None])
    found = np.empty((len(order), 3))
    found[order] = summed[known]
    return found / np.linalg.norm(found, axis=1, keepdims=True)
