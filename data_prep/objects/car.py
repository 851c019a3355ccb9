"""Random cars: body, wheels, mirrors and what stands on the roof."""

import numpy as np

from data_prep.meshes.model import Model, Part
from data_prep.objects.car_body import STYLES, Body, draw_body
from data_prep.objects.car_paint import AMBER, End, Look, Shell, draw_look
from data_prep.objects.paint import BLACK, CHROME, RUBBER, WHITE, bright, shade
from data_prep.objects.solids import Array, Colour, block, lathe, sheet, tube

SHELL_TEXELS, END_TEXELS = 288, 96


def make_car(rng: np.random.Generator) -> Model:
    """Draw a car: its front towards +z, y up, normalised."""
    style = str(rng.choice(list(STYLES)))
    body = draw_body(rng, style)
    look = draw_look(rng, style, body)
    inside = np.array([0.0, 0.5 * body.belt, 0.0])
    parts = [sheet(body.shell(), Shell(body, look), SHELL_TEXELS, inside)]
    for front in (True, False):
        bulge = float(rng.uniform(0.05, 0.12))
        parts.append(sheet(body.end(front, bulge), End(body, look, front), END_TEXELS, inside))
    parts += _wheels(rng, body, look)
    parts += _mirrors(body, look)
    parts += _extras(rng, style, body, look)
    return Model(parts).normalized()


def _wheels(rng: np.random.Generator, body: Body, look: Look) -> list[Part]:
    spokes, round_holes = int(rng.integers(3, 8)), bool(rng.random() < 0.3)
    choices = (CHROME, WHITE, shade(look.colours[0], 0.8), look.colours[2], (0.75, 0.6, 0.25))
    rim: Colour = choices[int(rng.integers(len(choices)))]
    r, wide = body.wheel, 0.14 * body.width
    hub = 0.66 * r

    def paint(points: Array) -> Array:
        """Tyre, rim and spokes by the distance from the axle."""
        a, b, _ = points.T
        out = np.tile(np.array(RUBBER), (len(points), 1))
        far, turn = np.hypot(a, b), np.arctan2(b, a)
        out[far < 1.06 * hub] = rim
        if round_holes:
            step = 2 * np.pi / spokes
            near = (turn % step) - step / 2
            hole = np.hypot(far * np.cos(near) - 0.62 * hub, far * np.sin(near)) < 0.2 * hub
        else:
            hole = (np.cos(spokes * turn) < 0.1) & (far < 0.9 * hub) & (far > 0.25 * hub)
        out[hole] = shade(BLACK, 1.3)
        out[far < 0.12 * hub] = BLACK
        return out

    tyre = [(0, -wide), (0.96 * r, -wide), (r, -0.8 * wide), (r, -0.08), (0.95 * r, 0.0)]
    disc = [(1.04 * hub, 0.005), (0.98 * hub, -0.03), (0.5 * hub, -0.025), (0.2 * hub, 0), (0, 0)]
    profile = np.array(tyre + disc)
    parts = []
    for z in body.wheels:
        out = float(body.half_width(np.array(z))) + 0.012
        for sign in (1.0, -1.0):
            at, axis = np.array([sign * out, r, z]), np.array([sign, 0.0, 0.0])
            parts.append(lathe(profile, at, axis, paint))
    return parts


def _mirrors(body: Body, look: Look) -> list[Part]:
    z = body.roof[0] + 0.42 * (body.wheels[0] - body.roof[0])
    x = float(body.half_width(np.array(z))) + 0.07
    paint = look.colours[1] if look.livery in ("roof", "racing") else look.colours[0]
    size = (0.2, 0.13, 0.09)
    return [block((s * x, body.belt + 0.07, z), size, paint, 0.04) for s in (1.0, -1.0)]


def _extras(rng: np.random.Generator, style: str, body: Body, look: Look) -> list[Part]:
    """A spoiler, rails with a box, a taxi's sign, a light bar, a load, or nothing."""
    front, rear = body.roof
    middle, top = 0.5 * (front + rear), body.height + 0.02 * body.width
    edge = float(body.edge_at(np.array(middle))[0]) - body.edge
    chance = rng.random()
    accent = look.colours[2]
    if style == "sports" or (style in ("sedan", "hatchback") and chance < 0.15):
        return _spoiler(body, accent if chance < 0.5 else look.colours[0])
    if style == "pickup":
        size = (0.75 * body.width, 0.3, 0.22 * body.length)
        at = (0.0, body.belt + 0.1, -0.32 * body.length)
        return [block(at, size, bright(rng), 0.05)] if chance < 0.5 else []
    if style in ("wagon", "offroad") and chance < 0.6:
        ends = ((front - 0.1, top + 0.04), (rear + 0.1, top + 0.04))
        line = np.array([[0.9 * edge, y, z] for z, y in ends])
        rails = [tube(line * (s, 1, 1), 0.025, CHROME) for s in (1.0, -1.0)]
        box = (0.5 * edge * (1 if look.left else -1), top + 0.11, middle)
        return rails + [block(box, (0.8 * edge, 0.22, 0.5 * (front - rear)), accent, 0.07)]
    if look.livery == "checker":
        at = (0.0, top + 0.06, middle)
        return [block(at, (0.55, 0.16, 0.2), AMBER if chance < 0.7 else WHITE, 0.05)]
    if chance > 0.75:
        lights = ((0.24, bright(rng, 0.6)), (-0.24, bright(rng, 0.0)))
        size = (0.42, 0.11, 0.2)
        return [block((x, top + 0.05, middle), size, colour, 0.04) for x, colour in lights]
    return []


def _spoiler(body: Body, colour: Colour) -> list[Part]:
    z = -0.45 * body.length
    y, half = float(body.top(np.array(z))), 0.42 * body.width
    wing = block((0.0, y + 0.24, z), (2 * half, 0.045, 0.3), colour, 0.02)
    posts = [block((s * 0.7 * half, y + 0.12, z), (0.06, 0.24, 0.14), BLACK) for s in (1, -1)]
    return [wing, *posts]
