"""Random chairs: wooden, of tubes, for the office, and with thick cushions."""

import numpy as np

from data_prep.meshes.model import Model, Part
from data_prep.objects import chair_parts as parts_of
from data_prep.objects.chair_parts import Plan
from data_prep.objects.paint import BLACK, CHROME, WOODS, Wood, bright, fabric, shade
from data_prep.objects.solids import Array, Colour, Paint, block, tube

FAMILIES = ("wooden", "tubes", "office", "armchair")
STEEL: Colour = (0.38, 0.42, 0.47)


def make_chair(rng: np.random.Generator) -> Model:
    """Draw a chair: its front towards +z, y up, normalised."""
    family = str(rng.choice(FAMILIES, p=[0.38, 0.2, 0.2, 0.22]))
    plan = _plan(rng, family)
    if family == "armchair":
        found = _armchair(rng, plan)
    else:
        found = _assembled(rng, family, plan)
    if family != "office" and rng.random() < 0.35:
        side = float(rng.choice([-1.0, 1.0]))
        found.append(parts_of.pillow(plan, fabric(rng, 0.25 * plan.width), side))
    return Model(found).normalized()


def _real(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def _one(rng: np.random.Generator, *names: str) -> str:
    return str(rng.choice(names))


def _plan(rng: np.random.Generator, family: str) -> Plan:
    """Measures and materials."""
    soft = family == "armchair"
    width = _real(rng, 0.56, 0.68) if soft else _real(rng, 0.42, 0.54)
    frame: Wood | Colour = Wood(shade(WOODS[int(rng.integers(len(WOODS)))], _real(rng, 0.85, 1.1)))
    if family in ("tubes", "office") or rng.random() < 0.3:
        frame = (CHROME, BLACK, STEEL, bright(rng), bright(rng))[int(rng.integers(5))]
    cloth = fabric(rng, 0.5 * width)
    return Plan(
        width=width,
        depth=_real(rng, 0.52, 0.6) if soft else _real(rng, 0.4, 0.5),
        height=_real(rng, 0.38, 0.45) if soft else _real(rng, 0.42, 0.52),
        thick=_real(rng, 0.12, 0.16) if soft else _real(rng, 0.03, 0.09),
        back=_real(rng, 0.4, 0.6) if soft else _real(rng, 0.36, 0.62),
        tilt=_real(rng, 0.08, 0.28),
        bow=_real(rng, 0.0, 0.9),
        seat_cloth=cloth,
        back_cloth=cloth if rng.random() < 0.4 else fabric(rng, 0.5 * width),
        frame=frame,
        accent=bright(rng),
    )


def _assembled(rng: np.random.Generator, family: str, plan: Plan) -> list[Part]:
    """A chair of seat, legs, back and arms."""
    splay = float(rng.uniform(0.02, 0.09))
    if family == "wooden":
        base = _one(rng, "straight", "splayed", "splayed")
        rest = _one(rng, "slats", "ladder", "spindles", "cross", "panel")
        holds = _one(rng, "none", "none", "posts")
    elif family == "tubes":
        base = _one(rng, "sled", "sled", "pedestal", "splayed")
        rest = _one(rng, "panel", "pad", "oval")
        holds = _one(rng, "none", "loops")
    else:
        base, rest = "star", _one(rng, "pad", "oval", "panel")
        holds = _one(rng, "none", "loops", "loops")
    round_seat = base in ("pedestal", "splayed") and rng.random() < 0.4
    found = parts_of.seat(plan, round_seat) + parts_of.legs(plan, base, splay)
    return found + parts_of.back(plan, rest) + parts_of.arms(plan, holds)


def _armchair(rng: np.random.Generator, plan: Plan) -> list[Part]:
    """Thick cushions between two sides that need not have one colour."""
    cover = plan.seat_cloth.colours[0]
    sides = (cover, plan.accent if rng.random() < 0.5 else cover)
    found = parts_of.seat(plan, False) + parts_of.back(plan, "panel")
    low = 0.1
    tall = plan.height + float(rng.uniform(0.1, 0.2)) - low
    wide = float(rng.uniform(0.1, 0.16))
    rounding = float(rng.uniform(0.02, 0.07))
    for sign, colour in zip((1.0, -1.0), sides, strict=True):
        at = (sign * 0.5 * (plan.width + wide), low + 0.5 * tall, 0.0)
        paint = _sided(colour, plan, sign)
        found.append(block(at, (wide, tall, 1.04 * plan.depth), paint, rounding, texels=40))
    base = (plan.width, plan.height - plan.thick - low, 0.92 * plan.depth)
    at = (0.0, low + 0.5 * base[1], 0.0)
    found.append(block(at, base, shade(cover, 0.75), 0.02))
    y = plan.height + 0.5 * plan.back
    size = (plan.width + 1.2 * wide, plan.back + 0.3, 0.12)
    behind = shade(plan.back_cloth.colours[0], 0.85)
    at = (0.0, y - 0.15, plan.rear - 0.07)
    found.append(block(at, size, behind, 0.05, plan.leaning(y - 0.15)))
    for sx, sz in parts_of.CORNERS:
        x, z = sx * 0.48 * plan.width, sz * 0.42 * plan.depth
        ends = np.array([[x, 0.0, z], [x, low + 0.02, z]])
        found.append(tube(ends, np.array([0.02, 0.03]), plan.frame))
    return found


def _sided(colour: Colour, plan: Plan, sign: float) -> Paint:
    """Paint of a side: a stripe outside on the left alone."""
    if sign < 0:
        return colour

    def paint(points: Array) -> Array:
        """One colour, with a slanted stripe."""
        out = np.tile(np.array(colour), (len(points), 1))
        out[np.abs(points[:, 2] - 0.4 * points[:, 1] - 0.1) < 0.05] = plan.seat_cloth.colours[1]
        return out

    return paint
