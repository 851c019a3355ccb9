"""One body's motion on another body; gaps in time."""

import numpy as np
import pytest

from gfla_video.tasks.pose.joints import LIMBS, visible
from gfla_video.tasks.pose.retarget import fit_to_body, interpolate_gaps, limb_ratios
from gfla_video.utils.errors import UserError

# A standing body of trunk length 40, neck at the origin.
STANDING = np.array(
    [
        *([0, -14], [0, 0], [-14, 2], [-18, 22], [-19, 40], [14, 2], [18, 22], [19, 40]),
        *([-8, 40], [-9, 72], [-9, 104], [8, 40], [9, 72], [9, 104]),
        *([-4, -18], [4, -18], [-8, -16], [8, -16]),
    ],
    dtype=float,
)


def at(x: float, y: float, scale: float = 1.0, missing: tuple[int, ...] = ()) -> np.ndarray:
    joints = np.concatenate([STANDING * scale + (x, y), np.ones((18, 1))], axis=1)
    joints[list(missing)] = (-1, -1, 0)
    return joints


def waving(x: float, y: float, scale: float, missing: tuple[int, ...] = ()) -> np.ndarray:
    """Seven frames in which the right forearm turns and the body walks 3 * scale a frame."""
    frames = []
    for index in range(7):
        frame = at(x + 3 * scale * (index - 3), y, scale)
        turn = index * 0.3
        frame[4, :2] = frame[3, :2] + np.hypot(1, 18) * scale * np.array(
            [np.sin(turn), np.cos(turn)]
        )
        frame[list(missing)] = (-1, -1, 0)
        frames.append(frame)
    return np.stack(frames)


def length(joints: np.ndarray, first: int, second: int) -> float:
    return float(np.linalg.norm(joints[first, :2] - joints[second, :2]))


def test_place_and_size_become_the_sources() -> None:
    moved = fit_to_body(waving(500, 300, 4.0), at(64, 40, 0.5))
    middle = moved[3]
    assert middle[1, :2] == pytest.approx([64, 40])  # median place of the neck
    assert middle[8:14, :2] == pytest.approx(at(64, 40, 0.5)[8:14, :2])
    steps = np.diff(moved[:, 1, 0])
    assert steps == pytest.approx(1.5)  # the walk is scaled like the body


def test_limbs_take_the_sources_lengths() -> None:
    source = at(64, 40)
    source[9:11, 1] -= 6  # a shorter right thigh
    driving = waving(300, 200, 2.0)
    moved = fit_to_body(driving, source)
    for first, second in ((8, 9), (9, 10), (11, 12), (2, 3), (1, 8)):
        assert length(moved[0], first, second) == pytest.approx(length(source, first, second))
    forearm = driving[5, 4, :2] - driving[5, 3, :2]
    result = moved[5, 4, :2] - moved[5, 3, :2]
    cosine = forearm @ result / (np.linalg.norm(forearm) * np.linalg.norm(result))
    assert cosine == pytest.approx(1.0)  # directions are the driver's


def test_same_body_stays_as_it_is() -> None:
    driving = waving(100, 60, 1.0)
    assert fit_to_body(driving, at(100, 60)) == pytest.approx(driving)


def test_foreshortening_of_a_frame_is_kept() -> None:
    driving = waving(100, 60, 1.0)
    driving[2, 10, :2] = (driving[2, 9, :2] + driving[2, 10, :2]) / 2  # the shin points at us
    moved = fit_to_body(driving, at(50, 30, 0.5))
    assert length(moved[2], 9, 10) == pytest.approx(0.5 * length(moved[0], 9, 10))


def test_missing_limbs_use_the_mirror_then_the_trunk() -> None:
    source = at(64, 40, 0.5, missing=(3, 4))
    source[6, :2] = source[5, :2] + (source[6, :2] - source[5, :2]) * 1.2  # long left upper arm
    scale, ratios = limb_ratios(waving(0, 0, 1.0), source)
    by_limb = dict(zip(LIMBS, ratios, strict=True))
    assert scale == pytest.approx(0.5)
    assert by_limb[5, 6] == pytest.approx(0.6)
    assert by_limb[2, 3] == pytest.approx(0.6)  # the mirror's
    source = at(64, 40, 0.5, missing=(3, 4, 6, 7))
    by_limb = dict(zip(LIMBS, limb_ratios(waving(0, 0, 1.0), source)[1], strict=True))
    assert by_limb[2, 3] == pytest.approx(0.5)  # the trunk's


def test_foreshortened_source_does_not_shrink_a_limb_to_nothing() -> None:
    source = at(64, 40)
    source[[2, 5], :2] = source[1, :2] + (0.3, 0)  # seen from the side
    ratios = dict(zip(LIMBS, limb_ratios(waving(0, 0, 1.0), source)[1], strict=True))
    assert ratios[1, 2] == pytest.approx(1 / 1.6)


def test_missing_joints_stay_missing_and_their_children_hang_on() -> None:
    moved = fit_to_body(waving(500, 300, 4.0, missing=(3, 9)), at(64, 40, 0.5))
    assert (moved[:, [3, 9]] == (-1, -1, 0)).all()
    assert visible(moved[:, [4, 10]]).all()
    assert moved[3, 10, :2] == pytest.approx(at(64, 40, 0.5)[10, :2])


def test_a_neck_that_is_missing_is_between_the_shoulders_or_above_the_hips() -> None:
    driving = waving(500, 300, 4.0)
    driving[2, 1] = (-1, -1, 0)
    driving[4, [1, 2]] = (-1, -1, 0)
    moved = fit_to_body(driving, at(64, 40, 0.5))
    assert not visible(moved[[2, 4], 1]).any()
    assert moved[2, 8, 0] == pytest.approx(64 - 1.5 - 4, abs=0.3)
    assert moved[4, 8, 0] == pytest.approx(64 + 1.5 - 4, abs=0.3)


def test_frames_of_lone_joints_follow_the_body_as_a_whole() -> None:
    driving = waving(500, 300, 4.0)
    driving[6] = (-1, -1, 0)
    driving[6, 4] = (500, 300, 1)
    driving[5] = (-1, -1, 0)
    moved = fit_to_body(driving, at(64, 40, 0.5))
    assert not visible(moved[5]).any()
    home = np.median([frame[1, 0] for frame in driving[:5]])
    assert moved[6, 4, :2] == pytest.approx([64 + (500 - home) / 8, 40])


@pytest.mark.parametrize("who", ["source", "driving"])
def test_nothing_to_hold_on_to_is_one_sentence(who: str) -> None:
    hidden = (1, 2, 5, 8, 11)
    driving = waving(0, 0, 1.0, missing=hidden if who == "driving" else ())
    source = at(64, 40, missing=hidden if who == "source" else ())
    with pytest.raises(UserError, match=f"the {who} pose shows neither"):
        fit_to_body(driving, source)
    with pytest.raises(UserError, match="no limb in common"):
        fit_to_body(at(0, 0, missing=tuple(range(1, 18)))[None], at(64, 40))


def test_short_gaps_are_filled_and_counted() -> None:
    joints = np.stack([at(10.0 * i, 0) for i in range(12)])
    joints[1:3, 4] = (-1, -1, 0)
    joints[0, 5] = (-1, -1, 0)  # at the start: nothing to begin from
    joints[2:11, 6] = (-1, -1, 0)  # nine frames: too long
    filled, count = interpolate_gaps(joints)
    assert count == 2
    assert filled[1:3, 4, 0] == pytest.approx([10 - 19, 20 - 19])
    assert not visible(filled[0, 5])
    assert not visible(filled[2:11, 6]).any()
    assert not visible(joints[1, 4])  # the input is left alone
