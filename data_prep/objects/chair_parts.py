"""Parts of chairs: seats, legs, backs and arms, in metres, y up, the sitter's eyes towards +z."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data_prep.meshes.model import Part
from data_prep.objects.paint import BLACK, CHROME, Fabric, Wood, shade
from data_prep.objects.solids import Array, Colour, Paint, block, lathe, tube

SEAT_TEXELS = 56
UP = np.array([0.0, 1.0, 0.0])
CORNERS = tuple((sx, sz) for sx in (1.0, -1.0) for sz in (1.0, -1.0))


@dataclass(frozen=True)
class Plan:
    """Measures and materials that a chair's parts share.

    Attributes:
        width, depth: of the seat.
        height: of the seat's upper side above the floor.
        thick: of the seat.
        back: how far the back goes above the seat.
        tilt: how far the back leans backwards, metres per metre.
        bow: how far the back's sides come forwards, metres per square metre.
        seat_cloth, back_cloth: of the surfaces one leans on.
        frame: paint of the frame.
        accent: a colour for tips, arms and pillows.
    """

    width: float
    depth: float
    height: float
    thick: float
    back: float
    tilt: float
    bow: float
    seat_cloth: Fabric
    back_cloth: Fabric
    frame: Wood | Colour
    accent: Colour

    def leaning(self, y: float) -> Callable[[Array], Array]:
        """Bends points [N,3] of a block whose centre is at height y above the floor."""

        def bend(points: Array) -> Array:
            above = points[:, 1] + y - self.height
            move = self.bow * points[:, 0] ** 2 - self.tilt * np.maximum(above, 0.0)
            return points + move[:, None] * np.array([0.0, 0.0, 1.0])

        return bend

    def widening(self, points: Array) -> Array:
        """Makes a seat [N,3] wider in front than behind."""
        return points * (1 + 0.12 * (points[:, 2:] / self.depth) * np.array([1.0, 0.0, 0.0]))

    @property
    def rear(self) -> float:
        """Place z of the back where it meets the seat."""
        return -0.5 * self.depth + 0.03


def seat(plan: Plan, round_seat: bool) -> list[Part]:
    """A cushion or board; its upper side shows the cloth."""
    side = shade(plan.seat_cloth.colours[0], 0.7)

    def paint(points: Array) -> Array:
        """Cloth on top, plain round the sides and below."""
        x, y, z = points.T
        cloth = plan.seat_cloth.paint(x, -z)
        return np.where((y > 0.1 * plan.thick)[:, None], cloth, np.array(side))

    if not round_seat:
        size = (plan.width, plan.thick, plan.depth)
        at = (0.0, plan.height - 0.5 * plan.thick, 0.0)
        return [block(at, size, paint, 0.45 * plan.thick, plan.widening, SEAT_TEXELS)]

    def turned(points: Array) -> Array:
        """The lathe's (across, across, along the axis) as (x, y, z)."""
        a, b, along = points.T
        return paint(np.stack([b, along + 0.5 * plan.thick, a], axis=1))

    r, t = 0.5 * plan.width, plan.thick
    outline = ((0, -1), (0.93, -1), (1, -0.7), (1, -0.3), (0.95, 0), (0.5, 0), (0, 0))
    at = np.array([0.0, plan.height, 0.0])
    return [lathe(np.array(outline) * (r, t), at, UP, turned, sides=32)]


def legs(plan: Plan, kind: str, splay: float) -> list[Part]:
    """What carries the seat: straight, splayed, sled, star or pedestal."""
    under = plan.height - 0.6 * plan.thick
    if kind == "star":
        return _star(plan, under)
    if kind == "pedestal":
        r, k = 0.42 * plan.width, 0.05 * plan.width
        outline = [(0, 0), (r, 0), (r, 0.02), (0.3 * r, 0.06), (k, 0.15), (k, under), (0, under)]
        paint = plan.frame if isinstance(plan.frame, tuple) else plan.accent
        return [lathe(np.array(outline), np.zeros(3), UP, paint)]
    if kind == "sled":
        return _sled(plan, under)
    return _four(plan, under, splay, tapered=kind == "splayed")


def _four(plan: Plan, under: float, splay: float, tapered: bool) -> list[Part]:
    """Four legs, square or tapered to a tip of another colour, and a bar on each side."""
    x, z = 0.42 * plan.width, 0.42 * plan.depth
    found = []
    for sx, sz in CORNERS:
        foot = np.array([sx * (x + splay), 0.0, sz * (z + splay)])
        head = np.array([sx * x, under, sz * z])
        if not tapered:
            found.append(tube(np.stack([foot, head]), 0.024, plan.frame, sides=4))
            continue
        tip = head + 0.82 * (foot - head)
        found.append(tube(np.stack([tip, head]), np.array([0.016, 0.026]), plan.frame))
        found.append(tube(np.stack([foot, tip]), np.array([0.012, 0.017]), plan.accent))
    out = 0.55 * splay  # at the height of the bars
    for sx in (1.0, -1.0):
        bar = np.array([[sx * (x + out), 0.45 * under, s * (z + out)] for s in (-1, 1)])
        found.append(tube(bar, 0.012, plan.frame, sides=6))
    return found


def _sled(plan: Plan, under: float) -> list[Part]:
    """Two bent tubes that lie on the floor."""
    x, z = 0.42 * plan.width, 0.42 * plan.depth
    half = [(under, z), (0.04, 1.1 * z), (0.02, z)]
    line = [*half, *((y, -far) for y, far in reversed(half))]
    paths = (np.array([(s * x, y, far) for y, far in line]) for s in (1.0, -1.0))
    return [tube(path, 0.018, plan.frame) for path in paths]


def _star(plan: Plan, under: float) -> list[Part]:
    """Five arms with castors and a column."""
    found = [tube(np.array([[0, 0.08, 0], [0, under, 0]]), np.array([0.035, 0.025]), CHROME)]
    for turn in np.linspace(0, 2 * np.pi, 6)[:5]:
        out = 0.58 * plan.width * np.array([np.sin(turn), 0.0, np.cos(turn)])
        arm = np.stack([0.11 * UP, out + 0.07 * UP])
        dark = plan.frame if isinstance(plan.frame, tuple) else BLACK
        found.append(tube(arm, np.array([0.03, 0.018]), dark, sides=8))
        found.append(block(out + 0.03 * UP, (0.05, 0.06, 0.05), BLACK, 0.02, texels=4))
    return found


def back(plan: Plan, kind: str) -> list[Part]:
    """What one leans on: slats, ladder, spindles, cross, panel, pad or oval."""
    if kind in ("panel", "pad", "oval"):
        return _full_back(plan, kind)
    half = 0.44 * plan.width
    found = [_bar(plan, s * half, 0.0, plan.back, 0.045) for s in (1.0, -1.0)]
    found.append(_rail(plan, plan.back - 0.04, 0.1, half, cloth=True))
    if kind == "ladder":
        for share in (0.25, 0.5, 0.72):
            found.append(_rail(plan, share * plan.back, 0.07, half, cloth=share == 0.5))
        return found
    found.append(_rail(plan, 0.14 * plan.back, 0.05, half))
    low, high = 0.14 * plan.back, plan.back - 0.06
    if kind == "cross":
        for s in (1.0, -1.0):
            ends = [(-s * half, low), (0.0, 0.5 * (low + high)), (s * half, high)]
            found.append(tube(np.array([_point(plan, *end) for end in ends]), 0.018, plan.frame))
    elif kind == "spindles":
        for x in np.linspace(-half, half, 7)[1:-1]:
            ends = np.array([_point(plan, x, low), _point(plan, x, high)])
            found.append(tube(ends, 0.011, plan.frame, sides=6))
    else:
        for i, x in enumerate(np.linspace(-half, half, 5)[1:-1]):
            paint = plan.accent if i == 0 else plan.frame
            found.append(_bar(plan, float(x), low, high, 0.06, 0.018, paint))
    return found


def _full_back(plan: Plan, kind: str) -> list[Part]:
    low = -0.5 * plan.thick if kind == "panel" else 0.16 * plan.back
    middle, tall = 0.5 * (low + plan.back), plan.back - low
    y = plan.height + middle
    thick = 0.035 if kind == "panel" else 0.075
    rear = shade(plan.back_cloth.colours[1], 0.8)
    bend = plan.leaning(y)

    def shape(points: Array) -> Array:
        """An oval narrows the block towards its upper and lower edge."""
        if kind == "oval":
            narrow = np.sqrt(np.maximum(1 - (2.0 * points[:, 1] / (1.06 * tall)) ** 2, 0.0))
            points = points * np.stack([narrow, np.ones_like(narrow), np.ones_like(narrow)], axis=1)
        return bend(points)

    def paint(points: Array) -> Array:
        """The cloth in front, its second colour with the emblem's stripe behind."""
        x, y, z = points.T
        out = plan.back_cloth.paint(x, y)
        out[z < 0.2 * thick] = rear
        out[(z < 0.2 * thick) & (np.abs(y - 0.25 * tall) < 0.07 * tall)] = plan.accent
        return out

    size = (0.96 * plan.width, tall, thick)
    found = [block((0.0, y, plan.rear), size, paint, 0.45 * thick, shape, SEAT_TEXELS)]
    if low > 0:
        for s in (0.5, -0.5):
            ends = [(s * 0.4 * plan.width, -0.5 * plan.thick), (s * 0.4 * plan.width, 1.6 * low)]
            path = np.array([_point(plan, *end) for end in ends]) - np.array([0.0, 0.0, 0.02])
            found.append(tube(path, 0.02, plan.frame))
    return found


def _point(plan: Plan, x: float, above: float) -> Array:
    """The middle of the back at x, so far above the seat."""
    z = plan.rear + plan.bow * x**2 - plan.tilt * max(above, 0.0)
    return np.array([x, plan.height + above, z])


def _bar(
    plan: Plan,
    x: float,
    low: float,
    high: float,
    wide: float,
    deep: float = 0.04,
    paint: Paint | None = None,
) -> Part:
    """An upright of the back."""
    y = plan.height + 0.5 * (low + high)
    bend = plan.leaning(y)
    across = np.array([x, 0.0, 0.0])
    size = (wide, high - low, deep)
    at, look = (x, y, plan.rear), paint or plan.frame
    return block(at, size, look, 0.01, lambda p: bend(p + across) - across, texels=16)


def _rail(plan: Plan, above: float, tall: float, half: float, cloth: bool = False) -> Part:
    """A board across the back."""
    y = plan.height + above
    paint = plan.back_cloth.upright if cloth else plan.frame
    shape = plan.leaning(y)
    return block((0.0, y, plan.rear), (2 * half + 0.05, tall, 0.03), paint, 0.012, shape, texels=32)


def arms(plan: Plan, kind: str) -> list[Part]:
    """Arm rests: none, posts or loops."""
    if kind == "none":
        return []
    found = []
    x, high = 0.5 * plan.width + 0.02, plan.height + min(0.24, 0.55 * plan.back)
    front, rear = 0.32 * plan.depth, plan.rear - plan.tilt * (high - plan.height)
    for s in (1.0, -1.0):
        if kind == "loops":
            y = plan.height - 0.5 * plan.thick
            path = [(s * x, y, rear + 0.06), (s * x, high, rear), (s * x, high, front)]
            path += [(s * x, high - 0.05, front + 0.05), (s * x, y, front + 0.02)]
            found.append(tube(np.array(path), 0.018, plan.frame))
            pad = (0.06, 0.03, 0.6 * plan.depth)
            found.append(block((s * x, high + 0.02, 0.0), pad, plan.accent, 0.014, texels=8))
        else:
            post = np.array([[s * x, plan.height - 0.5 * plan.thick, front], [s * x, high, front]])
            found.append(tube(post, 0.018, plan.frame))
            size = (0.06, 0.035, front - rear + 0.1)
            at = (s * x, high + 0.01, 0.5 * (front + rear) + 0.02)
            found.append(block(at, size, plan.frame, 0.014, texels=16))
    return found


def pillow(plan: Plan, cloth: Fabric, side: float) -> Part:
    """A loose pillow in one corner of the seat."""
    size = 0.5 * plan.width
    turn = 0.35 * side

    def shape(points: Array) -> Array:
        """Fat in its middle, leaning on the back."""
        x, y, z = points.T
        fat = np.sqrt(
            np.maximum(1 - (1.7 * x / size) ** 2, 0.12)
            * np.maximum(1 - (1.7 * y / size) ** 2, 0.12)
        )
        z = z * fat - 0.25 * y
        return np.stack(
            [x * np.cos(turn) + z * np.sin(turn), y, z * np.cos(turn) - x * np.sin(turn)], 1
        )

    at = (0.24 * plan.width * side, plan.height + 0.46 * size, plan.rear + 0.14)
    return block(at, (size, size, 0.16), cloth.upright, 0.03, shape, texels=32)
