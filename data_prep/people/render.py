"""Pictures of a person, joints as an annotator would write them, and the exact flow of a pair."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_prep.people.looks import Person
from data_prep.people.shapes import Array, Frame, Hits, cast
from data_prep.people.skeleton import FACE, Pose, anchors, face_shown, joints, place

LIGHT = np.array([-0.38, 0.5, 0.78]) / np.linalg.norm([-0.38, 0.5, 0.78])
AROUND = {
    "arm": ("torso",),
    "thigh": ("pelvis", "torso"),
    "shin": ("pelvis",),
}  # bone: what covers it
SAME = 0.004  # body heights: two depths of one surface point may differ by this much
# Body heights: a joint with this much of another part before it counts as hidden; more is needed of
# the parts that always surround it (a hip lies within the pelvis, a knee within a skirt).
DEEP, DEEP_WITHIN = 0.05, 0.12


@dataclass(frozen=True)
class Backdrop:
    """A soft vertical gradient with a contact shadow; colours RGB in [0, 1]."""

    top: tuple[float, float, float]
    bottom: tuple[float, float, float]
    shadow: float = 0.16


@dataclass(frozen=True)
class Scene:
    """A person in a pose before a camera.

    Attributes:
        person: who.
        frames: the bones' frames in world units (body heights).
        size: (H, W) of the picture, pixels.
        scale: pixels per body height.
        origin: picture position (x, y) of the world's origin; pixel centres are whole numbers.
    """

    person: Person
    frames: dict[str, Frame]
    size: tuple[int, int]
    scale: float
    origin: tuple[float, float]

    def pixels(self, world: Array) -> Array:
        """Picture positions (x, y) [N,2] of world points [N,3]."""
        x, y = self.origin
        return np.stack([x + self.scale * world[:, 0], y - self.scale * world[:, 1]], axis=1)

    def look(self, x: Array, y: Array) -> Hits:
        """What is seen at picture positions x [N], y [N]."""
        cx, cy = self.origin
        return cast(self.person.parts, self.frames, (x - cx) / self.scale, (cy - y) / self.scale)


def make_scene(
    person: Person,
    pose: Pose,
    size: tuple[int, int],
    shift: tuple[float, float] = (0.0, 0.0),
    zoom: float = 1.0,
) -> Scene:
    """Set up a scene that shows the whole standing person; `shift` (x, y) is in pixels."""
    height, width = size
    scale = min(0.9 * height, 1.42 * width) * person.body.height * zoom
    origin = ((width - 1) / 2 + shift[0], 0.955 * height - 0.5 + shift[1])
    return Scene(person, place(person.body, pose), size, scale, origin)


def grid(size: tuple[int, int], fine: int = 1) -> tuple[Array, Array]:
    """Picture positions x, y [H*fine*W*fine] of all (sub)pixel centres, row by row."""
    ys, xs = ((np.arange(n * fine) + 0.5) / fine - 0.5 for n in size)
    y, x = np.meshgrid(ys, xs, indexing="ij")
    return x.ravel(), y.ravel()


def draw(scene: Scene, backdrop: Backdrop, shade: float = 1.0, fine: int = 3) -> NDArray[np.uint8]:
    """The picture [H,W,3], RGB.

    Args:
        scene: who, where.
        backdrop: what is behind.
        shade: strength of the shading, which depends on the view; 0 paints the textures alone.
        fine: rays per pixel and axis, averaged.
    """
    height, width = scene.size
    x, y = grid(scene.size, fine)
    out = _behind(scene, backdrop, x, y)
    hits = scene.look(x, y)
    for index in np.unique(hits.part[hits.part >= 0]):
        rows = np.flatnonzero(hits.part == index)
        part, point = scene.person.parts[index], hits.point[rows]
        low, high = part.reach()
        material = scene.person.materials[part.material]
        colour = material.paint(point, float(high[0] - low[0]) / 2)
        normal = part.normal(point) @ scene.frames[part.bone].rotation.T
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
        light = 0.66 + 0.3 * np.maximum(0.0, normal @ LIGHT) + 0.12 * normal[:, 2]
        out[rows] = colour * (1.0 + shade * (light - 1.0))[:, None]
    picture = out.reshape(height, fine, width, fine, 3).mean(axis=(1, 3))
    return np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8)


def _behind(scene: Scene, backdrop: Backdrop, x: Array, y: Array) -> Array:
    height, _ = scene.size
    mix = np.clip((y + 0.5) / height, 0, 1)[:, None]
    out = (1 - mix) * np.array(backdrop.top) + mix * np.array(backdrop.bottom)
    feet = np.stack([scene.frames["foot" + side].place for side in "RL"])
    for cx, cy in scene.pixels(feet - np.array([0.0, 0.03, 0.0])):
        r2 = ((x - cx) / (0.09 * scene.scale)) ** 2 + ((y - cy) / (0.03 * scene.scale)) ** 2
        out *= 1.0 - backdrop.shadow * np.exp(-r2)[:, None]
    return out


@dataclass(frozen=True)
class Truth:
    """Exact correspondence of a pair: flow [2,H,W] in pixels, three masks [H,W].

    The flow is (dx, dy) from a target pixel to its place in the source; 0 where not visible.
    """

    flow: NDArray[np.float32]
    visible: NDArray[np.bool_]
    foreground: NDArray[np.bool_]
    source_foreground: NDArray[np.bool_]


def pair_truth(source: Scene, target: Scene) -> Truth:
    """Where the surface seen at each target pixel's centre lies in the source, and if it shows.

    A point shows when the source's ray through its exact place meets that very surface (same bone,
    depth within `SAME`), inside the picture.
    """
    height, width = target.size
    x, y = grid(target.size)
    hits = target.look(x, y)
    seen = np.flatnonzero(hits.part >= 0)
    world = np.zeros((len(seen), 3))
    bones = np.array([part.bone for part in target.person.parts])
    for bone in np.unique(bones[hits.part[seen]]):
        rows = bones[hits.part[seen]] == bone
        world[rows] = source.frames[str(bone)].world(hits.point[seen[rows]])
    found = source.pixels(world)
    back = source.look(found[:, 0], found[:, 1])
    shows = (back.part >= 0) & (bones[back.part] == bones[hits.part[seen]])
    shows &= np.abs(back.z - world[:, 2]) < SAME
    rows_, columns = source.size
    shows &= (found >= 0).all(1) & (found[:, 0] <= columns - 1) & (found[:, 1] <= rows_ - 1)
    flow = np.zeros((2, height * width), np.float32)
    visible = np.zeros(height * width, bool)
    kept = seen[shows]
    visible[kept] = True
    flow[0, kept], flow[1, kept] = found[shows, 0] - x[kept], found[shows, 1] - y[kept]
    return Truth(
        flow.reshape(2, height, width),
        visible.reshape(height, width),
        (hits.part >= 0).reshape(height, width),
        (source.look(*grid(source.size)).part >= 0).reshape(source.size),
    )


def annotate(
    scene: Scene, rng: np.random.Generator | None = None, miss: float = 0.5
) -> tuple[Array, NDArray[np.bool_]]:
    """Joints [18,2] as (x, y) pixels, and which a detector would find [18].

    Face joints are missed when the head looks away, all joints outside the picture; a joint deep
    behind another part is missed at the rate `miss` when `rng` is given.
    """
    height, width = scene.size
    world = joints(scene.person.body, scene.frames)
    points = scene.pixels(world)
    limit = np.array([width - 0.5, height - 0.5])
    shown = ((points >= -0.5) & (points < limit)).all(axis=1)
    for name, seen in face_shown(scene.frames).items():
        shown[FACE[name]] &= seen
    if rng is not None:
        hits = scene.look(points[:, 0], points[:, 1])
        bones = [part.bone for part in scene.person.parts]
        lost = rng.random(len(points)) < miss
        for j, (bone, _) in enumerate(anchors(scene.person.body)):
            before = bones[hits.part[j]] if hits.part[j] >= 0 else bone
            if j == 1 or before == bone:  # a detector reports the neck from the shoulders
                continue
            within = before in AROUND.get(bone[:-1], ()) or before[-1:] == bone[-1:]
            deep = hits.z[j] - world[j, 2] > (DEEP_WITHIN if within else DEEP)
            shown[j] &= not (lost[j] and deep)
    return points, shown
