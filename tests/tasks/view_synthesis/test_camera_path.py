"""Cameras of --driving: the turntable, angles on the command line, JSON files."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from gfla_video.tasks.view_synthesis.camera_path import (
    parse_path,
    read_camera_file,
    read_path,
    turntable,
)
from gfla_video.tasks.view_synthesis.cameras import Camera
from gfla_video.utils.errors import UserError

START = Camera(340.0, 10.0)


def path_of(driving: str, turns: float | None = None, step: float = 20.0) -> list[Camera]:
    return list(read_path(driving, START, step, turns).cameras)


def saved(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_turntable_goes_once_round_from_the_source() -> None:
    path = turntable(START, 20.0)
    assert len(path.cameras) == 18 and path.fps == Fraction(6)
    assert path.cameras[:3] == (START, Camera(0.0, 10.0), Camera(20.0, 10.0))
    assert path.cameras[-1] == Camera(320.0, 10.0)
    assert sorted(camera.azimuth for camera in path.cameras) == [20.0 * i for i in range(18)]
    assert len(turntable(START, 5.0).cameras) == 72 and turntable(START, 5.0).fps == 24


def test_turns() -> None:
    assert [camera.azimuth for camera in path_of("turntable", -0.25, 30.0)] == [340, 310, 280]
    assert path_of("turntable", 2.0) == path_of("turntable") * 2
    for turns in (0.0, 1e-9, float("nan"), float("inf")):
        with pytest.raises(UserError, match="--turns: .* are no clip"):
            path_of("turntable", turns)
    with pytest.raises(UserError, match="--turns: is for --driving turntable"):
        path_of("azimuth=3", 1.0)


@pytest.mark.parametrize(
    ("text", "cameras"),
    [
        ("azimuth=0:60:20,elevation=10", [(0, 10), (20, 10), (40, 10)]),
        ("elevation=0:20:10, azimuth=355:365:5", [(355, 0), (0, 10)]),
        ("azimuth=30:-31:-30", [(30, 10), (0, 10), (330, 10)]),
        ("elevation=20", [(340, 20)]),
        ("azimuth=0,90,180,elevation=5", [(0, 5), (90, 5), (180, 5)]),
        ("azimuth=0:0.3:0.1", [(0, 10), (0.1, 10), (0.2, 10)]),
        ("azimuth=-90,elevation=-5.5", [(270, -5.5)]),
    ],
)
def test_angles_on_the_command_line(text: str, cameras: list[tuple[float, float]]) -> None:
    path = parse_path(text, START)
    assert path.fps is None
    assert list(path.cameras) == [pytest.approx(camera) for camera in cameras]
    assert read_path(text, START, 20.0, None).cameras == path.cameras


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("azimuth=0:60:20,elevation=0:20:10", "3 of azimuth and 2 of elevation, say as many"),
        ("azimut=3", "'azimut' is none of azimuth, elevation; pass turntable, "),
        ("azimuth=1,azimuth=2", "'azimuth' is said twice"),
        ("3,azimuth=2", "'3' belongs to no angle"),
        ("azimuth=left", "--driving azimuth: 'left' is no angle"),
        ("azimuth=0:360:0", "too many angles"),
        ("azimuth=30:0:5", "holds no angle"),
        ("azimuth=", "'' is no angle"),
    ],
)
def test_wrong_angles_are_said(text: str, sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        parse_path(text, START)
    assert sentence in str(raised.value) and str(raised.value).startswith("--driving")


def test_files_of_cameras(tmp_path: Path) -> None:
    listed = [{"azimuth": 5, "elevation": 0}, {"azimuth": -5.5, "elevation": 3, "note": "x"}]
    cameras = (Camera(5.0, 0.0), Camera(354.5, 3.0))
    assert read_camera_file(saved(tmp_path / "a.json", listed)).cameras == cameras
    for key in ("views", "cameras"):
        path = read_camera_file(saved(tmp_path / "a.json", {key: listed, "fps": "30000/1001"}))
        assert path.cameras == cameras and path.fps == Fraction(30000, 1001)
    pictures = {"views": dict(zip(["obj__1.png", "obj__0.png"], listed, strict=True))}
    path = read_camera_file(saved(tmp_path / "a.json", pictures))
    assert path.cameras == cameras and path.names[1].endswith("a.json, obj__0.png")
    odd = saved(tmp_path / "a=b.json", listed)  # a name, though it has a =
    assert read_path(str(odd), START, 5.0, None).cameras == cameras


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[1,", "cannot be read as JSON"),
        ("[]", "holds no cameras"),
        ({"azimuths": [0, 20]}, "holds no cameras"),
        ("3", "holds no cameras"),
        ([{"azimuth": 3, "elevation": 0}, {"azimuth": 3}], "frame 1: elevation must be a number"),
        ([{"azimuth": True, "elevation": 0}], "frame 0: azimuth must be a number"),
        ('[{"azimuth": NaN, "elevation": 0}]', "azimuth must be finite"),
        ({"views": [{"azimuth": 3, "elevation": 0}], "fps": "fast"}, "fps: 'fast' is no frame"),
    ],
)
def test_wrong_files_are_said(tmp_path: Path, content: Any, sentence: str) -> None:
    path = saved(tmp_path / "cameras.json", content)
    with pytest.raises(UserError) as raised:
        read_camera_file(path)
    assert sentence in str(raised.value) and str(raised.value).startswith(str(path))


def test_what_is_no_file(tmp_path: Path) -> None:
    for driving in ("turntabel", str(tmp_path), str(tmp_path / "none.json")):
        with pytest.raises(UserError, match=r"there is no such file; pass turntable, \"azimuth="):
            path_of(driving)
