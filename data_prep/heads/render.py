"""Pictures of a head at a moment, its 68 landmarks, and the exact flow between two moments."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data_prep.heads.looks import Head, build, parts_shown
from data_prep.heads.mesh import Mesh, template
from data_prep.heads.paint import paint, sample
from data_prep.heads.raster import Array, Hits, cast, normals
from data_prep.heads.rig import Face, Rig
from data_prep.people.render import grid

DISTANCE = 70.0  # of the camera, centimetres
SAME = 1e-6  # centimetres: two depths of one surface point may differ by this much


@dataclass(frozen=True)
class Camera:
    """Where a head is in the picture: pixels per centimetre, and the eyes' middle (x, y)."""

    size: tuple[int, int]
    scale: float
    origin: tuple[float, float]

    def pixels(self, world: Array) -> Array:
        """Picture positions (x, y) [N,2] of world points [N,3]; pixel centres are whole numbers."""
        scale = self.scale * DISTANCE / (DISTANCE - world[:, 2])
        x, y = self.origin
        return np.stack([x + scale * world[:, 0], y - scale * world[:, 1]], axis=1)

    def framed(self, world: Array, margin: float = 0.03) -> "Camera":
        """The camera moved, and drawn back if it must be, until all world points [N,3] are seen.

        Args:
            world: what has to be seen, centimetres.
            margin: kept free along all edges, share of the picture's sides.
        """
        size, origin = np.array(self.size[::-1]), np.array(self.origin)
        spread = (self.pixels(world) - origin) / self.scale
        low, high = spread.min(0), spread.max(0)
        free = margin * size
        scale = min(self.scale, float(((size - 1 - 2 * free) / (high - low)).min()))
        origin = np.clip(origin, free - scale * low, size - 1 - free - scale * high)
        return replace(self, scale=scale, origin=(float(origin[0]), float(origin[1])))


class Actor:
    """A person before a camera: poses the mesh, draws, and finds correspondences.

    Args:
        head: who.
        camera: seen from where.
        room: what is behind [H*fine, W*fine, 3].
        fine: rays per pixel and axis, averaged.
        light: direction to the lamp [3].
    """

    def __init__(self, head: Head, camera: Camera, room: Array, fine: int, light: Array) -> None:
        self.camera, self.room, self.fine = camera, room, fine
        self.light = light / np.linalg.norm(light)
        self.mesh: Mesh = template()
        points, centres = build(self.mesh, head)
        self.rig = Rig(self.mesh, points, centres, 1 + head.shape["eye_size"])
        self.faces = self.mesh.faces[
            np.isin(self.mesh.part[self.mesh.faces[:, 0]], parts_shown(head))
        ]
        self.textures = paint(head, texels=float(np.clip(1.6 * camera.scale * fine / 2, 8, 32)))

    def pose(self, face: Face) -> "Moment":
        """The mesh at a moment."""
        world = self.rig.pose(face)
        return Moment(world, self.camera.pixels(world))

    def look(self, moment: "Moment", x: Array, y: Array) -> Hits:
        """What is seen at picture positions."""
        return cast(moment.seen, moment.world[:, 2], self.faces, x, y)

    def draw(self, moment: "Moment") -> NDArray[np.uint8]:
        """The picture [H,W,3], RGB."""
        height, width = self.camera.size
        hits = self.look(moment, *grid(self.camera.size, self.fine))
        out = self.room.reshape(-1, 3).copy()
        rows = np.flatnonzero(hits.triangle >= 0)
        corners, weights = self.faces[hits.triangle[rows]], hits.weights[rows]
        where = np.einsum("ij,ijk->ik", weights, self.mesh.where[corners])
        part = self.mesh.part[corners[:, 0]]
        colour = np.zeros((len(rows), 3))
        for index in np.unique(part):
            mine = part == index
            colour[mine] = sample(self.textures[index], where[mine])
        normal = np.einsum("ij,ijk->ik", weights, normals(moment.world, self.mesh.faces)[corners])
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
        lit = 0.6 + 0.36 * np.maximum(normal @ self.light, 0) + 0.14 * normal[:, 2]
        out[rows] = colour * lit[:, None]
        picture = out.reshape(height, self.fine, width, self.fine, 3).mean(axis=(1, 3))
        return np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8)

    def landmarks(self, moment: "Moment") -> NDArray[np.float32]:
        """The 68 landmarks [68,2] as (x, y) pixels."""
        return moment.seen[:68].astype(np.float32)

    def truth(self, source: "Moment", target: "Moment") -> "Truth":
        """Where what each target pixel's centre sees lies in the source, and if it shows there."""
        height, width = self.camera.size
        x, y = grid(self.camera.size)
        hits = self.look(target, x, y)
        seen = np.flatnonzero(hits.triangle >= 0)
        corners, weights = self.faces[hits.triangle[seen]], hits.weights[seen]
        found = np.einsum("ij,ijk->ik", weights, source.seen[corners])
        depth = np.einsum("ij,ij->i", weights, source.world[corners, 2])
        back = self.look(source, found[:, 0], found[:, 1])
        shows = np.abs(back.near - depth) < SAME
        inside = (found > -SAME) & (found < np.array([width - 1, height - 1]) + SAME)
        shows &= inside.all(1)
        flow, visible = np.zeros((2, height * width), np.float32), np.zeros(height * width, bool)
        kept = seen[shows]
        visible[kept] = True
        flow[0, kept], flow[1, kept] = found[shows, 0] - x[kept], found[shows, 1] - y[kept]
        return Truth(
            flow.reshape(2, height, width),
            visible.reshape(height, width),
            (hits.triangle >= 0).reshape(height, width),
        )


@dataclass(frozen=True)
class Moment:
    """A posed mesh: world points [V,3] (centimetres) and their picture positions [V,2]."""

    world: Array
    seen: Array


@dataclass(frozen=True)
class Truth:
    """Exact correspondence: flow [2,H,W] (dx, dy) in pixels from a target pixel to its place in the
    source (0 where not visible), masks `visible` and `foreground` [H,W].
    """

    flow: NDArray[np.float32]
    visible: NDArray[np.bool_]
    foreground: NDArray[np.bool_]
