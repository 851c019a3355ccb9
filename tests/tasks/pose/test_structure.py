"""Joints to maps and back, the golden maps, and the pictures of a body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from gfla_video.datasets import affine_matrix
from gfla_video.registry import STRUCTURES
from gfla_video.tasks.pose.joints import flip_joints, move_joints, scale_joints
from gfla_video.tasks.pose.structure import FLIP_ORDER, JOINT_NAMES, LIMBS, PoseStructure

CASES = ("market_plain", "fashion", "fashion_affine", "market_affine_big", "small")


def standing(size: tuple[int, int] = (128, 64)) -> np.ndarray:
    """A body that faces the camera, its right on the left side of the picture."""
    xy = [
        *((32, 18), (32, 30), (22, 30), (18, 46), (16, 60), (42, 30), (46, 46), (48, 60)),
        *((26, 64), (25, 90), (25, 114), (38, 64), (39, 90), (39, 114)),
        *((30, 15), (34, 15), (28, 17), (36, 17)),
    ]
    joints = np.concatenate([np.array(xy, dtype=float), np.ones((18, 1))], axis=1)
    return scale_joints(joints, (128, 64), size)


def test_the_registry_knows_it() -> None:
    structure = STRUCTURES.build({"type": "PoseStructure", "sigma": 3.0})
    assert isinstance(structure, PoseStructure)
    assert structure.sigma == 3.0
    assert structure.channels == 18


@pytest.mark.parametrize("name", CASES)
def test_golden_maps(name: str, golden: Callable[[str], Any]) -> None:
    found = golden("maps_pose")
    case = next(case for case in found.case["cases"] if case["name"] == name)
    tolerance = found.case["tolerance"]
    size = tuple(case["img_size_hw"])
    arrays = {
        key.split(".", 1)[1]: value
        for key, value in found.arrays.items()
        if key.startswith(f"{name}.")
    }
    cords = arrays["cords"]
    there = (cords != -1).all(axis=1)
    joints = np.stack([cords[:, 1], cords[:, 0], there], axis=1).astype(float)
    if case["old_size_hw"]:
        joints = scale_joints(joints, tuple(case["old_size_hw"]), size)
    if case["affine"]:
        angle, shift_x, shift_y, scale = arrays["affine_param"]
        matrix = affine_matrix(size, angle, (shift_x, shift_y), scale)
        np.testing.assert_allclose(
            matrix, arrays["affine_matrix"], rtol=0, atol=tolerance["affine_matrix"]
        )
        joints = move_joints(joints, matrix)

    maps = PoseStructure(found.case["sigma"]).encode(joints, size)

    assert maps.dtype == torch.float32
    assert maps.shape == (18, *size)
    values = maps.numpy()
    atol = tolerance["maps"]
    step_y, step_x = (len(range(1, size[0], 8)), len(range(2, size[1], 8)))
    assert arrays["map_s8"].shape == (18, step_y, step_x)
    np.testing.assert_allclose(values[:, 1::8, 2::8], arrays["map_s8"], rtol=0, atol=atol)
    np.testing.assert_allclose(values[[0, 5]], arrays["map_full_0_5"], rtol=0, atol=atol)
    sums = values.sum(axis=(1, 2), dtype=np.float64)
    np.testing.assert_allclose(sums, arrays["channel_sum"], rtol=1e-6, atol=atol)
    flat = values.reshape(18, -1).argmax(axis=1)
    peaks = np.stack([flat // size[1], flat % size[1]], axis=1)
    peaks[~there] = -1
    np.testing.assert_array_equal(peaks, arrays["peak"])


def test_hand_worked_gaussian() -> None:
    joints = np.full((18, 3), 0.0)
    joints[3] = 2.9, 1.2, 1  # truncated to (2, 1)
    maps = PoseStructure(sigma=2.0).encode(joints, (4, 5))
    assert maps[3, 1, 2] == 1.0
    assert maps[3, 3, 2] == pytest.approx(np.exp(-4 / 8))
    assert maps[3, 1, 0] == pytest.approx(np.exp(-4 / 8))
    assert maps[[0, 1, 2, *range(4, 18)]].abs().sum() == 0


def test_a_centre_is_truncated_towards_zero_and_may_lie_outside() -> None:
    joints = np.zeros((18, 3))
    joints[0] = -0.9, -3.5, 1
    maps = PoseStructure(sigma=6.0).encode(joints, (8, 8))
    assert maps[0, 0, 0] == pytest.approx(np.exp(-9 / 72), abs=1e-7)


def test_round_trip_inside_outside_and_missing() -> None:
    structure = PoseStructure(sigma=6.0)
    joints = standing()
    joints[0] = -7, 5, 1
    joints[4] = 70, 131, 1
    joints[10] = -1, -1, 0
    joints[11, :2] = 13.7, 20.4
    found = structure.decode(structure.encode(joints, (128, 64)))
    expected = joints.copy()
    expected[:, :2] = np.trunc(expected[:, :2])
    np.testing.assert_array_equal(found, expected)


def test_decode_can_ask_for_more_than_a_trace() -> None:
    maps = torch.zeros(18, 16, 16)
    maps[2, 5, 7] = 0.05
    assert PoseStructure().decode(maps)[2].tolist() == [7, 5, 1]
    assert PoseStructure().decode(maps, threshold=0.1)[2].tolist() == [-1, -1, 0]


def test_wrong_shapes_are_said() -> None:
    with pytest.raises(ValueError, match=r"\[18, 3\]"):
        PoseStructure().encode(np.zeros((17, 3)), (64, 64))
    with pytest.raises(ValueError, match="18, H, W"):
        PoseStructure().decode(torch.zeros(17, 8, 8))
    with pytest.raises(ValueError, match="sigma"):
        PoseStructure(sigma=0)


def test_joint_constants_fit_together() -> None:
    assert len(JOINT_NAMES) == len(FLIP_ORDER) == 18
    assert [FLIP_ORDER[index] for index in FLIP_ORDER] == list(range(18))
    for joint, name in enumerate(JOINT_NAMES):
        swapped = name.replace("right", "?").replace("left", "right").replace("?", "left")
        assert JOINT_NAMES[FLIP_ORDER[joint]] == swapped
    assert {joint for limb in LIMBS for joint in limb} == set(range(18))


def test_eyes_and_ears_are_right_first_in_the_real_data(shared_dir: Any) -> None:
    from gfla_video.tasks.pose.annotations import read_annotations

    table = read_annotations(shared_dir / "data/annotations/market-annotation-train.csv", (128, 64))
    rows = np.stack(list(table.joints.values()))
    told = (rows[:, [2, 5, 14, 15], 2] > 0).all(axis=1)
    x = rows[told, :, 0]
    same_side = np.sign(x[:, 2] - x[:, 5]) == np.sign(x[:, 14] - x[:, 15])
    assert told.sum() > 1000
    assert same_side.mean() > 0.9


def test_flip_mirrors_and_swaps() -> None:
    joints = standing()
    joints[4] = -1, -1, 0
    flipped = flip_joints(joints, 64)
    assert flipped[2].tolist() == [63 - joints[5, 0], joints[5, 1], 1]
    assert flipped[7].tolist() == [-1, -1, 0]
    np.testing.assert_array_equal(flip_joints(flipped, 64), joints)


def test_draw_is_coloured_on_joints_and_keeps_the_background() -> None:
    joints = standing()
    joints[3] = joints[4] = -1, -1, 0
    drawn = PoseStructure().draw(joints, (128, 64))
    assert drawn.shape == (128, 64, 3)
    assert drawn.dtype == np.uint8
    for x, y, seen in joints.astype(int):
        if seen:
            assert drawn[y, x].max() > 100
    assert drawn[46, 18].max() == 0  # the missing elbow
    assert drawn[5, 5].tolist() == [0, 0, 0]
    right, left = drawn[102, 25].astype(int), drawn[102, 39].astype(int)
    assert abs(right - left).max() > 40  # limbs differ in colour
    background = np.full((128, 64, 3), 77, dtype=np.uint8)
    over = PoseStructure().draw(joints, (128, 64), background)
    assert (over[5, 5] == 77).all()
    assert (background == 77).all()
    with pytest.raises(ValueError, match="background"):
        PoseStructure().draw(joints, (64, 64), background)


@pytest.mark.parametrize("size", [(64, 64), (128, 64), (256, 176)])
def test_body_mask_covers_the_body_and_not_the_background(size: tuple[int, int]) -> None:
    joints = standing(size)
    mask = PoseStructure().body_mask(joints, size)
    assert mask.shape == size
    assert mask.dtype == bool
    for x, y, _ in joints.astype(int):
        assert mask[y, x]
    trunk = joints[[2, 5, 8, 11], :2].mean(axis=0).astype(int)
    assert mask[trunk[1], trunk[0]]
    assert not mask[0, 0]
    assert not mask[-1, 0]
    assert 0.15 < mask.mean() < 0.5


def test_body_mask_of_nobody_and_of_one_joint() -> None:
    structure = PoseStructure()
    assert not structure.body_mask(np.zeros((18, 3)), (64, 64)).any()
    one = np.zeros((18, 3))
    one[0] = 30, 30, 1
    mask = structure.body_mask(one, (64, 64))
    assert mask[30, 30]
    assert mask.mean() < 0.2
    one[0] = 1e7, -1e7, 1
    assert not structure.body_mask(one, (64, 64)).any()
