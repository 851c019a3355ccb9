"""Textures: skin with brows, lips, lids and beard; eyeballs, mouth, ears, hair, cloth; rooms."""

import numpy as np
from PIL import Image

from data_prep.heads import surface as face
from data_prep.heads.looks import Head, hairline
from data_prep.heads.mesh import PARTS
from data_prep.heads.raster import Array
from data_prep.people.textures import Colour

# Sizes (height, width) in centimetres of the parts' textures.
_SIZES = {"skin": (36, 45), "eyes": (6, 6), "mouth": (10, 6), "ears": (6, 8), "mane": (26, 34)}
_SIZES |= {"bust": (24, 50), "lining": (1, 1)}


def paint(head: Head, texels: float) -> list[Array]:
    """One texture [h,w,3], RGB in [0, 1], per part of the mesh; `texels` per centimetre."""
    rng = np.random.default_rng(head.marks)
    painters = {
        "skin": _skin,
        "eyes": _eyes,
        "mouth": _mouth,
        "ears": _ears,
        "mane": _mane,
        "bust": _bust,
        "lining": _lining,
    }
    out = []
    for part in PARTS:
        rows, columns = (max(8, round(n * texels)) for n in _SIZES[part])
        v, u = ((np.arange(n) + 0.5) / n for n in (rows, columns))
        colour = painters[part](head, rng, *np.meshgrid(u, v))
        out.append(np.clip(colour, 0, 1))
    return out


def sample(texture: Array, where: Array) -> Array:
    """Bilinear colours [N,3] at places [N,2] (u, v) of a texture."""
    rows, columns = texture.shape[:2]
    x = np.clip(where[:, 0] * columns - 0.5, 0, columns - 1.001)
    y = np.clip(where[:, 1] * rows - 0.5, 0, rows - 1.001)
    left, top = x.astype(int), y.astype(int)
    a, b = (x - left)[:, None], (y - top)[:, None]
    flat, at = texture.reshape(-1, 3), top * columns + left
    upper = (1 - a) * flat[at] + a * flat[at + 1]
    return (1 - b) * upper + b * ((1 - a) * flat[at + columns] + a * flat[at + columns + 1])


def noise(rng: np.random.Generator, shape: tuple[int, ...], cells: tuple[int, int]) -> Array:
    """Smooth noise [h,w] of standard deviation about 0.6 with `cells` (rows, columns) knots."""
    knots = Image.fromarray(rng.normal(size=cells).astype(np.float32))
    return np.asarray(knots.resize(shape[::-1], Image.Resampling.BICUBIC), float)


def backdrop(rng: np.random.Generator, size: tuple[int, int]) -> Array:
    """A room out of focus [H,W,3]: wall, boards, frames, lamps."""
    height, width = size
    y, x = np.mgrid[:height, :width] / max(size)
    base, other = (_muted(rng, 0.2, 0.85) for _ in range(2))
    angle = rng.uniform(0, 2 * np.pi)
    mix = np.clip(0.5 + 0.8 * (np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5)), 0, 1)
    out = (1 - mix[..., None]) * base + mix[..., None] * other
    if rng.random() < 0.4:
        pitch = rng.uniform(0.05, 0.16)
        lines = (x if rng.random() < 0.6 else y) / pitch + rng.uniform()
        out += 0.08 * np.sign(np.sin(2 * np.pi * lines))[..., None] * rng.uniform(0.4, 1.4, 3)
    for _ in range(rng.integers(2, 8)):
        cx, cy, w, h = (
            rng.uniform(-0.05, 1.05),
            rng.uniform(-0.05, 1.05),
            *rng.uniform(0.05, 0.3, 2),
        )
        inside = (np.abs(x - cx) < w / 2) & (np.abs(y - cy) < h / 2)
        if rng.random() < 0.3:
            inside = ((x - cx) / w) ** 2 + ((y - cy) / h) ** 2 < 0.2
        out[inside] = 0.25 * out[inside] + 0.75 * _muted(rng, 0.05, 0.95)
    out += 0.035 * noise(rng, (height, width), (9, 9))[..., None]
    return np.clip(out, 0, 1)


def _muted(rng: np.random.Generator, low: float, high: float) -> Array:
    """A colour [3] that is nearer to grey than a random one."""
    colour = rng.uniform(low, high, 3)
    return 0.45 * colour + 0.55 * colour.mean()


def _over(out: Array, colour: Colour | Array, alpha: Array) -> None:
    """Lay a colour over a texture with opacity alpha [h,w]."""
    out += alpha[..., None] * (np.asarray(colour) - out)


def _strands(rng: np.random.Generator, colour: Colour, shape: tuple[int, int]) -> Array:
    """Hair that runs down a texture [h,w,3]."""
    tone = 0.2 * noise(rng, shape, (5, max(8, shape[1] // 3))) + 0.13 * noise(rng, shape, (6, 14))
    return np.clip(np.array(colour) * (1 + tone[..., None]) + 0.03 + 0.03 * tone[..., None], 0, 1)


def _skin(head: Head, rng: np.random.Generator, u: Array, v: Array) -> Array:
    azimuth, row = (u - 0.5) * 2 * np.pi, v * face.ROWS
    place = face.surface(azimuth.ravel(), row.ravel())
    x, y = place[:, 0].reshape(u.shape), place[:, 1].reshape(u.shape)
    skin, shape = np.array(head.skin), u.shape
    tone = 0.035 * noise(rng, shape, (14, 18)) + 0.02 * noise(rng, shape, (60, 75))
    out = skin * (1 + tone[..., None])
    ahead = (np.cos(azimuth) > 0.05) & (row < 1.25)
    side = np.where(ahead, np.abs(x), 50.0)
    xf = np.where(ahead, x, 50.0)
    flush = skin * np.array((1.02, 0.8, 0.77))
    red = 0.4 * face.bump(side, y, 4.3, -3.2, 1.7, 1.3) + 0.4 * face.bump(xf, y, 0, -3.8, 0.9, 0.8)
    _over(out, flush, np.clip(red * (1 + 0.6 * head.make_up), 0, 1))
    _over(out, 0.62 * skin, 0.5 * face.bump(side, y, 2.4, 0.3, 1.5, 0.85))
    _over(out, 0.6 * skin, 0.4 * face.bump(side, y, 1.9, -4.3, 0.28, 0.5))
    fold = np.abs(side - 2.15 - 0.42 * (-4.6 - y)) / 0.16
    _over(out, 0.6 * skin, 0.3 * np.exp(-(fold**2)) * ((y < -4.3) & (y > -6.6)))
    _over(out, 0.7 * skin, 0.4 * face.bump(xf, y, 0, -8.9, 1.3, 0.25))
    for height in (4.4, 5.3):
        wrinkle = np.abs(y - height - 0.15 * np.cos(xf)) / 0.1
        _over(out, 0.75 * skin, rng.uniform(0, 0.35) * np.exp(-(wrinkle**2)) * (side < 3.5))
    for _ in range(rng.integers(0, 5)):
        mx, my, size = rng.uniform(-5.5, 5.5), rng.uniform(-9, 6), rng.uniform(0.08, 0.15)
        _over(out, 0.45 * skin, 0.7 * face.bump(xf, y, mx, my, size, size))
    _beard(out, head, rng, xf, y, row)
    _features(out, head, rng, xf, y)
    above = y - hairline(azimuth, head) + 0.35 * noise(rng, shape, (30, 120))
    if head.cut == "buzz":
        _over(out, 0.8 * np.array(head.hair), 0.7 * np.clip(above / 0.8 + 0.3, 0, 1))
    elif head.cut != "bald":
        alpha = np.clip(above / 0.3 + 0.5, 0, 1)
        out += alpha[..., None] * (_strands(rng, head.hair, shape) - out)
    out[v > 0.93] *= 0.8
    return out


def _beard(
    out: Array, head: Head, rng: np.random.Generator, x: Array, y: Array, row: Array
) -> None:
    side = np.abs(x)
    cheek = [(0, -8.65), (1.7, -8.6), (2.4, -7.8), (3.0, -6.3), (4.4, -5.4), (5.6, -3.8), (6.4, -1)]
    line = np.interp(side, *zip(*cheek, strict=True))
    fray = 0.22 * noise(rng, x.shape, (70, 110))
    jaw = face.step((line - y + fray) / 0.9) * face.step((1.13 - row) / 0.12) * (side < 20)
    above = y - face.LIP_UP(x)
    lip = face.step((0.95 - 0.16 * side - above + fray) / 0.5) * face.step((above + 0.9) / 0.4)
    lip *= face.step((2.95 - side + fray) / 0.6)
    chin = jaw * face.step((2.1 - side + fray) / 0.8)
    cover = {
        "none": 0 * x,
        "stubble": 0.33 * np.maximum(jaw, lip),
        "full": 0.93 * np.maximum(jaw, lip),
        "goatee": 0.9 * np.maximum(chin, lip),
        "moustache": 0.93 * lip,
    }[head.beard]
    tone = 0.8 * (1 + 0.2 * noise(rng, x.shape, (80, 130)))
    colour = np.minimum(np.array(head.hair), 0.85 * np.array(head.skin))  # never lost on the skin
    out += cover[..., None] * (tone[..., None] * colour - out)


def _features(out: Array, head: Head, rng: np.random.Generator, x: Array, y: Array) -> None:
    """Lips, nostrils, lids and brows."""
    side, skin = np.abs(x), np.array(head.skin)
    wide = face.LIPS[0][0]
    edge = 9.0  # how sharp an outline is, per centimetre
    up, low = face.LIP_UP(x), face.LIP_LOW(x)
    inside = np.minimum(np.minimum(up - y, y - low), (wide - side) * 0.5)
    lips = np.array(head.lips) * (1 + 0.1 * noise(rng, x.shape, (6, 160))[..., None])
    middle = (face.MOUTH_UP(x) + face.MOUTH_LOW(x)) / 2
    lips = np.where((y > middle)[..., None], 0.86 * lips, lips * 1.06)
    alpha = np.clip(inside * edge + 0.5, 0, 1)
    out += alpha[..., None] * (lips - out)
    seam = np.minimum(np.abs(y - face.MOUTH_UP(x)), np.abs(y - face.MOUTH_LOW(x)))
    _over(out, 0.35 * np.array(head.lips), 0.75 * np.clip(1.2 - seam / 0.1, 0, 1) * (side < 2.45))
    _over(out, 0.22 * skin, 0.9 * np.clip(2.2 * face.bump(side, y, 0.75, -4.72, 0.3, 0.17), 0, 1))
    eye_in, eye_out = face.EYE[3][0], face.EYE[0][0]
    within = np.clip((side - eye_in + 0.12) * 8, 0, 1) * np.clip((eye_out + 0.2 - side) * 8, 0, 1)
    above, below = y - face.LID_UP(side), face.LID_LOW(side) - y
    lash = np.clip(1.25 - np.abs(above - 0.05) / (0.11 + 0.06 * head.make_up), 0, 1) * (
        above > -0.3
    )
    _over(out, (0.09, 0.06, 0.05), 0.9 * lash * within)
    _over(out, 0.5 * skin, 0.7 * np.clip(1.2 - np.abs(below - 0.03) / 0.09, 0, 1) * within)
    shade = np.array((0.45, 0.33, 0.42)) * skin
    _over(out, shade, 0.55 * head.make_up * np.exp(-(((above - 0.4) / 0.4) ** 2)) * within)
    _over(out, 0.6 * skin, 0.5 * np.exp(-(((above - 0.62) / 0.09) ** 2)) * within)
    line = face.BROW_LINE(side)
    along = np.clip((side - face.BROW[-1][0]) / (face.BROW[0][0] - face.BROW[-1][0]), 0, 1)
    half = head.brows * (0.34 - 0.22 * along) * np.clip(1.15 - np.abs(along - 0.5) * 0.3, 0, 1)
    ends = np.clip((side - 1.3) * 5, 0, 1) * np.clip((6.15 - side) * 4, 0, 1)
    brow = np.clip((half - np.abs(y - line)) * 7 + 0.5, 0, 1) * ends
    hairs = 0.86 + 0.14 * np.sign(noise(rng, x.shape, (40, 220)))
    colour = np.minimum(0.75 * np.array(head.hair), 0.6 * skin)
    _over(out, colour, np.clip(brow * hairs, 0, 1))


def _eyes(head: Head, rng: np.random.Generator, u: Array, v: Array) -> Array:
    """An eyeball's front seen along its axis; the iris is a disc about the middle."""
    across, up = np.radians(130) * (u - 0.5), np.radians(130) * (0.5 - v)
    x, y = np.sin(across) * np.cos(up), np.sin(up)
    r = np.hypot(x, y) * 1.75
    out = np.full((*u.shape, 3), 0.93) * np.array((1.0, 0.975, 0.96))
    out *= (1 - 0.28 * np.clip((r - 0.9) / 0.7, 0, 1) - 0.12 * face.step((y - 0.1) / 0.5))[
        ..., None
    ]
    iris = np.array(head.iris) * (1 + 0.25 * np.sin(11 * np.arctan2(y, x)))[..., None]
    out += np.clip((0.66 - r) * 14, 0, 1)[..., None] * (0.35 * iris - out)
    out += np.clip((0.58 - r) * 14, 0, 1)[..., None] * (iris - out)
    _over(out, (0.02, 0.02, 0.02), np.clip((0.29 - r) * 16, 0, 1))
    glint = np.hypot(x * 1.75 + 0.2, y * 1.75 - 0.22)
    _over(out, (1.0, 1.0, 1.0), np.clip((0.16 - glint) * 16, 0, 1))
    return out


def _mouth(head: Head, rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Cavity with tongue (v below 0.5), upper and lower teeth."""
    out = np.zeros((*u.shape, 3)) + np.array((0.2, 0.05, 0.06))
    _over(out, (0.62, 0.27, 0.28), np.clip(1.3 * face.bump(u, v, 0.5, 0.42, 0.16, 0.07), 0, 0.95))
    tooth = u * 11 + 0.5
    gap = np.abs(tooth - np.round(tooth)) < 0.06
    white = np.array((0.93, 0.91, 0.85)) * (1 - 0.35 * np.abs(u - 0.5)[..., None])
    white = np.where(gap[..., None], 0.62 * white, white)
    white = np.where(((v > 0.5) & (v < 0.57))[..., None], (0.72, 0.4, 0.4), white)
    return np.where((v >= 0.5)[..., None], white, out)


def _ears(head: Head, rng: np.random.Generator, u: Array, v: Array) -> Array:
    skin = np.array(head.skin)
    out = np.tile(skin * np.array((1.0, 0.9, 0.87)), (*u.shape, 1))
    around = np.abs(np.abs(u - 0.5) - 0.25)
    inner = np.clip(1.4 - np.hypot(around / 0.13, (v - 0.5) / 0.27), 0, 1)
    _over(out, 0.55 * skin, inner * 0.8)
    return out


def _mane(head: Head, rng: np.random.Generator, u: Array, v: Array) -> Array:
    return _strands(rng, head.hair, u.shape)


def _bust(head: Head, rng: np.random.Generator, u: Array, v: Array) -> Array:
    around, down = (u - 0.5) * 50, v * 24
    point = np.stack([np.sin(around / 25), -down / 40, np.cos(around / 25)], -1).reshape(-1, 3)
    out = head.cloth.paint(point, 0.55).reshape(*u.shape, 3)
    neck = np.hypot(around / 14, down / 9)
    _over(out, 0.85 * np.array(head.skin), np.clip((0.5 - neck) * 14, 0, 1))
    return out * (1 + 0.05 * noise(rng, u.shape, (8, 16))[..., None])


def _lining(head: Head, rng: np.random.Generator, u: Array, v: Array) -> Array:
    eye = np.array((0.85, 0.55, 0.5)) * (0.4 + 0.6 * np.array(head.skin))
    inner = np.array(head.lips) * np.array((0.75, 0.5, 0.55))
    return np.where((u < 0.5)[..., None], eye, inner) * (1 - 0.6 * v[..., None])
