"""Body parts as quadrics (ellipsoids, tapered elliptical tubes) and an orthographic ray caster.

World axes: X to the right of the picture, Y up, Z towards the viewer; unit: one body height.
A part belongs to a bone (a rigid frame: world = R @ local + t), local y runs along the bone. Rays
run along -Z, so the largest Z is seen. A surface point is named by its bone and local coordinates,
the same in every pose: the exact correspondence of two pictures follows from this alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FAR = -1e9


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid along its bone's axes; `keep = (nx, ny, nz, b)` keeps points with n.p <= b."""

    bone: str
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    material: str
    keep: tuple[float, float, float, float] | None = None

    def reach(self) -> tuple[Array, Array]:
        """Corners (low, high) [3] of the box around it, in bone coordinates."""
        centre, radii = np.array(self.centre), np.array(self.radii)
        return centre - radii, centre + radii

    def hit(self, origin: Array, ray: Array) -> Array:
        """Largest z [N] at which origin [N,3] + z * ray [3] meets the surface, else FAR."""
        q, e = (origin - self.centre) / self.radii, ray / self.radii
        a, b, c = e @ e, q @ e, np.einsum("ij,ij->i", q, q) - 1.0
        inside = b * b - a * c
        z = np.where(inside > 0, (-b + np.sqrt(np.maximum(inside, 0.0))) / a, FAR)
        if self.keep is not None:
            point = origin + z[:, None] * ray
            z = np.where(point @ np.array(self.keep[:3]) <= self.keep[3], z, FAR)
        return z

    def normal(self, point: Array) -> Array:
        """Outward normal (not normalised) at surface points [N,3], in bone coordinates."""
        return (point - self.centre) / np.square(self.radii)


@dataclass(frozen=True)
class Tube:
    """A tapered elliptical tube along local y from `y0` to `y1`, closed by flat discs.

    Its half width along x goes from `a0` to `a1`; along z it is `k` times that. `shift` moves its
    axis in (x, z).
    """

    bone: str
    y0: float
    y1: float
    a0: float
    a1: float
    k: float
    material: str
    shift: tuple[float, float] = (0.0, 0.0)

    def reach(self) -> tuple[Array, Array]:
        """Corners (low, high) [3] of the box around it, in bone coordinates."""
        a, (cx, cz) = max(self.a0, self.a1), self.shift
        low, high = min(self.y0, self.y1), max(self.y0, self.y1)
        return np.array([cx - a, low, cz - a * self.k]), np.array([cx + a, high, cz + a * self.k])

    def hit(self, origin: Array, ray: Array) -> Array:
        """Largest z [N] at which origin [N,3] + z * ray [3] meets the surface, else FAR."""
        slope = (self.a1 - self.a0) / (self.y1 - self.y0)
        low, high = min(self.y0, self.y1), max(self.y0, self.y1)
        qx, qz = origin[:, 0] - self.shift[0], (origin[:, 2] - self.shift[1]) / self.k
        width = self.a0 + slope * (origin[:, 1] - self.y0)
        ex, ez, ew = ray[0], ray[2] / self.k, slope * ray[1]
        a = ex * ex + ez * ez - ew * ew
        b = qx * ex + qz * ez - width * ew
        c = qx * qx + qz * qz - width * width
        best = np.full(len(origin), FAR)
        if abs(a) > 1e-9:
            inside = b * b - a * c
            root = np.sqrt(np.maximum(inside, 0.0))
            for sign in (1.0, -1.0):
                z = (-b + sign * root) / a
                y = origin[:, 1] + z * ray[1]
                good = (inside > 0) & (y >= low) & (y <= high)
                best = np.where(good & (z > best), z, best)
        if abs(ray[1]) > 1e-6:
            for end, radius in ((self.y0, self.a0), (self.y1, self.a1)):
                z = (end - origin[:, 1]) / ray[1]
                good = (qx + z * ex) ** 2 + (qz + z * ez) ** 2 <= radius * radius
                best = np.where(good & (z > best), z, best)
        return best

    def normal(self, point: Array) -> Array:
        """Outward normal (not normalised) at surface points [N,3], in bone coordinates."""
        slope = (self.a1 - self.a0) / (self.y1 - self.y0)
        x, z = point[:, 0] - self.shift[0], point[:, 2] - self.shift[1]
        width = self.a0 + slope * (point[:, 1] - self.y0)
        normal = np.stack([x, -slope * width, z / self.k**2], axis=1)
        for end, other in ((self.y0, self.y1), (self.y1, self.y0)):
            cap = (np.abs(point[:, 1] - end) < 1e-7) & (x**2 + (z / self.k) ** 2 < width**2 * 0.999)
            normal[cap] = (0.0, np.sign(end - other), 0.0)
        return normal


Part = Ellipsoid | Tube


@dataclass(frozen=True)
class Frame:
    """A bone's rigid frame: world = rotation [3,3] @ local + place [3]."""

    rotation: Array
    place: Array

    def world(self, point: Array) -> Array:
        """World positions [N,3] of local points [N,3]."""
        return point @ self.rotation.T + self.place


@dataclass(frozen=True)
class Hits:
    """What N rays see: part index (-1: nothing), local point [N,3], world depth z [N]."""

    part: NDArray[np.int64]
    point: Array
    z: Array


def cast(parts: list[Part], frames: dict[str, Frame], x: Array, y: Array) -> Hits:
    """Cast rays along -Z through world positions (x [N], y [N]) and keep the nearest surface."""
    part = np.full(x.shape, -1, dtype=np.int64)
    point, depth = np.zeros((*x.shape, 3)), np.full(x.shape, FAR)
    for index, shape in enumerate(parts):
        frame = frames[shape.bone]
        rotation, place = frame.rotation, frame.place
        low, high = shape.reach()
        centre = rotation @ ((low + high) / 2) + place
        half = np.abs(rotation) @ ((high - low) / 2) + 1e-6
        near = np.flatnonzero(
            (np.abs(x - centre[0]) <= half[0]) & (np.abs(y - centre[1]) <= half[1])
        )
        if not len(near):
            continue
        start = np.stack([x[near], y[near], np.zeros(len(near))], axis=1)
        origin = (start - place) @ rotation
        ray = rotation[2]
        z = shape.hit(origin, ray)
        seen = z > depth[near]
        rows = near[seen]
        depth[rows], part[rows] = z[seen], index
        point[rows] = origin[seen] + z[seen, None] * ray
    return Hits(part, point, depth)
