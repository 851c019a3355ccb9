"""The adapter to rtmlib, with a stand-in for the library (its real signatures, version 0.0.16)."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from gfla_video.detectors import RtmlibPoseDetector
from gfla_video.registry import DETECTORS
from gfla_video.utils.errors import UserError


class Yolox:
    boxes: list = [[10, 20, 60, 120], [80, 20, 120, 110]]

    def __init__(
        self,
        onnx_model: str,
        model_input_size: tuple = (640, 640),
        det_mode: str | None = None,
        nms_thr: float = 0.45,
        score_thr: float = 0.7,
        backend: str = "onnxruntime",
        device: str = "cpu",
    ) -> None:
        print("load", onnx_model)
        self.model_input_size = model_input_size
        self.session = SimpleNamespace(
            get_inputs=lambda: [SimpleNamespace(shape=["batch", 3, 416, 416])]
        )

    def __call__(self, image: np.ndarray) -> np.ndarray:
        return np.array(self.boxes)


class RtmPose:
    joints = 17
    made: list = []

    def __init__(
        self,
        onnx_model: str,
        model_input_size: tuple = (192, 256),
        mean: tuple = (),
        std: tuple = (),
        to_openpose: bool = False,
        backend: str = "onnxruntime",
        device: str = "cpu",
    ) -> None:
        if "broken" in onnx_model:
            raise RuntimeError("not an ONNX model")
        self.model_input_size = model_input_size
        self.device = device
        self.session = SimpleNamespace(
            get_inputs=lambda: [SimpleNamespace(shape=["batch", 3, "height", "width"])]
        )
        self.made.append(self)

    def __call__(self, image: np.ndarray, bboxes: list) -> tuple[np.ndarray, np.ndarray]:
        self.image = image
        corner = np.array([box[:2] for box in bboxes], dtype=float)
        keypoints = np.repeat(corner[:, None], self.joints, axis=1)
        scores = np.full(keypoints.shape[:2], 0.8)
        scores[:, 0] = 0.1
        return keypoints, scores


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    fake = ModuleType("rtmlib")
    fake.YOLOX, fake.RTMPose = Yolox, RtmPose
    monkeypatch.setitem(sys.modules, "rtmlib", fake)
    monkeypatch.setattr(RtmPose, "made", [])
    return fake


@pytest.fixture
def weights(tmp_path: Path) -> list[str]:
    paths = [tmp_path / "pose.onnx", tmp_path / "det.onnx"]
    for path in paths:
        path.write_bytes(b"onnx")
    return [str(path) for path in paths]


@pytest.mark.usefixtures("library")
def test_people_in_openpose_order(weights: list[str], capsys: pytest.CaptureFixture) -> None:
    detector = RtmlibPoseDetector.from_weights(weights, device="mps")
    image = np.zeros((130, 140, 3), np.uint8)
    image[..., 0] = 200  # red
    people = detector.detect(image)
    assert people.shape == (2, 18, 3)
    assert people.dtype == np.float32
    assert people[1, 5].tolist() == [80, 20, 1]
    assert people[0, 0].tolist() == [-1, -1, 0]  # the nose's score is low
    pose = RtmPose.made[0]
    assert pose.image[0, 0].tolist() == [0, 0, 200]  # as OpenCV reads pictures
    assert pose.device == "mps"
    assert pose.model_input_size == (192, 256)  # the file does not say it: the default stays
    assert detector._people.model_input_size == (416, 416)  # read from the file
    assert capsys.readouterr().out == ""  # the library's prints are no output of ours


@pytest.mark.usefixtures("library")
def test_without_a_person_detector_the_picture_is_the_box(weights: list[str]) -> None:
    people = RtmlibPoseDetector.from_weights(weights[:1]).detect(np.zeros((50, 40, 3), np.uint8))
    assert people.shape == (1, 18, 3)
    assert people[0, 2].tolist() == [0, 0, 1]


@pytest.mark.usefixtures("library")
def test_nobody_found(weights: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Yolox, "boxes", [])
    detector = RtmlibPoseDetector.from_weights(weights)
    assert detector.detect(np.zeros((50, 40, 3), np.uint8)).shape == (0, 18, 3)


@pytest.mark.usefixtures("library")
def test_other_models_are_refused(weights: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RtmPose, "joints", 21)
    with pytest.raises(UserError, match="21 joints"):
        RtmlibPoseDetector.from_weights(weights).detect(np.zeros((50, 40, 3), np.uint8))


def test_missing_library_and_files(weights: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rtmlib", None)
    with pytest.raises(UserError, match="pip install rtmlib"):
        RtmlibPoseDetector.from_weights(weights)
    with pytest.raises(UserError, match="no such model file"):
        RtmlibPoseDetector.from_weights(["nowhere.onnx"])
    with pytest.raises(UserError, match="no pose model given"):
        RtmlibPoseDetector()
    with pytest.raises(UserError, match="got 3 files"):
        RtmlibPoseDetector.from_weights(["a", "b", "c"])


@pytest.mark.usefixtures("library")
def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"x")
    with pytest.raises(UserError, match="cannot be loaded"):
        RtmlibPoseDetector(pose_weights=str(tmp_path / "broken.onnx"))


def test_it_is_registered() -> None:
    assert DETECTORS.get("RtmlibPoseDetector") is RtmlibPoseDetector
