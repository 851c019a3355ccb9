"""COCO's 17 joints to OpenPose's 18."""

import numpy as np
import pytest

from gfla_video.detectors import coco_to_openpose

COCO = """nose, left eye, right eye, left ear, right ear, left shoulder, right shoulder,
left elbow, right elbow, left wrist, right wrist, left hip, right hip, left knee, right knee,
left ankle, right ankle"""
OPENPOSE = """nose, neck, right shoulder, right elbow, right wrist, left shoulder, left elbow,
left wrist, right hip, right knee, right ankle, left hip, left knee, left ankle, right eye,
left eye, right ear, left ear"""


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def coco_body() -> np.ndarray:
    return np.array([[10.0 + i, 100.0 + 2 * i, 0.9] for i in range(17)])


def test_every_joint_lands_by_its_name() -> None:
    body = coco_to_openpose(coco_body())
    for index, name in enumerate(names(OPENPOSE)):
        if name != "neck":
            assert body[index].tolist() == pytest.approx(
                [*coco_body()[names(COCO).index(name), :2], 1]
            )
    assert body[1].tolist() == [15.5, 111.0, 1.0]  # between the shoulders


def test_halpe_26_begins_with_coco() -> None:
    halpe = np.concatenate([coco_body(), np.full((9, 3), 7.0)])
    assert (coco_to_openpose(halpe) == coco_to_openpose(coco_body())).all()


def test_missing_joints_and_neck() -> None:
    body = coco_body()
    body[6, 2] = 0.2  # right shoulder
    body[9, 0] = np.nan  # left wrist
    got = coco_to_openpose(body, threshold=0.3)
    missing = [names(OPENPOSE)[i] for i in np.flatnonzero(got[:, 2] == 0)]
    assert missing == ["neck", "right shoulder", "left wrist"]
    assert (got[got[:, 2] == 0] == (-1, -1, 0)).all()


def test_batches_and_wrong_counts() -> None:
    assert coco_to_openpose(np.zeros((0, 17, 3))).shape == (0, 18, 3)
    assert coco_to_openpose(np.ones((4, 2, 17, 3))).shape == (4, 2, 18, 3)
    with pytest.raises(ValueError, match="17 or 26"):
        coco_to_openpose(np.zeros((18, 3)))
