"""Solids: closed, turned outwards, smooth where they should be, and painted in the right place."""

import numpy as np
import pytest

from data_prep.meshes.model import Part
from data_prep.objects.solids import Array, block, lathe, sheet, tube

GREY = (0.5, 0.5, 0.5)
Y = np.array([0.0, 1.0, 0.0])


def volume(part: Part) -> float:
    """What the triangles enclose, by the divergence theorem; negative when turned inside out."""
    a, b, c = (part.vertices[part.faces[:, i]].astype(float) for i in range(3))
    return float(np.einsum("ni,ni->", a, np.cross(b, c)) / 6)


def texel(part: Part, index: int) -> Array:
    """The texture's colour at a corner: bilinear, (0, 0) the lower left corner as in OBJ files."""
    height, width = part.texture.shape[:2]
    x = part.uv[index, 0] * width - 0.5
    y = (1 - part.uv[index, 1]) * height - 0.5
    x0, y0 = (np.clip(int(np.floor(v)), 0, n - 2) for v, n in ((x, width), (y, height)))
    a, b = x - x0, y - y0
    t = part.texture.astype(float) / 255
    top = (1 - a) * t[y0, x0] + a * t[y0, x0 + 1]
    return (1 - b) * top + b * ((1 - a) * t[y0 + 1, x0] + a * t[y0 + 1, x0 + 1])


def ball(radius: float) -> Array:
    """Profile of a ball, for `lathe`."""
    turn = np.linspace(0, np.pi, 25)
    return radius * np.stack([np.sin(turn), -np.cos(turn)], axis=1)


def ball_grid() -> Array:
    """A unit ball as a grid [25,37,3]."""
    turn, (r, h) = np.linspace(0, 2 * np.pi, 37), ball(1.0).T[..., None]
    return np.stack([r * np.cos(turn), r * np.sin(turn), h + 0 * turn], axis=-1)


class TestShape:
    def test_volumes(self) -> None:
        assert volume(block((5, -2, 1), (1, 2, 3), GREY)) == pytest.approx(6, rel=1e-4)
        assert 5.5 < volume(block((0, 0, 0), (1, 2, 3), GREY, rounding=0.2)) < 5.95
        bar = tube(np.array([[0, 0, 0], [0, 3, 4.0]]), 0.1, GREY, sides=64)
        assert volume(bar) == pytest.approx(np.pi * 0.01 * 5, rel=1e-2)
        made = lathe(ball(0.7), np.array([1.0, 2.0, 3.0]), Y, GREY, sides=64)
        assert volume(made) == pytest.approx(4 / 3 * np.pi * 0.7**3, rel=1e-2)

    def test_bent_blocks_stay_turned_outwards(self) -> None:
        bent = block((0, 0, 0), (1, 2, 0.2), GREY, 0.05, lambda p: p + p[:, :1] ** 2 * [0, 0, 0.8])
        assert volume(bent) == pytest.approx(
            volume(block((0, 0, 0), (1, 2, 0.2), GREY, 0.05)), 0.01
        )

    def test_closed(self) -> None:
        """Every edge is shared by two triangles that run along it in opposite directions."""
        for part in (block((0, 0, 0), (1, 2, 3), GREY, 0.1), lathe(ball(1), 0 * Y, Y, GREY)):
            _, place = np.unique(np.rint(part.vertices * 1e4), axis=0, return_inverse=True)
            faces = place.reshape(-1)[part.faces]
            edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
            forth = {tuple(edge) for edge in edges.tolist()}
            assert len(forth) == len(edges)
            assert {(b, a) for a, b in forth} == forth

    def test_an_open_sheet_faces_away_from_the_inside(self) -> None:
        x, y = np.meshgrid(np.linspace(-1, 1, 4), np.linspace(-1, 1, 5))
        flat = np.stack([x, y, np.full_like(x, 2.0)], axis=-1)
        for grid in (flat, flat[::-1]):
            part = sheet(grid, GREY, inside=np.zeros(3))
            assert np.allclose(part.normals, [0, 0, 1])


class TestNormals:
    def test_a_ball_is_smooth(self) -> None:
        part = lathe(ball(1.0), 0 * Y, Y, GREY, sides=48)
        assert (part.normals * part.vertices).sum(1).min() > 0.99

    def test_a_box_has_creases(self) -> None:
        part = block((0, 0, 0), (1, 1, 1), GREY)
        assert np.allclose(np.abs(part.normals).max(axis=1), 1)
        assert np.allclose(np.linalg.norm(part.normals, axis=1), 1)

    def test_a_tube_is_smooth_round_and_flat_at_its_ends(self) -> None:
        part = tube(np.array([[0, 0, 0], [0, 0, 1.0]]), 0.2, GREY, sides=16)
        along = np.abs(part.normals[:, 2])
        assert ((along < 1e-5) | (along > 1 - 1e-5)).all()
        radial = part.normals[along < 0.5, :2]
        out = part.vertices[along < 0.5, :2] / 0.2
        assert (radial * out).sum(1).min() > 0.99


class TestPaint:
    @pytest.mark.parametrize("kind", ["sheet", "block", "lathe"])
    def test_the_texture_shows_the_paint_where_the_point_is(self, kind: str) -> None:
        paint = lambda p: 0.5 + 0.4 * np.tanh(p * [0.3, 0.5, 0.4])  # noqa: E731
        made = {
            "sheet": lambda: sheet(ball_grid(), paint),
            "block": lambda: block((0, 0, 0), (1, 2, 3), paint, 0.1, texels=48),
            "lathe": lambda: lathe(np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]]), 0 * Y, Y, paint),
        }[kind]()
        points = made.vertices.astype(float)
        if kind == "lathe":  # its paint sees (across, across, along)
            along = points[:, 1]
            far = np.hypot(points[:, 0], points[:, 2])
            for i in range(0, len(points), 7):
                across = np.arctanh((texel(made, i)[:2] - 0.5) / 0.4) / [0.3, 0.5]
                assert np.hypot(*across) == pytest.approx(far[i], abs=0.06)
                assert texel(made, i)[2] == pytest.approx(
                    0.5 + 0.4 * np.tanh(0.4 * along[i]), abs=0.02
                )
            return
        wanted = paint(points)
        found = np.array([texel(made, i) for i in range(len(points))])
        assert np.abs(found - wanted).max() < 0.03

    def test_block_paint_sees_points_before_bending_and_moving(self) -> None:
        paint = lambda p: np.where(p[:, 1:2] > 0, 1.0, 0.0) * np.ones(3)  # noqa: E731
        part = block((9, 9, 9), (1, 1, 1), paint, shape=lambda p: p * [1, 3, 1])
        high = part.vertices[:, 1] > 9.1
        low = part.vertices[:, 1] < 8.9
        colours = np.array([texel(part, i)[0] for i in range(len(part.vertices))])
        assert colours[high].min() > 0.9
        assert colours[low].max() < 0.1
