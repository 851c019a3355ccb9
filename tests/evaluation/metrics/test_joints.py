"""PCKh by a detector that reads the joints off the picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from gfla_video.evaluation import PCKh
from gfla_video.evaluation.metrics.joints import right_joints
from gfla_video.registry import DETECTORS
from gfla_video.utils.errors import UserError
from tests.evaluation.metrics.pictures import run

SIZE = 64


@DETECTORS.register_module()
class FindsMarkedPixels:
    """Joint i is where the red channel is 10 + i, one person per value of green (0, 100)."""

    finds = "people"

    def detect(self, image: np.ndarray) -> np.ndarray:
        """[N, 18, 3], nobody where there is no marked pixel."""
        people = []
        for green in (0, 100):
            person = np.tile(np.array([-1, -1, 0], np.float32), (18, 1))
            for joint in range(18):
                rows, columns = np.nonzero((image[..., 0] == 10 + joint) & (image[..., 1] == green))
                if len(rows):
                    person[joint] = columns[0], rows[0], 1
            if person[:, 2].any():
                people.append(person)
        return np.stack(people) if people else np.zeros((0, 18, 3), np.float32)


def drawn(points: np.ndarray, green: int = 0) -> Tensor:
    """The picture [3, 64, 64] in [-1, 1] that the detector finds these joints in."""
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    for joint, (x, y, visible) in enumerate(points):
        if visible:
            image[int(y), int(x)] = 10 + joint, green, 255
    return torch.from_numpy(image).permute(2, 0, 1).float() / 127.5 - 1


def person() -> np.ndarray:
    """All joints, 20 apart at least; the head's box is 8 wide and 12 high."""
    points = np.zeros((18, 3), np.float32)
    points[:, 2] = 1
    points[:, 0] = 5 + 3 * np.arange(18)
    points[:, 1] = 40
    for joint, (x, y) in {0: (30, 10), 1: (30, 18), 14: (28, 8), 15: (32, 8)}.items():
        points[joint, :2] = x, y
    points[16, :2], points[17, :2] = (26, 9), (34, 6)
    return points


def test_a_joint_must_be_near_in_both_directions() -> None:
    truth = person()
    assert right_joints(truth, truth) == (18, 18, 1, 1)
    made = truth.copy()
    made[2, 0] += 3.9  # half the box is 4 x 6
    made[3, 0] += 4  # not less than that
    made[4, 1] -= 5.9
    made[5, 1] += 6
    made[6, :2] += (3, 5)
    made[7] = -1, -1, 0
    assert right_joints(made, truth) == (15, 18, 1, 1)
    truth[[8, 9], 2] = 0  # what is not visible in the truth is not asked for
    assert right_joints(made, truth) == (13, 16, 1, 1)
    assert right_joints(np.zeros((18, 3)), truth) == (0, 16, 0, 1)


def test_a_truth_without_a_head_does_not_count() -> None:
    truth = person()
    truth[[0, 14, 15, 16, 17], 2] = 0
    assert right_joints(person(), truth) == (0, 0, 0, 0)
    truth[0, 2] = 1  # nose and neck: a box without width allows nothing
    assert right_joints(person(), truth) == (0, 14, 1, 1)


@pytest.mark.parametrize("truth", ["points", "detect"])
def test_over_pictures(truth: str) -> None:
    """All right; two wrong; nobody found; no head in the truth."""
    poses = np.stack([person()] * 4)
    poses[3, [0, 1, 14, 15, 16], 2] = 0
    wrong = person()
    wrong[[12, 13], 1] += 10
    made = torch.stack([drawn(person()), drawn(wrong), torch.zeros(3, SIZE, SIZE), drawn(person())])
    true = torch.stack([drawn(one) for one in poses])
    targets = {"image": true, "points": torch.from_numpy(poses)}
    parts = [
        (
            {"targets": {key: value[start:stop] for key, value in targets.items()}},
            [{"image": image} for image in made[start:stop]],
        )
        for start, stop in ((0, 3), (3, 4))
    ]
    metric = PCKh(detector={"type": "FindsMarkedPixels"}, truth=truth)
    assert run(metric, parts, 4) == {
        "pckh": pytest.approx((18 + 16 + 0) / 54),
        "pckh_found": pytest.approx(2 / 3),
    }


def test_of_several_people_the_most_complete_counts() -> None:
    few = person()
    few[3:, 2] = 0
    image = torch.maximum(drawn(few), drawn(person() + np.array([0, 3, 0]), green=100))
    truth = torch.from_numpy(person())[None]
    metric = PCKh(detector=FindsMarkedPixels(), truth="points")
    metric.process({"targets": {"points": truth}}, [{"image": image}])
    assert metric.evaluate(1)["pckh"] == 1


def test_what_it_refuses() -> None:
    class FindsFaces:
        finds = "faces"

    with pytest.raises(UserError, match="FindsFaces finds faces, not people"):
        PCKh(detector=FindsFaces())
    with pytest.raises(UserError, match="truth must be 'points' or 'detect'"):
        PCKh(detector=FindsMarkedPixels(), truth="keypoints")
    batch = {"targets": {"points": torch.zeros(1, 68, 3)}}
    with pytest.raises(UserError, match="18 joints of a body, these samples have 68 points"):
        PCKh(detector=FindsMarkedPixels()).process(batch, [{"image": torch.zeros(3, 8, 8)}])
