"""The driver's motion on the source's own face."""

from __future__ import annotations

import numpy as np
import pytest

from gfla_video.tasks.face.motion import neutral_frame, relative_motion
from tests.tasks.face.faces import face

EYES = [(37, 41), (38, 40), (43, 47), (44, 46)]


def gap(points: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    """Mean opening, along y."""
    return np.mean([points[..., low, 1] - points[..., up, 1] for up, low in pairs], axis=0)


def talking(count: int = 9) -> np.ndarray:
    """A driver that turns its head in the plane, moves, opens the mouth and blinks."""
    return np.stack(
        [
            face(
                mouth=8 * np.sin(0.7 * t) ** 2, eyes=1.0 - (t == 4), turn=0.04 * t, shift=(t, 2 * t)
            )
            for t in range(count)
        ]
    )


def test_the_anchor_is_the_source_itself() -> None:
    source = face(width=1.3, height=0.8, size=2.0, shift=(50, 20))
    moved = relative_motion(talking(), source, 3)
    assert moved.shape == (9, 68, 2) and moved.dtype == np.float32
    np.testing.assert_allclose(moved[3], source, atol=1e-3)


def test_the_same_face_moves_as_the_driver() -> None:
    clip = talking()
    np.testing.assert_allclose(relative_motion(clip, clip[0], 0), clip, atol=1e-3)


def test_the_drivers_size_and_place_do_not_matter() -> None:
    source = face(width=0.9, size=1.5)
    plain = relative_motion(talking(), source, 0)
    other = relative_motion(3.0 * talking() + (100, -40), source, 0)
    np.testing.assert_allclose(plain, other, atol=1e-2)


def test_the_drivers_proportions_do_not_leak() -> None:
    """A wider driver moves otherwise by little, its own shape comes nowhere."""
    source = face()
    narrow = relative_motion(np.stack([face(mouth=m) for m in (0, 4, 8)]), source, 0)
    wide = relative_motion(np.stack([face(width=1.4, mouth=m) for m in (0, 4, 8)]), source, 0)
    assert abs(narrow - wide).max() < 1.5  # of a face 100 high
    assert abs(face(width=1.4) - source).max() > 10


def test_the_sources_turn_is_kept_and_the_drivers_is_added() -> None:
    source = face(turn=0.3)
    clip = np.stack([face(turn=t) for t in (0.0, 0.2, -0.1)])
    moved = relative_motion(clip, source, 0)
    for frame, turn in zip(moved, (0.3, 0.5, 0.2), strict=True):
        across = frame[45] - frame[36]
        assert np.arctan2(across[1], across[0]) == pytest.approx(turn, abs=1e-3)


def test_a_shift_is_in_the_sources_scale() -> None:
    clip = np.stack([face(), face(shift=(10, -6))])
    moved = relative_motion(clip, face(size=2.0, shift=(30, 30)), 0)
    np.testing.assert_allclose((moved[1] - moved[0]).mean(axis=0), (20, -12), atol=1e-2)


@pytest.mark.parametrize("opening", [0.5, 1.0, 2.0])
def test_eyes_that_close_there_close_here(opening: float) -> None:
    source = face(eyes=opening, size=1.7)
    clip = np.stack([face(), face(eyes=0.5), face(eyes=0.0)])
    moved = gap(relative_motion(clip, source, 0), EYES)
    assert moved[0] == pytest.approx(gap(source, EYES), abs=1e-3)
    assert moved[1] == pytest.approx(gap(source, EYES) / 2, rel=0.05)
    assert abs(moved[2]) < 0.03 * moved[0]


def test_lips_and_lids_do_not_pass_each_other() -> None:
    clip = np.stack([face(mouth=10, eyes=1.5), face(mouth=0, eyes=0)])
    moved = relative_motion(clip, face(mouth=2, eyes=0.4), 0)
    for upper, lower in [*EYES, (61, 67), (62, 66), (63, 65)]:
        assert moved[1, lower, 1] >= moved[1, upper, 1] - 1e-4


def test_the_neutral_frame() -> None:
    clip = [face(mouth=m) for m in (9, 6, 1, 7, 8)]
    assert neutral_frame(np.stack(clip)) == 2
    blinking = [face(eyes=e) for e in (0, 0.2, 1, 1, 0.9)]
    assert neutral_frame(np.stack(blinking)) in (2, 3, 4)
    assert neutral_frame(np.stack([face(mouth=5)])) == 0
