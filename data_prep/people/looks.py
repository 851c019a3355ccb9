"""Identities: a random person's proportions, clothes and colours, and the parts made of them."""

from dataclasses import dataclass, replace

import numpy as np

from data_prep.people.shapes import Ellipsoid, Part, Tube
from data_prep.people.skeleton import SIDES, Proportions
from data_prep.people.textures import (
    DARK,
    WHITE,
    Cloth,
    Colour,
    Face,
    Hair,
    Material,
    Shoe,
    Top,
    moved,
    plain,
)

SKINS: tuple[Colour, ...] = (
    (0.98, 0.85, 0.76),
    (0.95, 0.78, 0.66),
    (0.89, 0.70, 0.55),
    (0.80, 0.60, 0.44),
    (0.68, 0.47, 0.33),
    (0.53, 0.35, 0.24),
    (0.40, 0.26, 0.18),
)
HAIRS: tuple[Colour, ...] = (
    (0.09, 0.07, 0.07),
    (0.18, 0.11, 0.07),
    (0.35, 0.21, 0.11),
    (0.55, 0.33, 0.15),
    (0.85, 0.68, 0.36),
    (0.70, 0.28, 0.12),
    (0.62, 0.61, 0.60),
)
CLOTHS: tuple[Colour, ...] = (
    (0.82, 0.13, 0.15),
    (0.95, 0.45, 0.12),
    (0.97, 0.80, 0.20),
    (0.35, 0.62, 0.22),
    (0.08, 0.42, 0.30),
    (0.10, 0.60, 0.62),
    (0.33, 0.65, 0.90),
    (0.13, 0.27, 0.66),
    (0.10, 0.13, 0.30),
    (0.46, 0.24, 0.60),
    (0.92, 0.45, 0.62),
    (0.70, 0.10, 0.38),
    (0.45, 0.28, 0.16),
    (0.78, 0.66, 0.48),
    (0.93, 0.91, 0.86),
    (0.55, 0.56, 0.58),
    (0.24, 0.25, 0.28),
    (0.12, 0.12, 0.13),
)
BOTTOMS: tuple[Colour, ...] = (
    (0.16, 0.22, 0.40),
    (0.35, 0.47, 0.66),
    (0.12, 0.12, 0.14),
    (0.72, 0.62, 0.46),
    (0.36, 0.37, 0.26),
    (0.42, 0.42, 0.45),
    (0.48, 0.16, 0.18),
)
KINDS = (
    "plain",
    "hstripes",
    "vstripes",
    "checks",
    "dots",
    "diagonal",
    "gradient",
    "blocks",
    "argyle",
)
HAIR_STYLES = ("short", "crop", "bob", "long", "bun", "tail", "curly", "cap", "bald")
LOWERS = ("trousers", "trousers", "trousers", "jeans", "jeans", "shorts", "skirt", "dress")
LOGOS = ("disc", "ring", "box", "cross", "star", "chevron")


@dataclass(frozen=True)
class Person:
    """An identity: proportions, body parts, and the materials that the parts name."""

    body: Proportions
    parts: list[Part]
    materials: dict[str, Material]


def make_person(rng: np.random.Generator) -> Person:
    """Draw an identity."""
    u = rng.uniform
    slim = u(0.84, 1.2)
    body = Proportions(
        shoulder=u(0.108, 0.13),
        hip=u(0.05, 0.06),
        spine=u(0.255, 0.29),
        upper_arm=u(0.15, 0.17),
        forearm=u(0.13, 0.148),
        thigh=u(0.215, 0.25),
        shin=u(0.21, 0.24),
        girth=slim,
        waist=u(0.074, 0.092) * slim,
        chest=u(0.095, 0.108) * slim**0.5,
        hips=u(0.088, 0.1) * slim**0.7,
        head=u(0.93, 1.12),
        height=u(0.9, 1.0),
    )
    skin = SKINS[rng.integers(len(SKINS))]
    parts: list[Part] = []
    materials: dict[str, Material] = {"skin": plain(skin)}
    _head(rng, body, skin, parts, materials)
    kind = str(rng.choice(LOWERS))
    top = _upper(rng, body, skin, kind in ("skirt", "dress"), parts, materials)
    step = _lower(rng, body, kind, top, parts, materials)
    return Person(replace(body, step=step), parts, materials)


def _vary(rng: np.random.Generator, colour: Colour, amount: float = 0.04) -> Colour:
    r, g, b = np.clip(np.array(colour) + rng.normal(0, amount, 3), 0.03, 0.98)
    return float(r), float(g), float(b)


def _cloth(rng: np.random.Generator, colours: tuple[Colour, ...], plain_share: float) -> Cloth:
    """A cloth whose second colour stands out from the first."""
    base = _vary(rng, colours[rng.integers(len(colours))])
    others = sorted(CLOTHS, key=lambda c: -float(np.abs(np.subtract(c, base)).sum()))
    second, third = (others[i] for i in rng.permutation(9)[:2])
    kind = "plain" if rng.random() < plain_share else str(rng.choice(KINDS[1:]))
    return Cloth(kind, (base, second, third), rng.uniform(0.06, 0.1), rng.uniform(0.35, 0.55))


def _head(
    rng: np.random.Generator,
    body: Proportions,
    skin: Colour,
    parts: list[Part],
    materials: dict[str, Material],
) -> None:
    """Head, ears, nose and one of several hair shapes or a cap."""
    s, hair = body.head, _vary(rng, HAIRS[rng.integers(len(HAIRS))], 0.02)
    style = str(rng.choice(HAIR_STYLES))
    lips: Colour = (0.72 * skin[0] + 0.12, 0.5 * skin[1], 0.5 * skin[2])
    beard = style in ("short", "crop", "cap", "bald") and rng.random() < 0.45
    materials["face"] = Face(skin, hair, DARK, lips, s, beard)
    materials["hair"] = Hair(hair)

    def add(
        c: tuple[float, ...], r: tuple[float, ...], material: str, b: float | None = None
    ) -> None:
        keep = None if b is None else (0.0, -0.6, 0.8, b * s)
        x, y, z = (float(v) * s for v in c)
        rx, ry, rz = (float(v) * s for v in r)
        parts.append(Ellipsoid("head", (x, y, z), (rx, ry, rz), material, keep))

    add((0, 0, 0), (0.053, 0.073, 0.062), "face")
    add((0, -0.012, 0.062), (0.009, 0.012, 0.011), "skin")
    for sign in SIDES.values():
        add((sign * 0.053, -0.004, -0.004), (0.009, 0.016, 0.012), "skin")
    line = rng.uniform(0.01, 0.024)
    if style == "cap":
        materials["cap"] = _cloth(rng, CLOTHS, 0.7)
        parts.append(
            Ellipsoid("head", (0, 0.02 * s, -0.004 * s), (0.059 * s, 0.066 * s, 0.067 * s), "cap",
                      (0.0, -1.0, 0.1, -0.02 * s))
        )  # fmt: skip
        add((0, 0.031, 0.066), (0.043, 0.007, 0.035), "cap")
        add((0, 0.004, -0.014), (0.057, 0.062, 0.058), "hair", line - 0.006)
    elif style != "bald":
        grow = {"crop": 0.97, "curly": 1.2}.get(style, 1.04)
        size = (0.057 * grow, 0.07 * grow, 0.063 * grow)
        add((0, 0.012, -0.009), size, "hair", line)
    if style == "bob":
        for sign in SIDES.values():
            add((sign * 0.043, -0.025, -0.008), (0.023, 0.063, 0.04), "hair")
        add((0, -0.02, -0.04), (0.055, 0.066, 0.03), "hair")
    elif style == "long":
        for sign in SIDES.values():
            add((sign * 0.044, -0.05, -0.014), (0.019, 0.095, 0.03), "hair")
        add((0, -0.06, -0.045), (0.056, 0.115, 0.026), "hair")
    elif style == "bun":
        add((0, 0.062, -0.055), (0.031, 0.03, 0.031), "hair")
    elif style == "tail":
        add((0, -0.025, -0.08), (0.022, 0.082, 0.021), "hair")


def _upper(
    rng: np.random.Generator,
    body: Proportions,
    skin: Colour,
    tucked: bool,
    parts: list[Part],
    materials: dict[str, Material],
) -> Cloth:
    """Torso, neck and arms with a top of some sleeve length; returns the top's cloth."""
    cloth, spine, k = _cloth(rng, CLOTHS, 0.22), body.spine, 0.64
    cloth = moved(cloth, rng.uniform(0.06, 0.16))
    jacket = rng.random() < 0.18
    logo = (
        "" if jacket or (cloth.kind != "plain" and rng.random() < 0.8) else str(rng.choice(LOGOS))
    )
    materials["top"] = Top(
        cloth,
        skin,
        spine,
        str(rng.choice(["round", "v"])),
        _vary(rng, WHITE if cloth.colours[0][1] < 0.6 else DARK) if jacket else None,
        logo,
        cloth.colours[1],
        bool(rng.random() < 0.5),
        cloth.colours[1] if rng.random() < 0.4 else None,
    )
    w, c = body.waist, body.chest
    hem = -0.02 if tucked else float(rng.choice([-0.03, -0.075, -0.1]))
    below = max(body.hips, body.hip + 0.057 * body.girth**0.7)  # hips and thighs stay inside
    wide = w + (below - w) * min(1.0, -hem / 0.085) + 0.009
    parts.append(Tube("torso", 0.4 * spine, 0.0, c * 0.97, w, k, "top"))
    parts.append(Tube("torso", 0.0, hem, w, wide, 0.74, "top"))
    parts.append(Tube("torso", 0.4 * spine, spine - 0.055, c * 0.97, c, k, "top"))
    parts.append(Ellipsoid("torso", (0, spine - 0.055, 0), (c, 0.052, c * k), "top"))
    slope = (body.shoulder + 0.008, 0.042, 0.047 * body.girth**0.5)
    parts.append(Ellipsoid("torso", (0, spine - 0.048, 0), slope, "top"))
    if rng.random() < 0.45:
        for sign in SIDES.values():
            bust = (sign * 0.4 * c, spine - 0.105, c * k * 0.62)
            parts.append(Ellipsoid("torso", bust, (0.4 * c, 0.037, 0.033), "top"))
    parts.append(Tube("torso", spine - 0.03, spine + 0.06, 0.034, 0.029, 1.0, "skin"))
    _arms(rng, body, cloth, parts, materials)
    return cloth


def _arms(
    rng: np.random.Generator,
    body: Proportions,
    cloth: Cloth,
    parts: list[Part],
    materials: dict[str, Material],
) -> None:
    sleeve = str(rng.choice(["none", "short", "short", "long", "long"]))
    if cloth.kind == "blocks" and rng.random() < 0.7:
        materials["sleeve"] = plain(cloth.colours[1])
    elif rng.random() < 0.12:
        materials["sleeve"] = plain(cloth.colours[2])  # a raglan
    else:
        materials["sleeve"] = moved(cloth, -0.08)
    materials["cuff"] = plain(cloth.colours[1 if rng.random() < 0.4 else 0])
    g, upper, fore = body.girth**0.7, body.upper_arm, body.forearm
    top, elbow, wrist = 0.034 * g, 0.028 * g, 0.021 * g
    shoulder = "skin" if sleeve == "none" else "sleeve"
    for side in SIDES:
        arm, lower = "arm" + side, "fore" + side
        below = "sleeve" if sleeve == "long" else "skin"
        wide = 1.13 if sleeve == "long" else 1.0
        parts.append(Ellipsoid(arm, (0, 0, 0), (top * 1.06, top * 0.98, top * 1.06), shoulder))
        parts.append(Tube(arm, 0.0, -upper, top * wide, elbow * wide, 1.0, below))
        parts.append(Ellipsoid(lower, (0, 0, 0), (elbow * wide,) * 3, below))
        parts.append(Tube(lower, 0.0, -fore, elbow * wide, wrist * wide, 1.0, below))
        if sleeve == "short":
            parts.append(Tube(arm, 0.0, -0.52 * upper, top * 1.1, top * 1.14, 1.0, "sleeve"))
        if sleeve == "long":
            parts.append(
                Tube(lower, 0.016 - fore, -fore - 0.004, wrist * 1.25, wrist * 1.25, 1.0, "cuff")
            )
        parts.append(Ellipsoid(lower, (0, -fore - 0.03, 0), (0.015, 0.035, 0.022), "skin"))


def _lower(
    rng: np.random.Generator,
    body: Proportions,
    kind: str,
    top: Cloth,
    parts: list[Part],
    materials: dict[str, Material],
) -> float:
    """Hips, legs and feet in trousers, shorts or a skirt (of the top's cloth: a dress).

    Returns how far the legs may swing in it, 1 = freely.
    """
    cloth = _cloth(rng, BOTTOMS if rng.random() < 0.7 else CLOTHS, 0.65)
    cloth = top if kind == "dress" else cloth
    materials["bottom"] = moved(cloth, -0.12)
    h, k, g = body.hips, 0.72, body.girth**0.7
    parts.append(Tube("pelvis", 0.035, -0.045, body.waist * 0.98, h, k, "bottom"))
    parts.append(Ellipsoid("pelvis", (0, -0.045, 0), (h * 0.98, 0.05, h * k * 0.95), "bottom"))
    wide = {"trousers": rng.uniform(1.08, 1.4), "jeans": 1.06}.get(kind, 1.0)
    cover = "bottom" if kind in ("trousers", "jeans") else "skin"
    thigh, knee, ankle = 0.057 * g, 0.041 * g, 0.026 * g
    skirt = kind in ("skirt", "dress")
    if skirt:
        hem, over = -rng.uniform(0.2, 0.36), max(h * 1.05, body.hip + thigh) + 0.003
        parts.append(Tube("pelvis", 0.04, -0.06, body.waist * 1.04 + 0.008, over, 0.85, "bottom"))
        parts.append(Tube("pelvis", -0.06, hem, over, over * rng.uniform(1.1, 1.4), 0.85, "bottom"))
    cuff = 0.026 * g * (wide if kind != "jeans" else 1.15)
    shoe = _vary(rng, CLOTHS[rng.integers(len(CLOTHS))])
    materials["shoe"] = Shoe(shoe, WHITE if sum(shoe) < 1.9 else DARK)
    sock = "skin" if rng.random() < 0.5 else "sock"
    materials["sock"] = plain(_vary(rng, WHITE if rng.random() < 0.6 else DARK, 0.03))
    for side in SIDES:
        up, low, foot = "thigh" + side, "shin" + side, "foot" + side
        parts.append(Ellipsoid(up, (0, 0, 0), (thigh, thigh * 1.1, thigh), "bottom"))
        parts.append(Tube(up, 0.0, -body.thigh, thigh * wide**0.3, knee * wide, 1.0, cover))
        parts.append(Ellipsoid(low, (0, 0, 0), (knee * wide,) * 3, cover))
        if cover == "bottom":
            end = 0.01 - body.shin
            parts.append(Tube(low, 0.0, end, knee * wide, max(cuff * 1.1, 0.03), 1.0, cover))
        else:
            parts.append(Tube(low, 0.0, -body.shin, knee * 0.95, ankle, 1.0, cover))
            calf = (0.035 * g, 0.075, 0.036 * g)
            parts.append(Ellipsoid(low, (0, -0.32 * body.shin, -0.01), calf, cover))
        if kind == "shorts":
            parts.append(
                Tube(up, 0.0, -0.62 * body.thigh, thigh * 1.1, thigh * 1.14, 1.0, "bottom")
            )
        parts.append(Tube(low, 0.05 - body.shin, -body.shin, ankle * 1.08, ankle * 1.1, 1.0, sock))
        parts.append(Ellipsoid(foot, (0, -0.017, 0.036), (0.031, 0.026, 0.074), "shoe"))
        parts.append(Ellipsoid(foot, (0, -0.008, -0.004), (0.03, 0.035, 0.034), "shoe"))
    return 0.4 if skirt else 1.0
