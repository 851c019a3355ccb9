"""Codes of cameras: the released bins, any angle, angles off the bins, pictures for people."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from gfla_video.registry import STRUCTURES
from gfla_video.tasks.view_synthesis.cameras import Camera, angular_distance
from gfla_video.tasks.view_synthesis.structure import CameraAngles, CameraBins
from gfla_video.utils.errors import UserError


def test_the_registry_knows_them() -> None:
    bins = STRUCTURES.build({"type": "CameraBins"})
    assert isinstance(bins, CameraBins)
    assert bins.channels == 21
    assert (
        STRUCTURES.build({"type": "CameraBins", "azimuths": 72, "elevations": [0]}).channels == 73
    )
    assert STRUCTURES.build({"type": "CameraAngles"}).channels == 4
    assert STRUCTURES.build({"type": "CameraAngles", "harmonics": 3}).channels == 8


@pytest.mark.parametrize("name", ["shapenet", "shapenet_2layers"])
def test_golden_one_hot(name: str, golden: Callable[[str], Any]) -> None:
    arrays = golden(name).arrays
    for which in ("source", "target"):
        (index, elevation), expected = arrays[f"pose_{which}"][0], arrays[f"{which}_B"][0]
        code = CameraBins().encode(Camera(10.0 * index, elevation), (256, 256))
        assert code.dtype == torch.float32
        assert code.shape == expected.shape == (21, 1, 1)
        np.testing.assert_array_equal(code.numpy(), expected)


def test_every_bin_comes_back_as_released() -> None:
    bins = CameraBins()
    for index in range(0, 36, 2):
        for elevation in (0, 10, 20):
            code = bins.encode(Camera(10 * index, elevation))
            assert torch.nonzero(code).tolist() == [
                [index // 2, 0, 0],
                [18 + elevation // 10, 0, 0],
            ]
            assert bins.decode(code) == Camera(10 * index, elevation)
    assert torch.equal(bins.encode(Camera(-20, 0)), bins.encode(Camera(340, 0)))
    assert torch.equal(bins.encode((720.0, 0)), bins.encode(Camera(0, 0)))


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        (Camera(25, 0), r"azimuth 25 is none of the 18 .*every 20 degrees.*nearest=True"),
        (Camera(20, 15), r"elevation 15 is none of those .*\(0, 10, 20\).*--off-bins nearest"),
        (Camera(359.9, 10), r"azimuth 359.9 is none"),
    ],
)
def test_an_angle_off_the_bins_is_said(camera: Camera, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        CameraBins().encode(camera)
    assert "\n" not in str(caught.value)
    assert CameraBins(nearest=True).encode(camera).sum() == 2


@pytest.mark.parametrize(
    ("camera", "expected"),
    [
        (Camera(29, 4), Camera(20, 0)),
        (Camera(31, 6), Camera(40, 10)),
        (Camera(351, 80), Camera(0, 20)),
        (Camera(349, -30), Camera(340, 0)),
        (Camera(30, 15), Camera(20, 10)),  # the lower one, as the released integer division
        (Camera(350, 5), Camera(340, 0)),
    ],
)
def test_the_nearest_bin_on_request(camera: Camera, expected: Camera) -> None:
    bins = CameraBins(nearest=True)
    assert bins.decode(bins.encode(camera)) == bins.nearest_bin(camera) == expected


def test_the_nearest_azimuth_is_the_nearest() -> None:
    bins = CameraBins(azimuths=7, elevations=(0,), nearest=True)
    known = [Camera(360 / 7 * index, 0) for index in range(7)]
    for azimuth in np.random.default_rng(0).uniform(0, 360, 200):
        away = [angular_distance(Camera(azimuth, 0), camera) for camera in known]
        found = bins.nearest_bin(Camera(azimuth, 0))
        assert angular_distance(found, known[int(np.argmin(away))]) < 1e-6


def test_angles_by_hand() -> None:
    code = CameraAngles(harmonics=2, elevation_scale=2.0).encode(Camera(30, 15), (64, 64))
    assert code.shape == (6, 1, 1)
    assert code.dtype == torch.float32
    half, root = 0.5, math.sqrt(3) / 2
    expected = [half, root, root, half, half, root]  # sin, cos of 30, 60 and 2 x 15
    torch.testing.assert_close(code.flatten(), torch.tensor(expected))


@pytest.mark.parametrize("options", [{}, {"harmonics": 4}, {"elevation_scale": 4.0}])
def test_any_angle_comes_back(options: dict[str, Any]) -> None:
    angles = CameraAngles(**options)
    for azimuth, elevation in np.random.default_rng(1).uniform((0, -40), (360, 40), (50, 2)):
        found = angles.decode(angles.encode(Camera(azimuth, elevation)))
        assert angular_distance(found, Camera(azimuth, elevation)) < 1e-3
    assert angles.encode(Camera(1, 0)).equal(angles.encode(Camera(361, 0)))


def test_bad_options_and_shapes() -> None:
    for kind, options, message in (
        (CameraBins, {"azimuths": 0}, "azimuths must be at least 1"),
        (CameraBins, {"elevations": ()}, "elevations must be different"),
        (CameraBins, {"elevations": (0, 0)}, "elevations must be different"),
        (CameraAngles, {"harmonics": 0}, "harmonics must be at least 1"),
        (CameraAngles, {"elevation_scale": 0.0}, "elevation_scale above 0"),
    ):
        with pytest.raises(UserError, match=message):
            kind(**options)
    with pytest.raises(UserError, match="elevation 50 is beyond those .* below 45 degrees"):
        CameraAngles(elevation_scale=4.0).encode(Camera(0, 50))
    with pytest.raises(ValueError, match=r"\[21, 1, 1\]"):
        CameraBins().decode(torch.zeros(20, 1, 1))
    with pytest.raises(ValueError, match=r"\[4, 1, 1\]"):
        CameraAngles().decode(torch.zeros(4, 8, 8))


def red(picture: np.ndarray) -> np.ndarray:
    """Pixels of the wedge's front."""
    values = picture.astype(int)
    return (values[..., 0] > 180) & (values[..., 1] < 100) & (values[..., 2] < 90)


@pytest.mark.parametrize("size", [(64, 64), (96, 160), (256, 256)])
def test_the_picture_shows_where_the_camera_is(size: tuple[int, int]) -> None:
    draw = CameraBins().draw
    front = draw(Camera(0, 0), size)
    assert front.shape == (*size, 3)
    assert front.dtype == np.uint8
    assert (front[0, 0] == 255).all()
    assert red(front).any()
    assert not red(draw(Camera(180, 10), size)).any()
    # From the object's left its front points to the left of the picture, and the other way round.
    for azimuth, left in ((60, True), (300, False)):
        columns = np.nonzero(red(draw(Camera(azimuth, 0), size)))[1]
        assert (columns.mean() < (size[1] - 1) / 2) == left
    assert not np.array_equal(draw(Camera(0, 0), size), draw(Camera(0, 20), size))
    # The numbers are part of it: these two cameras are one.
    below = slice(size[0] * 4 // 5, None)
    assert not np.array_equal(
        draw(Camera(90, 90), size)[below], draw(Camera(90, 89.99), size)[below]
    )
