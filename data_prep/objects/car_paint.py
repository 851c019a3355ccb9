"""What is painted on a car's body: windows, lamps, doors, stripes and numbers.

The two sides are told apart: a roundel, a stripe or a second colour is on one of them alone.
"""

from dataclasses import dataclass

import numpy as np

from data_prep.objects.car_body import Body
from data_prep.objects.paint import BLACK, CHROME, WHITE, Mask, number_at, scheme, shade
from data_prep.objects.solids import Array, Colour

LIVERIES = ("plain", "racing", "stripe", "two-tone", "band", "checker", "wedge", "roof")
GLASS: Colour = (0.19, 0.25, 0.32)
SKY_GLASS: Colour = (0.46, 0.57, 0.66)
LAMP: Colour = (0.98, 0.95, 0.72)
AMBER: Colour = (0.96, 0.58, 0.1)
RED: Colour = (0.82, 0.06, 0.07)
PLATE: Colour = (0.93, 0.88, 0.55)


@dataclass(frozen=True)
class Look:
    """A car's colours and what is painted on it.

    Attributes:
        colours: body, second colour, accent.
        livery: one of `LIVERIES`.
        digits: of the number on its doors.
        left: whether what one side alone has is on the left.
        lamps: height of the lamps, a share of the front face, and their width in metres.
        grille: rows of bars, or 0 for a plain opening.
        doors: on each side.
        cab: z behind which there are no side windows (pickup, delivery van), or None.
        bed: z behind which the top is a bed, or None.
    """

    colours: tuple[Colour, Colour, Colour]
    livery: str
    digits: tuple[int, ...]
    left: bool
    lamps: tuple[float, float]
    grille: int
    doors: int
    cab: float | None = None
    bed: float | None = None


def draw_look(rng: np.random.Generator, style: str, body: Body) -> Look:
    """Colours and decoration for a body of a style."""
    chances = {"sports": [0.1, 0.45, 0.1, 0.05, 0.1, 0.05, 0.1, 0.05]}
    usual = [0.12, 0.14, 0.15, 0.13, 0.13, 0.11, 0.11, 0.11]
    livery = str(rng.choice(LIVERIES, p=chances.get(style, usual)))
    digits = tuple(int(d) for d in rng.integers(0, 10, int(rng.integers(1, 3))))
    lamps = (float(rng.uniform(0.55, 0.75)), float(rng.uniform(0.2, 0.36)))
    delivery = style == "van" and rng.random() < 0.5
    middle = 0.5 * (body.wheels[0] + body.wheels[1])
    return Look(
        colours=scheme(rng),
        livery=livery,
        digits=digits,
        left=bool(rng.random() < 0.5),
        lamps=lamps,
        grille=int(rng.integers(0, 5)),
        doors=1 if style in ("sports", "beetle", "pickup") or delivery else 2,
        cab=middle + 0.35 if delivery else body.roof[1] - 0.02 if style == "pickup" else None,
        bed=body.roof[1] - 0.1 * body.length if style == "pickup" else None,
    )


@dataclass(frozen=True)
class Shell:
    """Paint of the body between its two ends."""

    body: Body
    look: Look

    def __call__(self, points: Array) -> Array:
        """Colours [N,3] at points [N,3]."""
        body, look = self.body, self.look
        x, y, z = points.T
        out = np.tile(np.array(look.colours[0]), (len(points), 1))
        top = body.top(z)
        edge_x, _ = body.edge_at(z)
        above = y > top - 0.5 * body.edge
        self._livery(out, points, above)
        side = ~above & (y > body.sill + 0.005)
        self._doors(out, points, side)
        self._side_glass(out, points, side)
        self._top_glass(out, points, above & (np.abs(x) < edge_x - 0.06))
        if look.bed is not None:
            inside = above & (z < look.bed) & (z > -0.485 * body.length)
            out[inside & (np.abs(x) < edge_x - 0.04)] = shade(BLACK, 1.8)
        self._lamps(out, points, side)
        out[y < body.sill + 0.07] = BLACK
        for axle in body.wheels:
            arch = np.hypot(z - axle, y - body.wheel) < 1.2 * body.wheel
            out[arch & (y < np.minimum(body.belt, top - body.edge - 0.03))] = shade(BLACK, 0.6)
        return out

    def _livery(self, out: Array, points: Array, above: Mask) -> None:
        """Second colours, stripes and numbers, before windows cut into them."""
        body, look = self.body, self.look
        x, y, z = points.T
        kind, (_, second, accent) = look.livery, look.colours
        hand = x if look.left else -x
        low = body.sill + 0.45 * (body.belt - body.sill)
        if kind == "racing":
            off = 0.12 * body.width * (1 if look.left else -1)
            out[above & (np.abs(x - off) < 0.13)] = second
            out[above & (np.abs(x - off - np.sign(off) * 0.22) < 0.035)] = accent
        elif kind == "stripe":
            out[~above & (np.abs(y - low - 0.05) < 0.07)] = second
            out[~above & (np.abs(y - low + 0.07) < 0.025)] = accent
        elif kind == "two-tone":
            out[y < low] = second
        elif kind == "band":
            at = 0.04 * body.length
            out[np.abs(z - at) < 0.09 * body.length] = second
            out[np.abs(z - at + 0.12 * body.length) < 0.012 * body.length] = accent
        elif kind == "checker":
            rows = np.floor((y - low) / 0.11)
            board = (np.floor(z / 0.13) + rows) % 2 == 0
            band = ~above & (rows >= 0) & (rows < 2)
            out[band] = WHITE
            out[band & board] = BLACK
        elif kind == "wedge":
            out[y - low < 0.32 * z + 0.1 * np.sign(hand)] = second
        elif kind == "roof":
            out[y > body.belt + 0.01] = second
        self._signs(out, points, above, hand)

    def _signs(self, out: Array, points: Array, above: Mask, hand: Array) -> None:
        """A number in a roundel on one side's door, a bar on the other, a patch on the bonnet."""
        body, look = self.body, self.look
        x, y, z = points.T
        accent = look.colours[2]
        high = 0.5 * (body.belt - body.sill)
        middle = (0.5 * (body.wheels[0] + body.wheels[1]), body.sill + 1.05 * high)
        right = np.where(x > 0, -1.0, 1.0) * (z - middle[0])  # to the reader's right
        r = np.hypot(z - middle[0], y - middle[1])
        if look.livery in ("racing", "plain", "roof", "wedge", "band"):
            out[~above & (hand > 0) & (r < 0.82 * high)] = WHITE
            size = 0.8 * high
            written = number_at(right / size, (y - middle[1]) / size, look.digits)
            out[~above & (hand > 0) & written] = BLACK
        if look.livery not in ("racing", "stripe", "checker"):
            slanted = np.abs(right - 0.5 * (y - middle[1]))
            out[~above & (hand < 0) & (slanted < 0.12) & (y < body.belt - 0.06)] = accent
        if look.livery in ("plain", "two-tone", "roof", "checker"):
            bonnet = (z > body.roof[0] + 0.75) & (np.abs(hand - 0.2 * body.width) < 0.14)
            out[above & bonnet] = accent

    def _doors(self, out: Array, points: Array, side: Mask) -> None:
        """Dark lines round the doors, and a handle on each."""
        body, look = self.body, self.look
        _, y, z = points.T
        dark = shade(look.colours[0], 0.35)
        span = side & (y > body.sill + 0.13) & (y < body.belt)
        edges = self._door_edges()
        for edge in edges:
            out[span & (np.abs(z - edge) < 0.014)] = dark
        for edge in edges[1:]:
            grip = side & (np.abs(y - body.belt + 0.1) < 0.022)
            out[grip & (z > edge + 0.05) & (z < edge + 0.22)] = CHROME

    def _door_edges(self) -> list[float]:
        """Places z of the doors' edges, from the front."""
        body, look = self.body, self.look
        first = body.wheels[0] - 1.3 * body.wheel
        last = body.wheels[1] + 1.0 * body.wheel
        if look.cab is not None:
            last = look.cab
        elif look.doors == 1:
            last = 0.35 * first + 0.65 * last
        return [float(v) for v in np.linspace(first, last, look.doors + 1)]

    def _side_glass(self, out: Array, points: Array, side: Mask) -> None:
        body, look = self.body, self.look
        _, y, z = points.T
        frame = 0.055
        glass = side & (y > body.belt + 0.04) & (y < body.top(z) - body.edge - frame + 0.03)
        rear = body.roof[1] - 0.16 if look.cab is None else look.cab + 0.08
        glass &= z > rear - 0.3 * (body.height - y)
        for edge in self._door_edges()[1:]:
            glass &= np.abs(z - edge) > 0.035
        out[glass] = _tinted(points[glass], body)

    def _top_glass(self, out: Array, points: Array, inner: Mask) -> None:
        """Windscreen and rear window: where the top line slopes between belt and roof."""
        body, look = self.body, self.look
        _, y, z = points.T
        glass = inner & (y > body.belt + 0.06) & (y < body.height - 0.06)
        front = glass & (z > body.roof[0])
        rear = glass & (z < body.roof[1])
        if look.livery == "band":  # a van's doors at the back
            rear &= np.abs(points[:, 0]) > 0.03
        out[front] = _tinted(points[front], body)
        out[rear] = shade(GLASS, 0.8)

    def _lamps(self, out: Array, points: Array, side: Mask) -> None:
        """Lamps reach round the corners: amber in front, red behind."""
        body = self.body
        _, y, z = points.T
        low, high = lamp_heights(body, self.look)
        at = side & (y > low) & (y < high)
        out[at & (z > 0.5 * body.length - 0.16)] = AMBER
        out[at & (z < -0.5 * body.length + 0.14)] = RED


@dataclass(frozen=True)
class End:
    """Paint of the front or the rear face."""

    body: Body
    look: Look
    front: bool

    def __call__(self, points: Array) -> Array:
        """Colours [N,3] at points [N,3]."""
        body, look = self.body, self.look
        x, y, _ = points.T
        out = np.tile(np.array(look.colours[0]), (len(points), 1))
        if look.livery == "two-tone":
            out[y < body.sill + 0.45 * (body.belt - body.sill)] = look.colours[1]
        half = float(body.half_width(np.array(0.5 * body.length)))
        low, high = lamp_heights(body, look)
        out[y < body.sill + 0.3 * (low - body.sill)] = shade(BLACK, 1.6)  # bumper
        reach = np.abs(x) / half
        if self.front:
            wide = 1 - look.lamps[1] / half
            grille = (reach < wide - 0.06) & (y > low - 0.06) & (y < high)
            out[grille] = BLACK
            if look.grille:
                bars = np.floor((y - low + 0.06) / (high - low + 0.06) * (2 * look.grille + 1))
                out[grille & (bars % 2 == 1)] = CHROME
            out[(reach > wide) & (y > low) & (y < high)] = LAMP
        else:
            wide = 1 - 0.75 * look.lamps[1] / half
            lamp = (reach > wide) & (y > low - 0.08) & (y < high + 0.03)
            out[lamp] = RED
            out[lamp & (y < low)] = AMBER
            pipe = np.hypot(x - (0.5 if look.left else -0.5) * half, y - body.sill - 0.05)
            out[pipe < 0.05] = CHROME
        plate = (np.abs(x) < 0.24) & (np.abs(y - body.sill - 0.62 * (low - body.sill)) < 0.06)
        out[plate] = WHITE if self.front else PLATE
        return out


def lamp_heights(body: Body, look: Look) -> tuple[float, float]:
    """Lower and upper edge of the lamps."""
    nose = float(min(body.profile[0, 1], body.profile[-1, 1]))
    middle = body.sill + look.lamps[0] * (nose - body.sill)
    half = 0.14 * (nose - body.sill) + 0.02
    return middle - half, min(middle + half, nose - 0.04)


def _tinted(points: Array, body: Body) -> Array:
    """Glass [N,3] that mirrors more of the sky towards the roof, and a slanted streak."""
    _, y, z = points.T
    share = np.clip((y - body.belt) / max(0.1, body.height - body.belt), 0, 1)[:, None]
    out = (1 - share) * np.array(GLASS) + share * np.array(SKY_GLASS)
    streak = np.abs((z + 0.6 * y) % 0.9 - 0.45) < 0.06
    out[streak] = 0.6 * out[streak] + 0.4
    return out
