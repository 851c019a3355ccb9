"""The ONNX face detector, on networks made here and on the real ones."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from gfla_video.detectors import (
    MIRRORED_POINTS,
    FaceDetector,
    OnnxFaceDetector,
    build_face_detector,
    face_sizes,
)
from gfla_video.utils.errors import UserError
from tests.detectors.onnx_files import write_cell_boxes, write_onnx, write_spot_landmarks


def symmetric_template() -> np.ndarray:
    """68 offsets that a left-right flip maps onto each other, as wide as a settled crop asks."""
    random = np.random.default_rng(3)
    half = random.uniform(-0.3, 0.3, (68, 2))
    mirrored = half[list(MIRRORED_POINTS)] * [-1, 1]
    points = (half + mirrored) / 2
    points[36:42] = [-0.15, -0.1] + 0.02 * points[36:42]
    points[42:48] = points[list(MIRRORED_POINTS)][42:48] * [-1, 1]
    return (points / np.ptp(points, axis=0).max() / 1.3).astype(np.float32)


def picture(spots: list[tuple[int, int, int]], size: tuple[int, int] = (120, 160)) -> np.ndarray:
    """Black, with white discs (x, y, radius)."""
    image = np.zeros((*size, 3), np.uint8)
    for x, y, radius in spots:
        cv2.circle(image, (x, y), radius, (255, 255, 255), -1)
    return image


BOXES = np.array([[0.0, 0.0, 0.5, 0.6], [0.02, 0.02, 0.52, 0.62], [0.55, 0.45, 0.95, 0.95]])


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    landmarks = write_spot_landmarks(tmp_path / "points.onnx", symmetric_template())
    return [landmarks, write_cell_boxes(tmp_path / "boxes.onnx", BOXES)]


@pytest.fixture
def detector(files: list[str]) -> FaceDetector:
    return build_face_detector("OnnxFaceDetector", files)


def test_points_lie_around_the_spot(detector: FaceDetector) -> None:
    faces = detector.detect(picture([(40, 36, 12)]))
    assert faces.shape == (1, 68, 2) and faces.dtype == np.float32
    template = symmetric_template()
    middle = faces[0].mean(axis=0) - template.mean(axis=0) * face_sizes(faces)[0] * 1.3
    assert np.abs(middle - [40, 36]).max() < 0.5
    # the shape is the template, whatever size it settled at
    own = faces[0] - faces[0].mean(axis=0)
    wanted = template - template.mean(axis=0)
    scale = (own * wanted).sum() / (wanted**2).sum()
    assert np.abs(own - wanted * scale).max() < 0.02 * scale


def test_a_shifted_picture_has_shifted_points(detector: FaceDetector) -> None:
    one = detector.detect(picture([(40, 36, 12)]))
    other = detector.detect(picture([(43, 38, 12)]))
    assert np.abs(other - one - [3, 2]).max() < 0.3


def test_one_face_per_box_the_largest_first(detector: FaceDetector) -> None:
    faces = detector.detect(picture([(40, 36, 12), (120, 84, 12)]))
    assert len(faces) == 2  # the second box of the left face was merged with the first
    assert faces[0, :, 0].mean() < 80 < faces[1, :, 0].mean()
    assert face_sizes(faces)[0] > face_sizes(faces)[1]


def test_no_box_no_face(detector: FaceDetector) -> None:
    faces = detector.detect(picture([]))
    assert faces.shape == (0, 68, 2)


def test_points_that_wander_off_are_no_face(tmp_path: Path) -> None:
    far = write_spot_landmarks(tmp_path / "far.onnx", symmetric_template() + 3)
    boxes = write_cell_boxes(tmp_path / "boxes.onnx", BOXES[:1])
    detector = OnnxFaceDetector(far, boxes, passes=0)
    assert len(detector.detect(picture([(40, 36, 12)]))) == 0


def test_without_a_face_detector_the_picture_is_the_face(files: list[str]) -> None:
    detector = OnnxFaceDetector.from_weights(files[:1])
    faces = detector.detect(picture([(90, 50, 20)]))
    template = symmetric_template()
    middle = faces[0].mean(axis=0) - template.mean(axis=0) * face_sizes(faces)[0] * 1.3
    assert np.abs(middle - [90, 50]).max() < 1


def test_large_pictures_are_shrunk_without_a_shift(detector: FaceDetector) -> None:
    small = picture([(40, 36, 12)])
    large = np.kron(small, np.ones((8, 8, 1), np.uint8))
    one, other = detector.detect(small)[0], detector.detect(large)[0]
    assert np.abs((other + 0.5) / 8 - 0.5 - one).max() < 0.6


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "takes LANDMARKS.onnx"),
        (["points.onnx", "boxes.onnx", "points.onnx"], "got 3 files"),
        (["absent.onnx"], "no such model file for OnnxFaceDetector; put the ONNX file of a 68"),
        (["points.onnx", "absent.onnx"], "put the ONNX file of a face detector"),
        (["broken.onnx"], "cannot be loaded, it is no ONNX model; pass an .onnx file"),
        (["boxes.onnx"], "is wanted; pass the ONNX file of a 68-point network"),
        (["points.onnx", "points.onnx"], "is wanted; pass the ONNX file of a face detector"),
    ],
)
def test_wrong_files_are_said(
    files: list[str], tmp_path: Path, names: list[str], said: str
) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        build_face_detector("OnnxFaceDetector", [str(tmp_path / name) for name in names])
    assert "\n" not in str(caught.value)


def test_another_number_of_points_is_refused(tmp_path: Path) -> None:
    path = write_spot_landmarks(tmp_path / "five.onnx", np.zeros((5, 2)))
    with pytest.raises(UserError, match=r"gives \['n', 10\]"):
        OnnxFaceDetector(path)


def test_a_device_that_is_not_there(files: list[str]) -> None:
    with pytest.raises(UserError, match="cannot run on 'npu:1' here, there are .*cpu"):
        OnnxFaceDetector(*files, device="npu:1")


def test_written_onnx_files_compute(tmp_path: Path) -> None:
    """The writer of the test's own files: y = x @ w, in numbers."""
    import onnxruntime

    weight = np.array([[1, 2], [3, 4]], np.float32)
    path = write_onnx(
        tmp_path / "m.onnx",
        [("MatMul", ["x", "w"], ["y"], {})],
        {"w": weight},
        {"x": [1, 2]},
        {"y": [1, 2]},
    )
    session = onnxruntime.InferenceSession(path)
    assert session.run(None, {"x": np.array([[1, 1]], np.float32)})[0].tolist() == [[4, 6]]


@pytest.fixture(scope="module")
def real(shared_dir: Path) -> FaceDetector:
    weights = shared_dir / "data" / "weights"
    names = ("pfld_68_landmarks.onnx", "rfb320_face_detector.onnx")
    if not all((weights / name).is_file() for name in names):
        pytest.skip(f"no {names} in {weights}")
    return build_face_detector("OnnxFaceDetector", [str(weights / name) for name in names])


def test_real_networks_on_marked_frames(real: FaceDetector, shared_dir: Path) -> None:
    """Mean error on five marked frames, in parts of the distance of the eyes' corners."""
    errors = []
    marked = shared_dir / "data" / "faces" / "landmarks68" / "imaginaire"
    for path in sorted(marked.rglob("landmarks-dlib68/*/*.json")):
        truth = np.array(json.loads(path.read_text()), float).reshape(68, 2)
        frame = str(path).replace("landmarks-dlib68", "images").replace(".json", ".jpg")
        faces = real.detect(cv2.imread(frame)[..., ::-1])
        assert len(faces) == 1
        eyes = np.linalg.norm(truth[36] - truth[45])
        errors.append(np.linalg.norm(faces[0] - truth, axis=1).mean() / eyes)
    assert len(errors) == 5 and max(errors) < 0.035


def test_real_networks_find_nobody_on_grass(real: FaceDetector, shared_dir: Path) -> None:
    grass = shared_dir / "data" / "faces" / "portraits" / "grass.jpg"
    assert len(real.detect(cv2.imread(str(grass))[..., ::-1])) == 0
