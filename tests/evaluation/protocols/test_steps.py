"""Steps of protocols against the libraries they name."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from gfla_video.evaluation.protocols import Crop, FileFormat, Pad, Resize
from gfla_video.evaluation.protocols.steps import FILTERS, read_step, step_settings
from gfla_video.utils.errors import UserError


@pytest.fixture
def picture() -> np.ndarray:
    """Random colours, 37 x 53: an odd size, and every filter differs on it."""
    return np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)


def test_resizing_is_that_of_the_library(picture: np.ndarray) -> None:
    size = (16, 24)
    made = Resize(size, "pillow", "lanczos").apply(picture)
    expected = Image.fromarray(picture).resize((24, 16), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(made, np.asarray(expected))
    made = Resize(size, "opencv", "area").apply(picture)
    np.testing.assert_array_equal(made, cv2.resize(picture, (24, 16), interpolation=cv2.INTER_AREA))
    maps = torch.from_numpy(picture).permute(2, 0, 1)[None].double()
    for antialias in (True, False):
        made = Resize(size, "torch", "bicubic", antialias).apply(picture)
        exact = torch.nn.functional.interpolate(
            maps, size, mode="bicubic", align_corners=False, antialias=antialias
        )
        np.testing.assert_allclose(
            made, exact.clamp(0, 255)[0].permute(1, 2, 0).numpy(), atol=0.5 + 1e-3
        )


def test_every_filter_of_every_library_gives_another_picture(picture: np.ndarray) -> None:
    size = (16, 24)
    cases = [
        Resize(size, library, name, antialias)
        for library, names in FILTERS.items()
        for name, choices in names.items()
        for antialias in choices
        if name != "nearest"  # which differ by their rounding of places at most
    ]
    pictures = [case.apply(picture) for case in cases]
    assert all(made.shape == (16, 24, 3) and made.dtype == np.uint8 for made in pictures)
    for index, made in enumerate(pictures):
        for other, (case, rival) in zip(
            pictures[:index], ((cases[index], one) for one in cases[:index]), strict=True
        ):
            away = np.abs(made.astype(int) - other).max()
            alike = case.filter == rival.filter and case.antialias == rival.antialias
            assert away > 0 or alike, f"{case} and {rival}"


def test_nothing_happens_to_a_picture_of_the_size(picture: np.ndarray) -> None:
    for library in FILTERS:
        assert Resize((37, 53), library, "nearest").apply(picture) is picture


def test_crop_and_pad_undo_each_other(picture: np.ndarray) -> None:
    cropped = Crop((31, 41)).apply(picture)
    np.testing.assert_array_equal(cropped, picture[3:34, 6:47])
    padded = Pad((37, 53), (255, 0, 7)).apply(cropped)
    np.testing.assert_array_equal(padded[3:34, 6:47], cropped)
    border = np.ones((37, 53), dtype=bool)
    border[3:34, 6:47] = False
    assert (padded[border] == (255, 0, 7)).all()
    assert Crop((100, 41)).apply(picture).shape == (37, 41, 3)
    assert Pad((10, 60)).apply(picture).shape == (37, 60, 3)


@pytest.mark.parametrize(
    "step", [Resize((74, 159), "pillow", "bilinear"), Crop((31, 41)), Pad((60, 70))], ids=str
)
def test_points_follow_the_picture(step: Any) -> None:
    """The centre of a bright square is where the moved point says."""
    picture = np.zeros((37, 53, 3), dtype=np.uint8)
    picture[10:15, 20:27] = 255
    moved = step.move(np.array([[23.0, 12.0, 1.0]]), (37, 53))[0]
    made = step.apply(picture)
    if isinstance(step, Pad):
        made = made.copy()
        made[(made == 255).all(2) & ~_inside(made, (37, 53))] = 0
    rows, columns = np.nonzero(made[..., 0] > 127)
    assert moved[2] == 1
    assert abs(columns.mean() - moved[0]) < 0.51
    assert abs(rows.mean() - moved[1]) < 0.51
    assert made.shape[:2] == step.resulting((37, 53))


def _inside(made: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(made.shape[:2], dtype=bool)
    top, left = (made.shape[0] - size[0]) // 2, (made.shape[1] - size[1]) // 2
    mask[top : top + size[0], left : left + size[1]] = True
    return mask


def test_a_jpg_is_what_pillow_writes_by_default(picture: np.ndarray) -> None:
    written = io.BytesIO()
    Image.fromarray(picture).save(written, "JPEG")
    made = FileFormat("jpg", 75, "4:2:0").round_trip(picture)
    np.testing.assert_array_equal(made, np.asarray(Image.open(written)))
    finer = FileFormat("jpg", 75, "4:4:4").round_trip(picture)
    assert np.abs(finer.astype(int) - picture).mean() < np.abs(made.astype(int) - picture).mean()
    assert FileFormat().round_trip(picture) is picture


def test_plain_values_make_the_same_step() -> None:
    for step in (Resize((4, 6), "torch", "area"), Crop((3, 2)), Pad((5, 5), (1, 2, 3))):
        settings = step_settings(step)
        assert read_step(settings, "here") == step
        assert read_step(step, "here") is step


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"step": "turn"}, "here: 'step' must be one of resize, crop, pad"),
        ({"step": "crop", "size": (3, 0)}, r"crop.size: must be two positive whole numbers"),
        ({"step": "crop", "size": (3, 4), "by": 1}, "here.by: there is no such key"),
        ({"step": "pad", "size": (3, 4), "colour": (0, 0, 256)}, "pad.colour: must be three"),
        (
            {"step": "resize", "size": (3, 4), "library": "imagemagick", "filter": "box"},
            "there is no 'imagemagick', choose of pillow, opencv, torch",
        ),
        (
            {"step": "resize", "size": (3, 4), "library": "opencv", "filter": "box"},
            "opencv has no 'box'",
        ),
        (
            {"step": "resize", "size": (3, 4), "library": "torch", "filter": "bicubic"},
            "goes with False or True, not None",
        ),
        (
            {
                "step": "resize",
                "size": (3, 4),
                "library": "pillow",
                "filter": "bicubic",
                "antialias": False,
            },
            "pillow's bicubic goes with True, not False",
        ),
    ],
)
def test_bad_values_are_one_sentence(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_step(values, "here")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": "webp"}, "must be png or jpg"),
        ({"format": "jpg", "subsampling": "4:2:0"}, "needs a number from 1 to 95"),
        ({"format": "jpg", "quality": 75}, "needs one of 4:4:4"),
        ({"quality": 75}, "a png has no quality"),
    ],
)
def test_bad_formats_are_one_sentence(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        FileFormat(**values)
