"""The track of a face: gaps, jitter, jumps."""

import numpy as np
import pytest

from gfla_video.detectors import fill_missing, find_jumps, found_frames, smooth

SHAPE = np.random.default_rng(0).uniform(-20, 20, (68, 2)).astype(np.float32)


def at(x: float, y: float = 50, scale: float = 1) -> np.ndarray:
    """A face with its middle near (x, y)."""
    return (SHAPE - SHAPE.mean(axis=0)) * scale + np.float32([x, y])


def gappy() -> np.ndarray:
    """Middles at _, 10, _, _, 40, _."""
    clip = np.full((6, 68, 2), np.nan, np.float32)
    clip[1], clip[4] = at(10), at(40)
    return clip


@pytest.mark.parametrize(
    ("mode", "middles"),
    [("hold", [10, 10, 10, 10, 40, 40]), ("interpolate", [10, 10, 20, 30, 40, 40])],
)
def test_gaps_are_filled(mode: str, middles: list[float]) -> None:
    filled = fill_missing(gappy(), mode)
    assert filled.dtype == np.float32
    assert np.allclose(filled[..., 0].mean(axis=1), middles, atol=1e-3)


def test_filling_says_what_it_cannot() -> None:
    with pytest.raises(ValueError, match="hold or interpolate"):
        fill_missing(gappy(), "guess")
    with pytest.raises(ValueError, match="no frame has a face"):
        fill_missing(np.full((2, 68, 2), np.nan), "hold")


def jitter(noise: float, frames: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """A slowly moving face, and the same with noise."""
    still = np.stack([at(50 + 10 * np.sin(t / 15)) for t in range(frames)])
    return still, still + np.random.default_rng(1).normal(0, noise, still.shape)


def test_smoothing_takes_jitter_and_leaves_motion() -> None:
    truth, noisy = jitter(0.1)
    steady = smooth(noisy, 2)
    assert np.abs(steady - truth).mean() < 0.6 * np.abs(noisy - truth).mean()
    blink = truth.copy()
    blink[40, 37] += [0, 6]  # one frame, one point, far more than jitter
    kept = smooth(blink, 2)
    assert kept[40, 37, 1] - truth[40, 37, 1] > 5.5
    assert (
        np.abs(np.delete(kept, 40, axis=0)[:, 37] - np.delete(truth, 40, axis=0)[:, 37]).max() < 1
    )


def test_smoothing_keeps_a_straight_path_and_its_ends() -> None:
    line = np.stack([at(2.0 * t) for t in range(30)])
    assert np.abs(smooth(line, 3) - line).max() < 1e-3


def test_smoothing_passes_gaps_by() -> None:
    truth, noisy = jitter(0.1)
    noisy[20:25] = np.nan
    steady = smooth(noisy, 2)
    assert np.isnan(steady[20:25]).all() and found_frames(steady).sum() == 75
    assert np.abs(steady[found_frames(steady)] - truth[found_frames(steady)]).max() < 0.5


def test_no_strength_no_change() -> None:
    _, noisy = jitter(0.5)
    assert np.array_equal(smooth(noisy, 0), noisy.astype(np.float32))
    assert np.array_equal(smooth(noisy[:1], 2), noisy[:1].astype(np.float32))
    with pytest.raises(ValueError, match="cannot be negative"):
        smooth(noisy, -1)


def test_jumps_are_found() -> None:
    clip = np.stack([at(50 + 3 * t) for t in range(30)])
    assert find_jumps(clip) == []
    clip[12:, :, 0] += 100
    clip[20:] = (clip[20:] - clip[20:].mean(axis=1, keepdims=True)) * 2 + clip[20:].mean(
        axis=1, keepdims=True
    )
    assert find_jumps(clip) == [12, 20]
    clip[5:19] = np.nan  # after a long gap it may be anywhere
    assert find_jumps(clip) == [20]


def test_over_a_gap_a_face_may_go_farther() -> None:
    clip = np.stack([at(50)] * 10)  # 40 pixels large
    clip[6:, :, 0] += 30
    assert find_jumps(clip) == [6]
    clip[3:6] = np.nan
    assert find_jumps(clip) == []
