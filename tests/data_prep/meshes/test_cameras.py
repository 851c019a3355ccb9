"""Cameras: where they stand, and where points appear, against values worked out by hand."""

import numpy as np
import pytest

from data_prep.meshes.cameras import Camera, Lens, grid, project, view_name
from gfla_video.tasks.view_synthesis import cameras as package

LENS = Lens((101, 201), fov=90.0, distance=2.0)  # focal length: 50.5 pixels


@pytest.mark.parametrize(
    ("camera", "place"),
    [
        (Camera(0, 0), [0, 0, 2]),
        (Camera(90, 0), [2, 0, 0]),
        (Camera(0, 90), [0, 2, 0]),
        (Camera(180, 30), [0, 1, -np.sqrt(3)]),
    ],
)
def test_position(camera: Camera, place: list[float]) -> None:
    np.testing.assert_allclose(LENS.position(camera), place, atol=1e-12)
    np.testing.assert_allclose(camera.axes() @ camera.axes().T, np.eye(3), atol=1e-12)


def test_project_by_hand() -> None:
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 1], [0, 0, -2]])
    xy, depth = project(LENS, Camera(0, 0), points)
    np.testing.assert_allclose(depth, [2, 2, 1, 4])
    np.testing.assert_allclose(xy, [[100, 50], [125.25, 50], [100, -0.5], [100, 50]])


def test_camera_to_the_right_sees_the_front_on_the_left() -> None:
    xy, _ = project(LENS, Camera(45, 0), np.array([[0, 0, 1.0]]))
    assert xy[0, 0] < 100


@pytest.mark.parametrize(
    ("camera", "name"),
    [
        (Camera(20, 10), "020_10"),
        (Camera(0, 0), "000_00"),
        (Camera(340.0, 5.0), "340_05"),
        (Camera(347.5, -5), "347.5_-5"),
        (Camera(5, 12.25), "005_12.25"),
    ],
)
def test_view_name(camera: Camera, name: str) -> None:
    assert view_name(camera) == name
    assert tuple(float(cell) for cell in name.split("_")) == camera


@pytest.mark.parametrize("azimuth", [0, 5, 20.0, 347.5, 12.25, 359.999])
@pytest.mark.parametrize("elevation", [0, 5.0, 10, 12.5, -5, -0.5, -30.25, -0.0])
def test_views_are_named_as_the_package_names_them(azimuth: float, elevation: float) -> None:
    name = view_name(Camera(azimuth, elevation))
    assert name == package.view_name(package.Camera(azimuth, elevation))
    assert package.parse_view(name) == (azimuth, elevation)


@pytest.mark.parametrize("azimuth", [360, 360 - 1e-6, 360 - 1e-9, -1e-9, -0.0])
def test_a_whole_turn_is_none(azimuth: float) -> None:
    assert view_name(Camera(azimuth, 0)) == "000_00"


def test_grid_goes_elevation_by_elevation() -> None:
    assert grid([0, 90], [10, 20]) == [(0, 10), (90, 10), (0, 20), (90, 20)]
