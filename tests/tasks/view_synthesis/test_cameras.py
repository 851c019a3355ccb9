"""Cameras: directions, distances, names, tables of cameras, lists of angles."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gfla_video.tasks.view_synthesis.cameras import (
    Camera,
    angular_distance,
    azimuth_difference,
    camera_axes,
    parse_view,
    read_angles,
    read_cameras,
    view_name,
)
from gfla_video.utils.errors import UserError


def test_axes_follow_the_convention() -> None:
    front = camera_axes(Camera(0, 0))
    np.testing.assert_allclose(front, np.eye(3), atol=1e-12)
    # A quarter counter-clockwise seen from above: the camera stands on +x and has -z to its right.
    quarter = camera_axes(Camera(90, 0))
    np.testing.assert_allclose(quarter, [[0, 0, -1], [0, 1, 0], [1, 0, 0]], atol=1e-12)
    above = camera_axes(Camera(0, 90))
    np.testing.assert_allclose(above, [[1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-12)


@pytest.mark.parametrize("camera", [Camera(20, 10), Camera(200, -35), Camera(347.5, 80)])
def test_axes_are_a_right_handed_frame(camera: Camera) -> None:
    axes = camera_axes(camera)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1.0)
    assert axes[0, 1] == 0.0  # the horizon stays level
    elevation, azimuth = map(math.radians, (camera.elevation, camera.azimuth))
    expected = (
        math.sin(azimuth) * math.cos(elevation),
        math.sin(elevation),
        math.cos(azimuth) * math.cos(elevation),
    )
    np.testing.assert_allclose(axes[2], expected, atol=1e-12)


def test_angular_distance() -> None:
    assert angular_distance(Camera(350, 0), Camera(10, 0)) == pytest.approx(20)
    assert angular_distance(Camera(30, 10), Camera(30, -15)) == pytest.approx(25)
    assert angular_distance(Camera(0, 90), Camera(77, 90)) == pytest.approx(0, abs=1e-6)
    assert angular_distance(Camera(0, 0), Camera(180, 0)) == pytest.approx(180)
    assert angular_distance(Camera(12, 34), Camera(12, 34)) == 0
    # The haversine formula as a second opinion.
    one, other = Camera(15, 20), Camera(100, -40)
    low, high, turn = (math.radians(a) for a in (20, -40, 85))
    half = math.sin((high - low) / 2) ** 2 + math.cos(low) * math.cos(high) * (
        math.sin(turn / 2) ** 2
    )
    assert angular_distance(one, other) == pytest.approx(math.degrees(2 * math.asin(half**0.5)))
    assert azimuth_difference(355, 5) == azimuth_difference(5, 355) == 10


@pytest.mark.parametrize(
    ("camera", "name"),
    [
        (Camera(20, 10), "020_10"),
        (Camera(0, 0), "000_00"),
        (Camera(347.5, -5), "347.5_-5"),
        (Camera(5, 2.25), "005_2.25"),
    ],
)
def test_names_and_cameras_meet(camera: Camera, name: str) -> None:
    assert view_name(camera) == name
    assert parse_view(name) == camera


def test_names_go_round_and_other_names_say_nothing() -> None:
    assert view_name(Camera(360, 0)) == "000_00"
    assert view_name(Camera(-10, 0)) == "350_00"
    assert parse_view("-10_0") == Camera(350, 0)
    for name in ("obj1__3", "020", "a_b", "020_10_5", "1e3_0", "nan_0", "020_10x"):
        assert parse_view(name) is None


@pytest.mark.parametrize(
    ("value", "angles"),
    [
        (30, [30]),
        ([0, 2.5], [0, 2.5]),
        ("0:360:90", [0, 90, 180, 270]),
        ("40:0:-20", [40, 20]),
        ("0,10, 20", [0, 10, 20]),
        ("0:40:20,350", [0, 20, 350]),
        (["0:40:20", 90], [0, 20, 90]),
    ],
)
def test_angles(value: Any, angles: list[float]) -> None:
    assert list(read_angles(value, "azimuths")) == angles


def test_rounding_adds_no_angle() -> None:
    assert len(read_angles("0:1:0.1", "azimuths")) == 10


@pytest.mark.parametrize(
    "value", ["", "a", "0:10", "0:10:x", "0:10:0", "10:0:5", [], "nan", True, "0:1:1e-9", None]
)
def test_bad_angles(value: Any) -> None:
    with pytest.raises(UserError, match="azimuths: .*(angle|angles)") as caught:
        read_angles(value, "azimuths")
    assert "\n" not in str(caught.value)


def test_a_table_of_cameras(tmp_path: Path) -> None:
    path = tmp_path / "cameras.json"
    views = {
        "b.png": {"azimuth": 365, "elevation": 2.5},
        "a.png": {"azimuth": 5, "elevation": -1},
    }
    path.write_text(json.dumps({"views": views}))
    read = read_cameras(path)
    assert read == {"b.png": Camera(5, 2.5), "a.png": Camera(5, -1)}
    assert list(read) == ["b.png", "a.png"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "says no camera"),
        ('{"views": {}}', "says no camera"),
        ('{"views": {"a.png": {"azimuth": 5}}}', r"view 'a.png': elevation must be a number"),
        ('{"views": {"a.png": 5}}', r"view 'a.png': azimuth must be a number"),
        ('{"views": {"a.png": {"azimuth": true, "elevation": 0}}}', "azimuth must be a number"),
        ('{"views": {"a.png": {"azimuth": NaN, "elevation": 0}}}', "azimuth must be finite"),
    ],
)
def test_bad_tables_of_cameras(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "cameras.json"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_cameras(path)
    assert str(path) in str(caught.value)
    with pytest.raises(UserError, match="nowhere"):
        read_cameras(tmp_path / "nowhere.json")


def test_names_of_angles_that_are_nearly_whole() -> None:
    """A rounding error of an angle must not make another name."""
    for azimuth in (0.0, 360.0, 359.9999999, -1e-14):
        assert view_name(Camera(azimuth, -0.0)) == "000_00"
    assert view_name(Camera(20.0000001, 9.9999999)) == "020_10"
