"""The warping error against loops over pixels, and on clips whose flicker is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gfla_video.evaluation import FrameDifferenceError, TemporalWarpingError
from gfla_video.evaluation.metrics import temporal
from gfla_video.utils.errors import UserError


def measure(
    made: Tensor, true: Tensor, kind: type = TemporalWarpingError, **meta: Any
) -> dict[str, float]:
    """Values of clips ``[B, T, 3, H, W]``, one metric over all of them."""
    metric = kind()
    batch = {
        "inputs": {"target_structures": true[:, :, :1]},
        "targets": {"image": true},
        "meta": meta,
    }
    metric.process(batch, [{"image": clip} for clip in made])
    return metric.evaluate(len(true))


def moving_texture(frames: int, step: tuple[int, int] = (3, 2), size: int = 72) -> Tensor:
    """Smooth noise that moves by (dx, dy) whole pixels per frame: ``[1, T, 3, size, size]``."""
    wide = torch.nn.functional.interpolate(
        torch.rand(1, 3, 24, 24) * 2 - 1, (192, 192), mode="bicubic"
    ).clamp(-1, 1)[0]
    views = []
    for t in range(frames):
        left, top = 60 - t * step[0], 60 - t * step[1]
        views.append(wide[:, top : top + size, left : left + size])
    return torch.stack(views)[None]


def test_against_a_loop_over_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    height, width, frames = 9, 7, 4
    generator = np.random.default_rng(3)
    flows = [generator.uniform(-2.5, 2.5, (2, height, width)) for _ in range(frames)]
    masks = [generator.random((height, width)) > 0.4 for _ in range(frames)]
    masks[2][:] = False  # nothing to compare: this pair does not count
    pairs = iter(range(1, frames))

    def given(current: np.ndarray, previous: np.ndarray) -> tuple[Tensor, Tensor]:
        t = next(pairs)
        assert current.dtype == np.uint8 and not np.array_equal(current, previous)
        return torch.from_numpy(flows[t]).float(), torch.from_numpy(masks[t])

    monkeypatch.setattr(temporal, "flow_to_previous", given)
    made, true = (torch.rand(1, frames, 3, height, width) * 2.4 - 1.2 for _ in range(2))
    found = measure(made, true)

    def at(picture: np.ndarray, x: float, y: float) -> np.ndarray:
        """Bilinear, the border repeated; written out."""
        result = np.zeros(3)
        for row, down in ((math.floor(y), 1 - y % 1), (math.floor(y) + 1, y % 1)):
            for column, across in ((math.floor(x), 1 - x % 1), (math.floor(x) + 1, x % 1)):
                inside = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
                result += down * across * picture[:, inside[0], inside[1]]
        return result

    def error(clip: np.ndarray, t: int) -> float:
        return float(
            np.mean(
                [
                    np.abs(clip[t][:, y, x] - at(clip[t - 1], x + flows[t][0, y, x], y + dy)).mean()
                    for y, x in np.argwhere(masks[t])
                    for dy in [flows[t][1, y, x]]
                ]
            )
        )

    unit = [np.clip((clip[0].double().numpy() + 1) / 2, 0, 1) for clip in (made, true)]
    expected = [np.mean([error(clip, t) for t in (1, 3)]) for clip in unit]
    assert found["warping_error"] == pytest.approx(expected[0], rel=1e-5)
    assert found["warping_error_true"] == pytest.approx(expected[1], rel=1e-5)
    assert found["warping_error_ratio"] == pytest.approx(expected[0] / expected[1], rel=1e-5)


def test_the_flow_of_a_shift_and_what_it_cannot_see() -> None:
    """The texture moves right and down: it came from the left, and what enters is not visible."""
    clip = (moving_texture(2)[0].mean(1) * 127.5 + 127.5).round().byte().numpy()
    flow, visible = temporal.flow_to_previous(clip[1], clip[0])
    middle = flow[:, 12:-12, 12:-12]
    assert (middle.mean((1, 2)) - torch.tensor([-3.0, -2.0])).abs().max() < 0.1
    assert visible[12:-12, 12:-12].float().mean() > 0.95
    assert not visible[:, 0].any()
    assert not visible[0].any()


def test_what_is_uncovered_is_not_compared() -> None:
    """A flat block moves over a texture; where it was before, nothing can be compared."""
    ground = moving_texture(1)[0, 0]
    frames = []
    for left in (16, 28):
        frame = ground.clone()
        frame[:, 24:48, left : left + 24] = torch.tensor([0.9, -0.9, 0.2]).view(3, 1, 1)
        frames.append(((frame.mean(0) * 127.5) + 127.5).round().byte().numpy())
    _, visible = temporal.flow_to_previous(frames[1], frames[0])
    assert visible[24:48, 18:26].float().mean() < 0.5  # uncovered
    assert visible[:, 58:70].float().mean() > 0.9  # never touched


def test_flicker_is_seen_and_motion_is_not() -> None:
    true = moving_texture(6)
    same = measure(true, true)
    assert same["warping_error_ratio"] == 1
    assert same["warping_error"] < 0.01
    flicker = true + 0.1 * torch.tensor([1.0, -1.0] * 3).view(1, 6, 1, 1, 1)
    changed = measure(flicker, true)
    assert changed["warping_error"] == pytest.approx(0.1, rel=0.15)  # 0.2 in [-1, 1]
    assert changed["warping_error_ratio"] > 5
    still = measure(true[:, :1].expand_as(true), true)
    assert still["warping_error"] > 5 * same["warping_error"]  # it does not move along


def test_clips_of_several_lengths() -> None:
    """What fills a short clip up is not compared; every pair weighs the same."""
    true = torch.cat([moving_texture(5), moving_texture(5, (-2, 1))])
    made = true + 0.2 * torch.rand_like(true)
    padded = made.clone()
    padded[1, 3:] = torch.rand(2, 3, 72, 72)
    found = measure(padded, true, frames=torch.tensor([5, 3]))
    one, two = measure(made[:1], true[:1]), measure(made[1:, :3], true[1:, :3])
    expected = (4 * one["warping_error"] + 2 * two["warping_error"]) / 6
    assert found["warping_error"] == pytest.approx(expected, rel=1e-6)


def test_frame_differences_against_loops() -> None:
    """Two clips of 4 and 2 frames; what fills the second up is not read."""
    made, true = (torch.rand(2, 4, 3, 6, 5) * 2 - 1 for _ in range(2))
    found = measure(made, true, FrameDifferenceError, frames=torch.tensor([4, 2]))
    x, y = ((clips.double().numpy() + 1) / 2 for clips in (made, true))
    pairs = [(0, 1), (0, 2), (0, 3), (1, 1)]
    moved = {key: [c[b, t] - c[b, t - 1] for b, t in pairs] for key, c in (("x", x), ("y", y))}
    error = np.mean(np.abs(np.array(moved["x"]) - np.array(moved["y"])))
    assert found["frame_difference_error"] == pytest.approx(error, rel=1e-5)
    change = np.abs(moved["x"]).mean() / np.abs(moved["y"]).mean()
    assert found["frame_difference_ratio"] == pytest.approx(change, rel=1e-5)


def test_frame_differences_of_known_clips() -> None:
    true = moving_texture(5)
    assert measure(true, true, FrameDifferenceError) == {
        "frame_difference_error": 0,
        "frame_difference_ratio": 1,
    }
    brighter = measure(true * 0.5 + 0.1, true * 0.5, FrameDifferenceError)
    assert brighter["frame_difference_error"] == pytest.approx(0, abs=1e-6)  # only change counts
    still = measure(true[:, :1].expand_as(true), true, FrameDifferenceError)
    assert still["frame_difference_ratio"] == 0
    assert still["frame_difference_error"] == pytest.approx(
        float(true.diff(dim=1).abs().mean() / 2), rel=1e-5
    )


@pytest.mark.parametrize("kind", [TemporalWarpingError, FrameDifferenceError])
def test_one_frame_is_no_pair(kind: type) -> None:
    values = measure(*(torch.rand(1, 1, 3, 32, 32) for _ in range(2)), kind)
    assert all(math.isnan(value) for value in values.values())


def test_still_pictures_are_refused_or_left_out() -> None:
    image = torch.rand(2, 3, 16, 16)
    still = {"inputs": {"target_structure": image}, "targets": {"image": image}}
    with pytest.raises(UserError, match=r"TemporalWarpingError needs the input .*\(clips\)"):
        TemporalWarpingError().process(still, [{"image": one} for one in image])
    optional = TemporalWarpingError(optional=True)
    optional.process(still, [{"image": one} for one in image])
    assert optional.evaluate(2) == {}
