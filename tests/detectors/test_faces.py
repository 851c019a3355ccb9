"""What face detectors share, and the adapter to the library ``face_alignment``."""

import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from gfla_video.detectors import (
    MIRRORED_POINTS,
    FaceAlignmentDetector,
    build_face_detector,
    detect_faces,
    face_sizes,
)
from gfla_video.utils.errors import UserError


def test_mirrored_points_are_the_known_pairs() -> None:
    order = list(MIRRORED_POINTS)
    assert sorted(order) == list(range(68))
    assert [order[i] for i in order] == list(range(68))  # twice is none
    pairs = {0: 16, 8: 8, 17: 26, 30: 30, 31: 35, 36: 45, 37: 44, 39: 42, 41: 46, 48: 54, 60: 64}
    pairs |= {51: 51, 57: 57, 62: 62, 66: 66, 67: 65, 49: 53, 59: 55, 21: 22}
    assert {i: order[i] for i in pairs} == pairs


def test_an_unknown_name_is_said() -> None:
    with pytest.raises(
        UserError, match="'Absent' is not registered, there are .*FaceAlignmentDetector, "
    ):
        build_face_detector("Absent")


def test_only_face_detectors_are_named() -> None:
    with pytest.raises(UserError, match="'RtmlibPoseDetector' finds no faces, there are") as told:
        build_face_detector("RtmlibPoseDetector")
    assert str(told.value).count("Rtmlib") == 1


def test_onnx_files_are_for_the_other_detector() -> None:
    with pytest.raises(UserError, match="a.onnx and b.onnx .* pass --detector OnnxFaceDetector"):
        build_face_detector("FaceAlignmentDetector", ["a.onnx", "b.onnx"])


class Counting:
    """Gives as many faces as the picture's first pixel says, and keeps the size of its batches."""

    points = 68

    def __init__(self) -> None:
        self.batches: list[int] = []

    def detect(self, image: np.ndarray) -> np.ndarray:
        return self.detect_batch([image])[0]

    def detect_batch(self, images: list[np.ndarray]) -> list[np.ndarray]:
        self.batches.append(len(images))
        return [np.zeros((image[0, 0, 0], self.points, 2), np.float32) for image in images]


def test_pictures_are_given_in_batches() -> None:
    detector = Counting()
    pictures = (np.full((4, 4, 3), value, np.uint8) for value in (1, 0, 2, 1, 3))
    assert [len(faces) for faces in detect_faces(detector, pictures, 2)] == [1, 0, 2, 1, 3]
    assert detector.batches == [2, 2, 1]


def test_another_number_of_points_is_said() -> None:
    detector = Counting()
    detector.points = 98
    with pytest.raises(UserError, match=re.escape("gives [1, 98, 2] numbers per picture")):
        list(detect_faces(detector, [np.ones((4, 4, 3), np.uint8)]))


def test_face_sizes_take_the_longer_side() -> None:
    points = np.zeros((2, 68, 2))
    points[0, 0], points[1, 0] = (3, 9), (5, 1)
    assert face_sizes(points).tolist() == [9, 5]


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "fan for FaceAlignmentDetector, or pass --detector OnnxFaceDetector with"),
        (1, "(got 1)"),
        (2, "no such model file for FaceAlignmentDetector; put 2DFAN4-11f355bf06.pth.tar from"),
        (4, "(got 4)"),
    ],
)
def test_missing_files_say_what_to_fetch(tmp_path: Path, count: int, said: str) -> None:
    files = [str(tmp_path / f"{index}.pth") for index in range(count)]
    with pytest.raises(UserError, match=re.escape(said)):
        build_face_detector("FaceAlignmentDetector", files)


def test_a_missing_detector_file_says_which(tmp_path: Path) -> None:
    points = tmp_path / "fan.pth"
    points.touch()
    with pytest.raises(UserError, match="s3fd.pth: no such model file .* put s3fd-619a316812.pth"):
        FaceAlignmentDetector(str(points), str(tmp_path / "s3fd.pth"))
    with pytest.raises(UserError, match="put blazeface"):
        FaceAlignmentDetector(str(points), str(tmp_path / "blaze.pth"), "anchors.npy")


def test_a_missing_library_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one.pth").touch()
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    with pytest.raises(UserError, match="install it with `pip install 'face-alignment>=1.5'`"):
        FaceAlignmentDetector(*[str(tmp_path / "one.pth")] * 2)


def test_an_old_library_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one.pth").touch()
    old = ModuleType("face_alignment")
    old.FaceAlignment = object
    monkeypatch.setitem(sys.modules, "face_alignment", old)
    with pytest.raises(UserError, match="is too old"):
        FaceAlignmentDetector(*[str(tmp_path / "one.pth")] * 2)


def test_a_wrong_file_is_said(tmp_path: Path) -> None:
    pytest.importorskip("face_alignment")
    path = tmp_path / "one.pth"
    torch.save({"weight": torch.zeros(2)}, path)
    with pytest.raises(UserError, match="one.pth: the network cannot be loaded .*fetch the file"):
        FaceAlignmentDetector(str(path), str(path))
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match="one.pth: the network cannot be loaded"):
        FaceAlignmentDetector(str(path), str(path))


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Files of the library's networks: random points; one box per 128 x 128 cell, or none."""
    pytest.importorskip("face_alignment")
    from face_alignment.detection.sfd.net_s3fd import s3fd
    from face_alignment.models import FAN

    folder = tmp_path_factory.mktemp("fan")
    boxes = s3fd()
    for name, value in boxes.named_parameters():
        if "mbox" in name:  # every level says "no face", the box is its prior
            torch.nn.init.zeros_(value)
        if name.endswith("mbox_conf.bias"):
            value.data[0] = 20.0
    none = folder / "none.pth"
    torch.save(boxes.state_dict(), none)
    boxes.conv7_2_mbox_conf.bias.data[:] = torch.tensor([0.0, 20.0])
    some = folder / "some.pth"
    torch.save(boxes.state_dict(), some)
    points = folder / "fan.pth"
    torch.save(FAN(4).state_dict(), points)
    return [str(points), str(some), str(none)]


@pytest.mark.slow
def test_the_library_runs_on_files_by_path(
    untrained: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real library, untrained networks: shapes, batches, and no download."""
    import torch.hub

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a download was tried")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    points, some, none = untrained
    pictures = np.random.default_rng(0).integers(0, 255, (2, 128, 128, 3), np.uint8)
    detector = build_face_detector("FaceAlignmentDetector", [points, some])
    both = list(detect_faces(detector, iter(pictures), batch=2))
    assert [faces.shape for faces in both] == [(1, 68, 2)] * 2
    assert both[0].dtype == np.float32 and np.isfinite(both[0]).all()
    assert np.array_equal(detector.detect(pictures[1]), both[1])
    nobody = build_face_detector("FaceAlignmentDetector", [points, none])
    assert nobody.detect(pictures[0]).shape == (0, 68, 2)
    assert [len(faces) for faces in nobody.detect_batch(pictures)] == [0, 0]
    with pytest.raises(UserError, match=r"some.pth: the network cannot be loaded on the device"):
        FaceAlignmentDetector.from_weights([points, some], device="tpu")
