"""The shape of a car's body: a profile seen from the side, swept across by rounded sections."""

from dataclasses import dataclass

import numpy as np

from data_prep.objects.solids import Array

STATIONS = 72
LOWER, UPPER, CORNER, TOP = 8, 6, 5, 8  # points of a section's right half, sill to middle


@dataclass(frozen=True)
class Body:
    """Measures of a car, metres; x is to the car's left, y up, z to its front, y = 0 the road.

    Attributes:
        length, width, height: of the whole.
        profile: [N,2] = (z, y) of the top line from front to rear.
        belt: height at which windows begin.
        sill: height of the underside.
        roof: (front, rear) z of the roof.
        lean: how far the sides of the cabin lean in, metres per metre.
        edge: radius of the roof's edges.
        taper: how much narrower than the middle the ends are, a share.
        wheels: (front, rear) z of the axles.
        wheel: a wheel's radius.
    """

    length: float
    width: float
    height: float
    profile: Array
    belt: float
    sill: float
    roof: tuple[float, float]
    lean: float
    edge: float
    taper: float
    wheels: tuple[float, float]
    wheel: float

    def top(self, z: Array) -> Array:
        """Height of the top line at z [N]."""
        return np.interp(-z, -self.profile[:, 0], self.profile[:, 1])

    def half_width(self, z: Array) -> Array:
        """Half the width below the belt at z [N]."""
        along = np.abs(2 * z / self.length)
        return 0.5 * self.width * (1 - self.taper * along**5)

    def edge_at(self, z: Array) -> tuple[Array, Array]:
        """(x, y) [N] at z where the side ends and the rounded edge begins."""
        top = self.top(z)
        shoulder = np.minimum(self.belt, top - self.edge)
        y = top - self.edge
        return self.half_width(z) - self.lean * (y - shoulder), y

    def shell(self) -> Array:
        """The body without its ends [STATIONS, points, 3], rows from front to rear."""
        z = self._stations()
        right = self._section(z)
        left = right[:, -2::-1] * np.array([-1.0, 1.0, 1.0])
        middle = np.stack([0 * z, np.full_like(z, self.sill), z], axis=1)[:, None]
        return np.concatenate([middle, right, left, middle], axis=1)

    def end(self, front: bool, bulge: float) -> Array:
        """The closed front or rear face [rings, points, 3], pushed out by `bulge` in its middle."""
        rim = self.shell()[0 if front else -1]
        middle = np.array([0.0, (rim[:, 1].min() + rim[:, 1].max()) / 2, rim[0, 2]])
        scale = np.array([1.0, 0.97, 0.92, 0.8, 0.6, 0.35, 0.0])
        rings = middle + (rim - middle) * scale[:, None, None]
        rings[..., 2] += (1 if front else -1) * bulge * np.sqrt(1 - scale**2)[:, None]
        return rings

    def _stations(self) -> Array:
        """Places z [STATIONS], equally far apart along the top line."""
        step = np.linalg.norm(np.diff(self.profile, axis=0), axis=1)
        length = np.concatenate([[0.0], np.cumsum(step)])
        return np.interp(np.linspace(0, length[-1], STATIONS), length, self.profile[:, 0])

    def _section(self, z: Array) -> Array:
        """Points [N,K,3] from the sill on the car's left over the side to the middle of the top."""
        half, top = self.half_width(z), self.top(z)
        edge_x, edge_y = self.edge_at(z)
        shoulder = np.minimum(self.belt, edge_y)
        t = np.linspace(0, 1, LOWER)
        tuck = 1 - 0.07 * (1 - t) ** 2 - 0.015 * t**3
        lower = (half[:, None] * tuck, self.sill + (shoulder - self.sill)[:, None] * t)
        t = np.linspace(0, 1, UPPER + 1)[1:]
        start = half * 0.985
        upper = (
            start[:, None] + (edge_x - half)[:, None] * t,
            shoulder[:, None] + (edge_y - shoulder)[:, None] * t,
        )
        turn = np.linspace(0, np.pi / 2, CORNER + 1)[1:]
        side = edge_x - 0.015 * half - self.edge
        corner = (
            side[:, None] + self.edge * np.cos(turn),
            edge_y[:, None] + self.edge * np.sin(turn),
        )
        t = np.linspace(1, 0, TOP + 1)[1:]
        crown = 0.03 * self.width * (1 - t**2)
        roof = (side[:, None] * t, top[:, None] + crown)
        x, y = (
            np.concatenate(pair, axis=1) for pair in zip(lower, upper, corner, roof, strict=True)
        )
        return np.stack([x, y, np.repeat(z[:, None], x.shape[1], axis=1)], axis=-1)


def rounded(points: Array, times: int = 2) -> Array:
    """A line [N,2] with its corners cut `times` times (Chaikin); its ends stay."""
    for _ in range(times):
        first, second = points[:-1], points[1:]
        cut = np.stack([0.8 * first + 0.2 * second, 0.2 * first + 0.8 * second], axis=1)
        points = np.concatenate([points[:1], cut.reshape(-1, 2), points[-1:]])
    return points


@dataclass(frozen=True)
class Style:
    """A kind of car: typical measures (metres) and a top line in shares of length and height."""

    length: float
    width: float
    height: float
    line: tuple[tuple[float, float], ...]
    roof: tuple[int, int]  # which points of the line begin and end the roof
    belt: float
    lean: float
    wheel: float
    rounds: int = 2


STYLES = {
    "sedan": Style(
        4.5,
        1.78,
        1.46,
        (
            (0.5, 0.5),
            (0.46, 0.58),
            (0.2, 0.66),
            (0.03, 0.99),
            (-0.17, 0.99),
            (-0.33, 0.7),
            (-0.47, 0.67),
            (-0.5, 0.56),
        ),
        (3, 4),
        0.64,
        0.42,
        0.32,
    ),
    "hatchback": Style(
        3.8,
        1.7,
        1.5,
        (
            (0.5, 0.47),
            (0.46, 0.56),
            (0.25, 0.64),
            (0.08, 0.98),
            (-0.33, 0.98),
            (-0.46, 0.66),
            (-0.5, 0.52),
        ),
        (3, 4),
        0.62,
        0.34,
        0.31,
    ),
    "wagon": Style(
        4.6,
        1.78,
        1.5,
        (
            (0.5, 0.49),
            (0.46, 0.57),
            (0.22, 0.65),
            (0.07, 0.98),
            (-0.42, 0.97),
            (-0.485, 0.62),
            (-0.5, 0.5),
        ),
        (3, 4),
        0.63,
        0.34,
        0.32,
    ),
    "offroad": Style(
        4.3,
        1.86,
        1.78,
        (
            (0.5, 0.55),
            (0.475, 0.63),
            (0.24, 0.66),
            (0.16, 0.98),
            (-0.46, 0.98),
            (-0.492, 0.65),
            (-0.5, 0.5),
        ),
        (3, 4),
        0.65,
        0.2,
        0.39,
    ),
    "van": Style(
        4.5,
        1.85,
        2.0,
        (
            (0.5, 0.44),
            (0.475, 0.53),
            (0.4, 0.57),
            (0.24, 0.98),
            (-0.47, 0.98),
            (-0.493, 0.6),
            (-0.5, 0.45),
        ),
        (3, 4),
        0.58,
        0.14,
        0.34,
    ),
    "pickup": Style(
        4.9,
        1.86,
        1.72,
        (
            (0.5, 0.52),
            (0.475, 0.6),
            (0.24, 0.65),
            (0.13, 0.98),
            (-0.07, 0.98),
            (-0.11, 0.66),
            (-0.485, 0.66),
            (-0.5, 0.55),
        ),
        (3, 4),
        0.64,
        0.25,
        0.38,
    ),
    "sports": Style(
        4.3,
        1.86,
        1.2,
        (
            (0.5, 0.42),
            (0.45, 0.54),
            (0.16, 0.68),
            (-0.03, 0.99),
            (-0.14, 0.98),
            (-0.38, 0.76),
            (-0.47, 0.75),
            (-0.5, 0.6),
        ),
        (3, 4),
        0.66,
        0.5,
        0.33,
    ),
    "beetle": Style(
        3.9,
        1.62,
        1.5,
        (
            (0.5, 0.36),
            (0.46, 0.53),
            (0.25, 0.64),
            (0.12, 0.96),
            (-0.04, 1.0),
            (-0.2, 0.95),
            (-0.42, 0.6),
            (-0.5, 0.36),
        ),
        (3, 5),
        0.6,
        0.3,
        0.32,
        3,
    ),
}


def draw_body(rng: np.random.Generator, name: str) -> Body:
    """A body of one of the `STYLES`, with measures of its own."""
    style = STYLES[name]
    length, width, height = (
        float(v * rng.uniform(low, 2 - low))
        for v, low in ((style.length, 0.9), (style.width, 0.95), (style.height, 0.93))
    )
    line = np.array(style.line)
    shift = np.zeros_like(line)
    gap = -np.diff(line[:, 0])
    most = np.minimum(0.025, 0.4 * np.minimum(gap[:-1], gap[1:]))  # the order of points stays
    shift[1:-1, 0] = most * rng.uniform(-1, 1, len(most))
    shift[1:-1, 1] = rng.uniform(-0.015, 0.015, len(line) - 2)
    shift[style.roof[0] : style.roof[1] + 1, 1] = 0.0
    line = (line + shift) * np.array([length, height])
    wheel = style.wheel * float(rng.uniform(0.94, 1.08))
    front = 0.5 - (wheel + 0.42) / length + float(rng.uniform(-0.01, 0.01))
    rear = -0.5 + (wheel + 0.45) / length + float(rng.uniform(-0.01, 0.02))
    return Body(
        length=length,
        width=width,
        height=height,
        profile=rounded(line, style.rounds),
        belt=style.belt * height,
        sill=0.55 * wheel + float(rng.uniform(0.0, 0.04)),
        roof=(float(line[style.roof[0], 0]), float(line[style.roof[1], 0])),
        lean=style.lean,
        edge=float(rng.uniform(0.05, 0.09)),
        taper=float(rng.uniform(0.06, 0.16)),
        wheels=(front * length, rear * length),
        wheel=wheel,
    )
