"""The pose driver: what --driving and the source's pose become in the model's frame."""

from argparse import ArgumentParser
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from gfla_video.registry import DETECTORS, DRIVERS
from gfla_video.structures.driving import SourceImage
from gfla_video.structures.frame_fit import FrameFit
from gfla_video.tasks.pose.driver import PoseDriver
from gfla_video.tasks.pose.joints import visible
from gfla_video.utils.errors import UserError
from gfla_video.utils.video import VideoWriter


def body(x: float = 0.0, scale: float = 1.0) -> np.ndarray:
    """A plausible body with the neck at (32 + x, 40), 18 joints, in a frame of 64x128."""
    offsets = [
        *([0, -10], [0, 0], [-8, 1], [-10, 12], [-10, 22], [8, 1], [10, 12], [10, 22]),
        *([-5, 24], [-5, 42], [-5, 60], [5, 24], [5, 42], [5, 60]),
        *([-2, -13], [2, -13], [-5, -11], [5, -11]),
    ]
    points = (np.array(offsets, dtype=float) + np.array([32 + x, 40])) * scale
    return np.concatenate([points, np.ones((18, 1))], axis=1)


def source(origin: tuple[int, int] = (128, 64), size=(128, 64), mode: str = "pad") -> SourceImage:
    return SourceImage(
        np.full((*origin, 3), 90, np.uint8), Path("person.png"), FrameFit(origin, size, mode)
    )


@pytest.fixture
def own_pose(tmp_path: Path) -> str:
    np.savez(tmp_path / "own.npz", keypoints=body())
    return str(tmp_path / "own.npz")


def drive(path: Path, **arrays: object) -> str:
    np.savez(path / "drive.npz", **arrays)
    return str(path / "drive.npz")


def test_same_frame_is_identity_and_all_is_counted(tmp_path: Path, own_pose: str) -> None:
    clip = np.stack([body(i) for i in range(5)])
    clip[2, 4] = (-1, -1, 0)
    clip[3] = (-1, -1, 0)
    stream = PoseDriver().open(
        drive(tmp_path, keypoints=clip, fps="30000/1001"),
        source(),
        {"source_structure": own_pose},
    )
    assert stream.fps == Fraction(30000, 1001)
    assert stream.length == 5
    frames = list(stream)
    assert frames[0] == pytest.approx(body())
    assert frames[2][4].tolist() == [-1, -1, 0]
    assert stream.source == pytest.approx(body())
    assert stream.report[0] == ("5 driving frames: 71 joints found, 19 missing, nobody in 1 frames")
    assert "source pose: 18 of 18 joints" in stream.report
    assert any("frame of 64x128" in note for note in stream.report)  # assumed, and said


def test_frames_are_scaled_like_the_picture(tmp_path: Path, own_pose: str) -> None:
    """A source and a driver of other sizes are fitted by the same rule."""
    driving = drive(tmp_path, keypoints=body(scale=2.0)[None], size=(256, 128))
    for mode, wanted in (("pad", (32 + 16, 40)), ("stretch", (48, 40))):
        stream = PoseDriver().open(
            driving, source((128, 64), (128, 96), mode), {"source_structure": own_pose}
        )
        assert stream.joints[0, 1, :2] == pytest.approx(wanted)
        assert stream.source[1, :2] == pytest.approx(wanted)


def test_a_pose_in_another_frame_than_its_picture(tmp_path: Path) -> None:
    """The CSV says 64x128, the photograph is twice as large."""
    xs, ys = body()[:, 0].astype(int).tolist(), body()[:, 1].astype(int).tolist()
    path = tmp_path / "a.csv"
    path.write_text(f"name:keypoints_y:keypoints_x\nperson.png: {ys}: {xs}\nb: {ys}: {xs}\n")
    options = {"source_structure": str(path)}
    big = source((256, 128), (128, 64))
    driver = PoseDriver(annotation_size=(128, 64))
    stream = driver.open(str(path), big, options)
    assert stream.source[1, :2] == pytest.approx([32, 40])
    assert stream.joints[0, 1, :2] == pytest.approx([32, 40])
    assert stream.fps == 25
    assert any("25 frames per second taken" in note for note in stream.report)
    unset = PoseDriver().open(str(path), big, {**options, "source_structure_size": [128, 64]})
    assert unset.source[1, :2] == pytest.approx([32, 40])


def test_joints_beyond_the_frame_are_an_error(tmp_path: Path, own_pose: str) -> None:
    options = {"source_structure": own_pose}
    path = drive(tmp_path, keypoints=body(scale=4.0)[None])
    with pytest.raises(UserError, match=r"outside the frame of 64x128.*--driving-size"):
        PoseDriver().open(path, source(), options)
    fine = PoseDriver().open(path, source(), {**options, "driving_size": [512, 256]})
    assert fine.joints[0] == pytest.approx(body())


def test_fit_body_puts_a_foreign_driver_onto_the_source(tmp_path: Path, own_pose: str) -> None:
    clip = np.stack([body(10 * (i - 1), 7.0) for i in range(3)]) + np.array([300, 0, 0])
    stream = PoseDriver().open(
        drive(tmp_path, keypoints=clip), source(), {"source_structure": own_pose, "fit": "body"}
    )
    assert stream.joints[1] == pytest.approx(body())
    assert stream.joints[0, 1, 0] == pytest.approx(32 - 10)


def test_fit_body_into_a_stretched_model(tmp_path: Path, own_pose: str) -> None:
    """The source is stretched to twice its width: so are the driver's directions."""
    driving = drive(tmp_path, keypoints=body(scale=3.0)[None])
    wide = source((128, 64), (128, 128), "stretch")
    stream = PoseDriver().open(driving, wide, {"source_structure": own_pose, "fit": "body"})
    assert stream.joints[0] == pytest.approx(body() * (2, 1, 1))


def test_frame_rate_option_and_gaps(tmp_path: Path, own_pose: str) -> None:
    clip = np.stack([body(i) for i in range(4)])
    clip[1, 7] = (-1, -1, 0)
    path = drive(tmp_path, keypoints=clip, fps=25)
    options = {"source_structure": own_pose, "fps": "24000/1001", "on_missing": "interpolate"}
    stream = PoseDriver().open(path, source(), options)
    assert stream.fps == Fraction(24000, 1001)
    assert any("replaces the file's own 25" in note for note in stream.report)
    assert any("1 missing joints interpolated" in note for note in stream.report)
    assert stream.joints[1] == pytest.approx(body(1))
    assert "71 joints found, 1 missing" in stream.report[0]  # what was read, not what was made


def test_options_come_from_the_parser_and_are_checked(tmp_path: Path, own_pose: str) -> None:
    parser = ArgumentParser()
    PoseDriver.add_arguments(parser)
    options = vars(parser.parse_args(["--source-structure", own_pose, "--fit", "body"]))
    stream = PoseDriver().open(drive(tmp_path, keypoints=body()[None]), source(), options)
    assert stream.length == 1
    with pytest.raises(UserError, match="did you mean source_structure"):
        PoseDriver().open("x", source(), {"source_structur": "y"})
    with pytest.raises(UserError, match="fit is frame or body"):
        PoseDriver().open("x", source(), {"fit": "face"})
    with pytest.raises(ValueError, match="pad or stretch"):
        PoseDriver(resize="crop")
    assert DRIVERS.get("PoseDriver") is PoseDriver


def test_no_poses_and_no_pose_of_the_source(tmp_path: Path, own_pose: str) -> None:
    nobody = drive(tmp_path, keypoints=np.full((4, 18, 2), -1.0))
    with pytest.raises(UserError, match="holds no poses"):
        PoseDriver().open(nobody, source(), {"source_structure": own_pose})
    with pytest.raises(UserError, match=r"pose of person\.png is not known.*--source-structure"):
        PoseDriver().open(own_pose, source(), {})
    with pytest.raises(UserError, match=r"clip\.mp4 is a video; pass --detector-weights"):
        PoseDriver().open("clip.mp4", source(), {"source_structure": own_pose})
    options = {"detector": "Nope", "detector_weights": ["x"]}
    with pytest.raises(UserError, match="'Nope' is not registered"):
        PoseDriver().open("clip.mp4", source(), options)


class BlobDetector:
    """Takes the first red pixel for the neck of a small body; none: nobody."""

    @classmethod
    def from_weights(cls, weights: list[str], device: str = "cpu") -> "BlobDetector":
        assert weights == ["blob.onnx"]
        return cls()

    def detect(self, image: np.ndarray) -> np.ndarray:
        rows, columns = np.nonzero(image[..., 0] > 200)
        if not len(rows):
            return np.zeros((0, 18, 3), np.float32)
        small = body() + np.array([columns[0] - 32, rows[0] - 40, 0])
        return np.stack([small, body(scale=0.1)]).astype(np.float32)


@pytest.fixture
def blob_detector() -> dict[str, object]:
    DETECTORS.register_module(name="BlobDetector", module=BlobDetector, force=True)
    yield {"detector": "BlobDetector", "detector_weights": ["blob.onnx"]}
    DETECTORS.module_dict.pop("BlobDetector")


def test_a_video_and_a_photograph_through_a_detector(tmp_path: Path, blob_detector) -> None:
    with VideoWriter(tmp_path / "v.mp4", Fraction(30000, 1001), (128, 64)) as writer:
        for index in range(6):
            frame = np.full((128, 64, 3), 20, np.uint8)
            if index != 3:
                frame[40:56, 16 + 4 * index : 32 + 4 * index] = 255
            writer.write(frame)
    picture = source()
    picture.pixels[40:, 32:] = 255
    stream = PoseDriver().open(str(tmp_path / "v.mp4"), picture, blob_detector)
    assert stream.fps == Fraction(30000, 1001)
    assert stream.length == 6
    assert not visible(stream.joints[3]).any()
    necks = stream.joints[[0, 1, 5], 1, 0]
    assert necks == pytest.approx([16, 20, 36], abs=1.5)
    assert stream.source[1, :2] == pytest.approx([32, 40])
    assert any("several people in 5 frames" in note for note in stream.report)


def test_a_video_without_people(tmp_path: Path, blob_detector, own_pose: str) -> None:
    with VideoWriter(tmp_path / "v.mp4", Fraction(25), (128, 64)) as writer:
        writer.write(np.zeros((128, 64, 3), np.uint8))
    options = {**blob_detector, "source_structure": own_pose}
    with pytest.raises(UserError, match="no person was found in any of its 1 frames"):
        PoseDriver().open(str(tmp_path / "v.mp4"), source(), options)
    with pytest.raises(UserError, match="no joint at all"):
        PoseDriver().open(own_pose, source(), blob_detector)


def test_joints_of_real_photographs(shared_dir: Path) -> None:
    """Market's own annotations drive a Market picture; one frame per row, in order."""
    path = shared_dir / "data" / "market" / "market-annotation.csv"
    name = path.read_text().splitlines()[5].split(":")[0]
    picture = SourceImage(
        np.zeros((128, 64, 3), np.uint8), Path(name), FrameFit((128, 64), (128, 64))
    )
    stream = PoseDriver(annotation_size=(128, 64)).open(
        str(path), picture, {"source_structure": str(path), "fps": 5, "fit": "body"}
    )
    assert (stream.length, stream.fps) == (282, 5)
    seen = visible(stream.joints)
    inside = (stream.joints[..., :2] >= 0).all(-1) & (stream.joints[..., :2] < (64, 128)).all(-1)
    assert inside[seen].mean() > 0.85
