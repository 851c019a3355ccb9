"""Colour changes and moves of whole clips against plain formulas."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from gfla_video.datasets import Affine
from gfla_video.tasks.face.augment import Colour, ColourRange, flip_frames, move_frames
from gfla_video.testing.made_faces import NOSE, blob_centre, made_frame, made_landmarks

LUMA = np.array([0.299, 0.587, 0.114])


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(60, 190, (3, 8, 6, 3)).astype(np.uint8)


def test_nothing_changes_nothing(frames: np.ndarray) -> None:
    np.testing.assert_array_equal(Colour().apply(frames), frames)
    assert ColourRange().draw(np.random.default_rng(0)) == Colour()


def test_each_colour_change(frames: np.ndarray) -> None:
    values = frames.astype(float)
    grey = values @ LUMA
    expected = {
        "brightness": values * 1.2,
        "contrast": (values - grey.mean()) * 1.2 + grey.mean(),
        "saturation": (values - grey[..., None]) * 1.2 + grey[..., None],
    }
    for name, wanted in expected.items():
        changed = Colour(**{name: 1.2}).apply(frames)
        assert np.abs(changed - np.clip(wanted, 0, 255)).max() <= 1


def test_hue_keeps_the_brightness_and_turns_the_colour() -> None:
    red = np.full((1, 2, 2, 3), (150, 90, 90), np.uint8)
    turned = Colour(hue=1 / 3).apply(red)[0, 0, 0].astype(float)
    assert abs(turned @ LUMA - red[0, 0, 0] @ LUMA) < 1.5
    turn = colorsys.rgb_to_hsv(*turned)[0]
    assert 0.25 < min(turn, 1 - turn) < 0.42
    back = Colour(hue=-1 / 3).apply(Colour(hue=1 / 3).apply(red))
    assert np.abs(back.astype(int) - red).max() <= 2
    assert np.abs(Colour(hue=1.0).apply(red).astype(int) - red).max() <= 1


def test_ranges_are_kept() -> None:
    rng = np.random.default_rng(0)
    drawn = [ColourRange(0.2, 0.1, 0.3, 0.05).draw(rng) for _ in range(200)]
    for name, width, middle in (
        ("brightness", 0.2, 1),
        ("contrast", 0.1, 1),
        ("saturation", 0.3, 1),
        ("hue", 0.05, 0),
    ):
        off = np.array([getattr(colour, name) - middle for colour in drawn])
        assert width * 0.9 < np.abs(off).max() <= width
        assert off.min() < 0 < off.max()


def test_frames_and_landmarks_move_alike() -> None:
    landmarks = np.stack([made_landmarks(shift) for shift in (0, 4)])
    frames = np.stack([made_frame(i, points) for i, points in enumerate(landmarks)])
    moved, points = move_frames(frames, landmarks, Affine(15.0, (6.0, -4.0), 1.2), (32, 32))
    assert moved.shape == frames.shape and points.dtype == np.float32
    for picture, face in zip(moved, points, strict=True):
        np.testing.assert_allclose(blob_centre(picture), face[NOSE], atol=0.6)
    # the shift is in pixels of the sample, which is half as large as the frames
    plain = move_frames(frames, landmarks, Affine(0.0, (6.0, -4.0), 1.0), (32, 32))[1]
    np.testing.assert_allclose(plain - landmarks, np.broadcast_to([12, -8], plain.shape), atol=1e-4)
    # no black corners: borders go on
    assert moved[0].min() >= frames[0].min()


def test_mirrored_clips() -> None:
    landmarks = made_landmarks(5)[None]
    frames = made_frame(0, landmarks[0])[None]
    flipped, points = flip_frames(frames, landmarks)
    np.testing.assert_array_equal(flipped[0], frames[0][:, ::-1])
    np.testing.assert_allclose(blob_centre(flipped[0]), points[0, NOSE], atol=1e-4)
