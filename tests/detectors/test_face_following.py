"""One face among others: which one is followed, when it is missed, and when it is lost."""

import numpy as np
import pytest

from gfla_video.detectors import follow_one_face, found_frames

SHAPE = np.random.default_rng(0).uniform(-20, 20, (68, 2)).astype(np.float32)


def at(x: float, y: float = 50, scale: float = 1) -> np.ndarray:
    """A face with its middle near (x, y)."""
    return (SHAPE - SHAPE.mean(axis=0)) * scale + np.float32([x, y])


def faces(*those: np.ndarray) -> np.ndarray:
    """What a detector gives."""
    return np.stack(those) if those else np.zeros((0, 68, 2), np.float32)


def test_the_largest_of_the_first_frame_is_followed() -> None:
    frames = [
        faces(),
        faces(at(30, scale=2), at(200)),
        faces(at(198, scale=3), at(34, scale=2)),  # another one is the largest now
        faces(at(38, scale=2)),
    ]
    landmarks, notes = follow_one_face(iter(frames))
    assert landmarks.shape == (4, 68, 2) and landmarks.dtype == np.float32
    assert found_frames(landmarks).tolist() == [False, True, True, True]
    assert np.allclose(landmarks[1:].mean(axis=(1, 2)) * 2 - 50, [30, 34, 38], atol=0.01)
    assert notes == [
        "2 of 4 frames show several faces, the one that is largest in frame 1 is followed",
        "1 of 4 frames have no face (0)",
    ]


def test_long_lists_of_frames_are_cut() -> None:
    frames = [faces() if t % 3 else faces(at(9)) for t in range(40)]
    assert follow_one_face(frames)[1] == [
        "26 of 40 frames have no face (1-2, 4-5, 7-8, 10-11, 13-14, ...)"
    ]


def test_nobody_and_nothing() -> None:
    landmarks, notes = follow_one_face([faces(), faces()])
    assert np.isnan(landmarks).all() and notes == ["2 of 2 frames have no face (0-1)"]
    assert follow_one_face([])[0].shape == (0, 68, 2)


def middles(landmarks: np.ndarray) -> list[float | None]:
    """Where the followed face is, by x; None where it is not."""
    return [round(float(x), 2) if np.isfinite(x) else None for x in landmarks[..., 0].mean(axis=1)]


def test_a_missed_face_is_not_taken_for_the_one_beside_it() -> None:
    both, other = faces(at(50), at(120, scale=0.9)), faces(at(120, scale=0.9))
    landmarks, notes = follow_one_face([*[both] * 5, other, *[both] * 5])
    assert middles(landmarks) == [50] * 5 + [None] + [50] * 5
    assert notes[1:] == ["1 of 11 frames show other faces than the one that is followed (5)"]
    # also not when it was missed for so long that it may be anywhere by then, nor on the move
    landmarks, _ = follow_one_face([both, *[faces(at(120 - t)) for t in range(24)], both])
    assert middles(landmarks) == [50] + [None] * 24 + [50]
    # nor one that the detector did not find in the frame before
    landmarks, _ = follow_one_face([both, faces(at(50)), *[other] * 20, both])
    assert middles(landmarks) == [50, 50] + [None] * 20 + [50]


def test_somebody_walks_in_front() -> None:
    passing = [120.0 - 8 * t for t in range(18)]
    frames = [faces(at(50), at(x)) if abs(x - 50) > 20 else faces(at(x)) for x in passing]
    landmarks, _ = follow_one_face(frames)
    hidden = [abs(x - 50) <= 20 for x in passing]
    assert middles(landmarks) == [None if h else 50 for h in hidden] and sum(hidden) >= 4


def test_one_face_found_twice_does_not_lose_it() -> None:
    twice = faces(at(50), at(54))
    landmarks, _ = follow_one_face([twice, faces(at(54)), faces(at(50)), twice])
    assert found_frames(landmarks).all()


def test_over_a_gap_a_face_is_looked_for_farther_away() -> None:
    # 40 pixels large: 30 pixels are too far for one frame, and not for four
    assert middles(follow_one_face([faces(at(50)), faces(at(80))])[0]) == [50, None]
    gap = [faces(at(50)), faces(), faces(), faces(), faces(at(80))]
    assert middles(follow_one_face(gap)[0]) == [50, None, None, None, 80]
    grown = [faces(at(50)), faces(at(50, scale=1.7)), faces(at(50, scale=1.7))]
    assert middles(follow_one_face(grown)[0]) == [50, None, 50]


@pytest.mark.parametrize("gap", [3, 10])
def test_a_lost_face_is_replaced_by_the_largest_and_that_is_said(gap: int) -> None:
    frames = [faces(at(50), at(200)), *[faces(at(400, scale=2), at(200))] * (gap + 2)]
    landmarks, notes = follow_one_face(frames, gap)
    assert middles(landmarks) == [50] + [None] * gap + [400, 400]
    assert notes[-1] == (
        f"the largest face is followed anew from frame {gap + 1} on, after a cut or more than "
        f"{gap} frames without the one before: it may be another person"
    )


def test_behind_a_cut_nobody_is_known() -> None:
    frames = [faces(at(50), at(200)), faces(at(200, scale=2), at(50)), faces(at(200, scale=2))]
    asked: list[int] = []

    def is_cut(index: int) -> bool:
        asked.append(index)
        return index == 1

    landmarks, notes = follow_one_face(iter(frames), is_cut=is_cut)
    assert middles(landmarks) == [50, 200, 200] and asked == [0, 1, 2]
    assert "followed anew from frame 1 on" in notes[-1]
    assert middles(follow_one_face(frames)[0]) == [50, 50, None]
