"""The body mask against distances, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from gfla_video.evaluation import body_mask

SIZE = (64, 48)


def joints(**places: tuple[float, float]) -> np.ndarray:
    """[18, 3] with some joints at (x, y), named ``j<index>``; the others missing."""
    points = np.tile(np.array([-1.0, -1.0, 0.0]), (18, 1))
    for name, (x, y) in places.items():
        points[int(name[1:])] = x, y, 1
    return points


def test_one_joint_is_a_disc() -> None:
    mask = body_mask(joints(j4=(20, 30)), SIZE)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    distance = np.hypot(columns - 20, rows - 30)
    assert mask.dtype == np.uint8 and mask.shape == SIZE
    assert mask[distance < 3.5].all() and not mask[distance > 4.5].any()
    assert mask[30, 20] and not mask[20, 30]  # x is the column


def test_a_limb_is_a_bar_between_its_joints() -> None:
    """Elbow to wrist, slanting: everything nearer than 4 pixels to the segment, nothing beyond."""
    start, end = np.array([10.0, 12.0]), np.array([34.0, 44.0])
    mask = body_mask(joints(j3=tuple(start), j4=tuple(end)), SIZE)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    places = np.stack([columns, rows], axis=-1).astype(float)
    along = np.clip(((places - start) @ (end - start)) / ((end - start) @ (end - start)), 0, 1)
    distance = np.linalg.norm(places - (start + along[..., None] * (end - start)), axis=-1)
    assert mask[distance < 3.2].all()
    assert not mask[distance > 4.8].any()


def test_joints_that_no_limb_joins_stay_apart() -> None:
    """A wrist and an ankle; and a limb with a missing end is its other end's disc alone."""
    mask = body_mask(joints(j4=(10, 10), j10=(10, 50)), SIZE)
    assert not mask[20:40].any()
    assert np.array_equal(
        body_mask(joints(j3=(20, 30)), SIZE), body_mask(joints(j4=(20, 30)), SIZE)
    )


def test_a_trunk_is_filled() -> None:
    """Shoulders, hips and neck: narrow gaps between the bars are closed."""
    trunk = joints(j1=(24, 10), j2=(18, 12), j5=(30, 12), j8=(20, 40), j11=(28, 40))
    assert body_mask(trunk, SIZE)[14:38, 20:29].all()


def test_at_the_border_and_without_anybody() -> None:
    assert not body_mask(joints(), SIZE).any()
    mask = body_mask(joints(j3=(-3, 5), j4=(60, 80)), SIZE)
    assert mask.shape == SIZE and mask.any()
    one_place = body_mask(joints(j3=(9, 9), j4=(9, 9)), SIZE)
    assert np.array_equal(one_place, body_mask(joints(j3=(9, 9)), SIZE))
    with pytest.raises(ValueError, match="needs \\[18, 3\\] joints"):
        body_mask(np.zeros((17, 3)), SIZE)
