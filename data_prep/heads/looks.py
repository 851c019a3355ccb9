"""Identities: a random person's shape, colours, hair and clothes."""

from dataclasses import dataclass

import numpy as np

from data_prep.heads.mesh import PARTS, Mesh
from data_prep.heads.raster import Array
from data_prep.heads.surface import bump, step
from data_prep.people.looks import CLOTHS, HAIRS, SKINS
from data_prep.people.textures import Cloth, Colour

IRISES: tuple[Colour, ...] = (
    (0.24, 0.14, 0.08),
    (0.36, 0.22, 0.10),
    (0.35, 0.42, 0.25),
    (0.30, 0.47, 0.62),
    (0.42, 0.50, 0.52),
)
BEARDS = ("none", "stubble", "full", "goatee", "moustache")
CUTS = ("bald", "buzz", "short", "parted", "fringe", "big", "long")
SPREAD = {
    "width": 0.045,
    "jaw": 0.07,
    "brow_width": 0.04,
    "long": 0.06,
    "deep": 0.05,
    "eyes_apart": 0.2,
    "eye_size": 0.12,
    "eye_slant": 0.09,
    "brow_height": 0.22,
    "nose_wide": 0.2,
    "nose_long": 0.25,
    "nose_out": 0.45,
    "mouth_wide": 0.1,
    "lips": 0.22,
    "mouth_height": 0.2,
    "chin": 0.35,
    "cheeks": 0.25,
}


@dataclass(frozen=True)
class Head:
    """One person.

    Attributes:
        shape: strength of each change of `SPREAD`.
        cut: one of `CUTS`; `hairline` is the height of its front, centimetres.
        volume: thickness of the hair, centimetres.
        beard: one of `BEARDS`.
        marks: seed of moles, wrinkles and strands.
    """

    shape: dict[str, float]
    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    cut: str
    hairline: float
    volume: float
    beard: str
    brows: float
    make_up: float
    cloth: Cloth
    marks: int


def make_head(rng: np.random.Generator) -> Head:
    """Draw a person."""
    shape = {k: float(np.clip(rng.normal(), -1.8, 1.8) * v) for k, v in SPREAD.items()}
    skin = _near(rng, SKINS, 0.03)
    grey = rng.random() < 0.12
    common = HAIRS[:3] if skin[0] < 0.6 else HAIRS[:-1]
    tint = np.array(_near(rng, HAIRS[-1:] if grey else common, 0.02))
    red, green, blue = (float(v) for v in 0.75 * tint + 0.22 * tint.mean())
    cut = str(rng.choice(CUTS, p=[0.08, 0.1, 0.24, 0.16, 0.12, 0.1, 0.2]))
    volume = {"bald": 0.0, "buzz": 0.15, "big": 2.4, "long": 1.0}.get(cut, 0.8)
    made_up = rng.random() < (0.6 if cut in ("long", "fringe") else 0.15)
    beard = "none" if made_up else str(rng.choice(BEARDS, p=[0.5, 0.2, 0.12, 0.08, 0.1]))
    rose = np.array((0.72, 0.25, 0.27)) if made_up else np.array((0.68, 0.34, 0.32))
    mix = rng.uniform(0.55, 0.9) if made_up else rng.uniform(0.42, 0.6)
    lip = (1 - mix) * 0.9 * np.array(skin) + mix * rose * (0.5 + 0.5 * skin[0])
    names = ("plain", "hstripes", "vstripes", "checks", "dots", "diagonal")
    chosen = rng.permutation(len(CLOTHS))[:3]
    cloth = Cloth(str(rng.choice(names)), tuple(CLOTHS[i] for i in chosen), rng.uniform(0.05, 0.12))
    return Head(
        shape,
        skin,
        (red, green, blue),
        _near(rng, IRISES, 0.03),
        (float(lip[0]), float(lip[1]), float(lip[2])),
        cut,
        float(rng.uniform(4.3, 5.2) if cut == "fringe" else rng.uniform(6.2, 8.0)),
        volume * float(rng.uniform(0.8, 1.3)),
        beard,
        float(rng.uniform(0.75, 1.3)),
        float(made_up),
        cloth,
        int(rng.integers(2**31)),
    )


def _near(rng: np.random.Generator, colours: tuple[Colour, ...], spread: float) -> Colour:
    colour = np.array(colours[rng.integers(len(colours))]) * (1 + 2 * spread * rng.normal())
    colour += rng.normal(0, 0.3 * spread, 3)
    red, green, blue = (float(v) for v in np.clip(colour, 0.02, 0.98))
    return red, green, blue


def warp(points: Array, shape: dict[str, float]) -> Array:
    """Template points [N,3] as this person's, without hair."""
    x, y, z = points.T.copy()
    s, side, sign = shape, np.abs(x), np.sign(x)
    front = step(z / 8.0)
    dx = x * (s["width"] + s["jaw"] * step((-5.5 - y) / 7) * step((y + 17) / 4))
    dx += x * s["brow_width"] * step((y - 4) / 6)
    dy, dz = y * s["long"] * step((y + 15) / 6), z * s["deep"]
    eye = front * bump(side, y, 3.2, 0.8, 2.0, 1.9)
    dx += sign * eye * (s["eyes_apart"] + (side - 3.2) * s["eye_size"])
    dy += eye * (y * s["eye_size"] + (side - 3.2) * s["eye_slant"])
    dy += front * s["brow_height"] * bump(side, y, 3.8, 2.5, 2.4, 0.8)
    nose = front * bump(x, y, 0, -4.3, 1.7, 1.1)
    dx += x * s["nose_wide"] * nose
    dy -= s["nose_long"] * front * bump(x, y, 0, -4.3, 1.9, 1.3)
    dz += s["nose_out"] * front * bump(x, y, 0, -3.4, 1.0, 1.7)
    mouth = front * bump(x, y, 0, -7.0, 3.0, 1.2)
    dx += x * s["mouth_wide"] * mouth
    dy += ((y + 6.95) * s["lips"] + s["mouth_height"]) * mouth
    dz += s["chin"] * front * bump(x, y, 0, -10.3, 2.2, 1.4)
    dx += sign * s["cheeks"] * front * bump(side, y, 5.5, -3.8, 1.6, 2.2)
    return points + np.stack([dx, dy, dz], axis=1)


def hairline(azimuth: Array, head: Head) -> Array:
    """Height [N], centimetres, at which the hair begins."""
    top = head.hairline
    angles = np.radians([0, 25, 42, 56, 64, 71, 78, 84, 88, 104, 114, 128, 180])
    low = -3.0 if head.cut in ("long", "big") else -1.6
    heights = [top, top, top - 0.8, 4.4, 2.2, low, low - 0.3, low, 1.6, 1.4, -3.0, -6.5, -8.0]
    if head.cut == "parted":
        heights[0] += 0.3
    return np.interp(np.abs(azimuth), angles, heights)


def build(mesh: Mesh, head: Head) -> tuple[Array, Array]:
    """A person's neutral points [V,3] and eyeballs' centres [2,3]."""
    points = warp(mesh.points, head.shape)
    centres = warp(mesh.eye_centre, head.shape)
    eyes = mesh.of("eyes")
    right = mesh.points[eyes, 0] < 0
    for mask, old, new in zip((right, ~right), mesh.eye_centre, centres, strict=True):
        points[eyes[mask]] = mesh.points[eyes[mask]] - old + new
    skin = mesh.of("skin")
    azimuth = (mesh.where[skin, 0] - 0.5) * 2 * np.pi
    y = mesh.points[skin, 1]
    rng = np.random.default_rng(head.marks)
    phase, lean = rng.uniform(0, 2 * np.pi, 3), rng.uniform(-1, 1)
    wave = 1 + 0.18 * np.sin(3 * azimuth + phase[0]) + 0.1 * np.sin(7 * azimuth + y + phase[1])
    if head.cut == "parted":
        wave = wave + 0.5 * lean * np.sin(azimuth)
    above = y - hairline(azimuth, head)
    thick = head.volume * wave * step(above / 1.6 - 0.5) * (1 + 0.25 * step((y - 6) / 6))
    out = points[skin] - np.array([0.0, 1.0, -0.5])
    out[:, 1] = np.maximum(out[:, 1], 0.0)
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    points[skin] += out * thick[:, None]
    return points, centres


def parts_shown(head: Head) -> tuple[int, ...]:
    """Indices of the mesh's parts that this person has."""
    return tuple(i for i, name in enumerate(PARTS) if name != "mane" or head.cut == "long")
