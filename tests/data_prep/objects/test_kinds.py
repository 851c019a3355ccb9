"""Cars look like cars and chairs like chairs, from every side as they should."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from data_prep.meshes.cameras import Camera, Lens
from data_prep.meshes.model import Model
from data_prep.meshes.render import Scene
from data_prep.objects.car import make_car
from data_prep.objects.car_body import STYLES, draw_body
from data_prep.objects.car_paint import Shell, draw_look
from data_prep.objects.chair import make_chair

Maker = Callable[[np.random.Generator], Model]


def rng(number: int) -> np.random.Generator:
    """The numbers of one object."""
    return np.random.default_rng([0, number])


def all_points(model: Model) -> NDArray[np.float64]:
    """Corners of all parts."""
    return np.concatenate([part.vertices for part in model.parts]).astype(float)


@pytest.mark.parametrize("make", [make_car, make_chair])
class TestBoth:
    def test_normalised_and_whole(self, make: Maker) -> None:
        for number in range(8):
            model = make(rng(number))
            points = all_points(model)
            low, high = points.min(0), points.max(0)
            assert np.allclose(low + high, 0, atol=1e-5)
            assert np.linalg.norm(high - low) == pytest.approx(1, abs=1e-5)
            for part in model.parts:
                assert np.isfinite(part.normals).all()
                assert np.allclose(np.linalg.norm(part.normals, axis=1), 1, atol=1e-4)
                assert len(part.faces) < 25_000

    def test_the_same_numbers_make_the_same_object(self, make: Maker) -> None:
        first, again, other = make(rng(1)), make(rng(1)), make(rng(2))
        assert np.array_equal(all_points(first), all_points(again))
        for a, b in zip(first.parts, again.parts, strict=True):
            assert (a.texture is None) == (b.texture is None)
            assert a.texture is None or np.array_equal(a.texture, b.texture)
        assert all_points(first).shape != all_points(other).shape or not np.allclose(
            all_points(first), all_points(other)
        )

    def test_left_and_right_differ(self, make: Maker) -> None:
        """Mirrored, the view from one side is not that from the other."""
        apart = []
        for number in range(4):
            scene = Scene(make(rng(number)), Lens((64, 64)), samples=4)
            left, right = (scene.render(Camera(a, 10)).image.astype(float) for a in (60, 300))
            shown = (left < 250).any(-1) | (right[:, ::-1] < 250).any(-1)
            apart.append(np.abs(left - right[:, ::-1])[shown].mean())
        assert np.mean(apart) > 10


class TestCar:
    @pytest.mark.parametrize("style", list(STYLES))
    def test_bodies_are_plausible(self, style: str) -> None:
        for number in range(5):
            body = draw_body(rng(number), style)
            assert (np.diff(body.profile[:, 0]) < 0).all()  # from front to rear
            shell = body.shell()
            assert np.isfinite(shell).all()
            high = shell[..., 1].max()
            assert body.height * 0.95 < high < body.height * 1.06
            assert np.ptp(shell[..., 2]) == pytest.approx(body.length, rel=1e-6)
            assert 0.93 * body.width < np.ptp(shell[..., 0]) <= body.width
            assert np.allclose(
                shell[:, 1:-1], shell[:, -2:0:-1] * [-1, 1, 1]
            )  # as wide on both sides
            front, rear = body.wheels
            assert body.length / 2 - front > body.wheel and rear + body.length / 2 > body.wheel
            assert front - rear > 4 * body.wheel

    def test_a_car_is_long_low_and_stands_on_four_wheels(self) -> None:
        for number in range(5):
            model = make_car(rng(number))
            wide, high, long = np.ptp(all_points(model), axis=0)
            assert long > 1.5 * high and long > 1.6 * wide
            points = all_points(model)
            feet = points[points[:, 1] < points[:, 1].min() + 0.01]
            corners = {(x > 0, z > 0) for x, _, z in feet}
            assert len(corners) == 4
            assert np.abs(feet[:, 2]).min() > 0.15

    def test_lamps_are_red_behind_and_not_in_front(self) -> None:
        for number in range(4):
            scene = Scene(make_car(rng(number)), Lens((96, 96)), samples=4)
            red = []
            for azimuth in (0, 180):
                image = scene.render(Camera(azimuth, 0)).image.astype(int)
                low = image[48:]  # below the middle: no livery's red roof
                lamp = (low[..., 0] > 110) & (low[..., 1] < 60) & (low[..., 2] < 60)
                red.append(int(lamp.sum()))
            if red[0] < 30:  # the body itself is not red
                assert red[1] > red[0] + 10

    def test_windows_are_above_the_belt_and_the_road_is_dark_below(self) -> None:
        body = draw_body(rng(0), "sedan")
        shell = Shell(body, draw_look(rng(0), "sedan", body))
        x = body.half_width(np.array([0.3]))[0]
        pane, door, sill = ((x, y, 0.3) for y in (body.belt + 0.15, body.belt - 0.2, body.sill))
        glass, paint, dark = shell(np.array([pane, door, sill]))
        assert glass[2] > glass[0] and glass.max() < 0.95  # bluish
        assert not np.allclose(glass, paint)
        assert dark.max() < 0.2


class TestChair:
    def test_the_back_is_behind_and_the_seat_in_the_middle(self) -> None:
        for number in range(20):
            points = all_points(make_chair(rng(number)))
            low, high = points[:, 1].min(), points[:, 1].max()
            top = points[points[:, 1] > high - 0.12 * (high - low)]
            assert top[:, 2].mean() < -0.05
            assert np.ptp(points[:, 1]) > 0.9 * np.ptp(points[:, 0])
            assert np.abs(points[:, 0].max() + points[:, 0].min()) < 1e-5

    def test_a_chair_is_seen_from_all_sides(self) -> None:
        scene = Scene(make_chair(rng(5)), Lens((64, 64)), samples=4)
        for azimuth in range(0, 360, 60):
            share = scene.geometry(Camera(azimuth, 10)).hit.mean()
            assert 0.05 < share < 0.6
