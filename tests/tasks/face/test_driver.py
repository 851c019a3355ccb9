"""What drives a face: videos, folders, landmark files; what is said and what is refused."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gfla_video.registry import DETECTORS
from gfla_video.structures.driving import SourceImage
from gfla_video.structures.frame_fit import FrameFit
from gfla_video.tasks.face.driver import FaceDriver, FaceStream
from gfla_video.tasks.face.motion import relative_motion
from gfla_video.utils.errors import UserError
from gfla_video.utils.video import VideoWriter
from tests.tasks.face.faces import face
from tests.utils.videos import turned, variable

SIZE = (128, 128)
CANVAS = (160, 200)  # of the driving pictures


@DETECTORS.register_module(name="SquareFinder", force=True)
class SquareFinder:
    """A detector of bright squares; a square's face has the place and size of the square."""

    seen = 0

    @classmethod
    def from_weights(cls, weights: Sequence[str], device: str = "cpu") -> SquareFinder:
        return cls()

    def detect(self, image: np.ndarray) -> np.ndarray:
        SquareFinder.seen += 1
        bright = image[..., 0] > 150
        columns = np.flatnonzero(np.diff(np.pad(bright.any(axis=0).astype(int), 1)))
        faces = []
        for left, right in zip(columns[::2], columns[1::2], strict=True):
            rows = np.flatnonzero(bright[:, left:right].any(axis=1))
            if len(rows):
                middle = ((left + right - 1) / 2, (rows[0] + rows[-1]) / 2)
                faces.append(face(size=(right - left) / 120) - 64 * 1 + np.array(middle))
        faces.sort(key=lambda points: -np.ptp(points[:, 0]))
        return np.stack(faces).astype(np.float32) if faces else np.zeros((0, 68, 2), np.float32)


DETECT = {"detector": "SquareFinder", "detector_weights": ["any"]}


def squares(*places: tuple[int, int, int], size: tuple[int, int] = CANVAS) -> np.ndarray:
    """A grey picture with bright squares (x, y, side)."""
    picture = np.full((*size, 3), 60, np.uint8)
    for x, y, side in places:
        picture[y : y + side, x : x + side] = 240
    return picture


def video(path: Path, frames: Sequence[np.ndarray], fps: Fraction = Fraction(30000, 1001)) -> Path:
    with VideoWriter(path, fps, frames[0].shape[:2], crf=4) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def moving(count: int = 6) -> list[np.ndarray]:
    return [squares((60 + 4 * i, 50, 60)) for i in range(count)]


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    """A picture that a face fills, with its landmarks beside it."""
    Image.fromarray(squares((8, 8, 104), size=SIZE)).save(tmp_path / "portrait.png")
    np.savez(tmp_path / "portrait.npz", landmarks=face(), size=SIZE)
    return tmp_path / "portrait.png"


def framed(source: Path, options: dict[str, Any]) -> tuple[SourceImage, list[str]]:
    pixels = np.asarray(Image.open(source).convert("RGB"))
    made = FaceDriver().frame_source(pixels, source, options)
    fit = FrameFit(made.pixels.shape[:2], SIZE)
    return SourceImage(made.pixels, source, fit, made.detail), made.report


def drive(source: Path, driving: Path | str, **options: Any) -> FaceStream:
    return FaceDriver().open(str(driving), framed(source, options)[0], options)


def test_a_landmark_file(portrait: Path, tmp_path: Path) -> None:
    clip = np.stack([face(mouth=m, size=0.7, shift=(20, 9)) for m in (0, 3, 6)])
    np.savez(tmp_path / "drive.npz", landmarks=clip, size=CANVAS, fps=(24000, 1001))
    stream = drive(portrait, tmp_path / "drive.npz", anchor="first")
    assert (stream.length, stream.fps, stream.sound) == (3, Fraction(24000, 1001), None)
    frames = list(stream)
    np.testing.assert_allclose(stream.source.landmarks, face(), atol=1e-3)
    expected = relative_motion(clip, face(), 0)
    for annotation, points in zip(frames, expected, strict=True):
        np.testing.assert_allclose(annotation.landmarks, points, atol=1e-3)
        assert annotation.size == SIZE
        assert annotation.picture is not None  # the source's background
        assert annotation.picture.shape == (*SIZE, 3)
    assert stream.report[0] == "3 driving frames: 3 with a face"
    neutral = drive(portrait, tmp_path / "drive.npz", background_edges="none", fps="12.5")
    assert "frame 0 of the driver, the most neutral one" in " ".join(neutral.report)
    assert neutral.fps == Fraction(25, 2)
    assert next(iter(neutral)).picture is None is neutral.source.picture


def test_a_folder_of_texts(portrait: Path, tmp_path: Path) -> None:
    for number in (2, 10, 1):  # by value, not by letter
        text = "\n".join(f"{x},{y}" for x, y in face(mouth=number))
        (tmp_path / "texts").mkdir(exist_ok=True)
        (tmp_path / "texts" / f"{number}.txt").write_text(text)
    stream = drive(portrait, tmp_path / "texts", anchor="first")
    lips = [annotation.landmarks[66, 1] for annotation in stream]
    assert np.argsort(lips).tolist() == [0, 1, 2]
    assert "25 frames per second taken" in " ".join(stream.report)
    with pytest.raises(UserError, match="--driving-size"):
        drive(portrait, tmp_path / "texts", motion="absolute", crop="none")
    placed = drive(
        portrait, tmp_path / "texts", motion="absolute", crop="none", driving_size=(64, 64)
    )
    np.testing.assert_allclose(placed.landmarks[0], 2 * face(mouth=1), atol=1e-3)


def test_a_video_through_a_detector(portrait: Path, tmp_path: Path, capsys) -> None:
    SquareFinder.seen = 0
    clip = video(tmp_path / "v.mp4", moving())
    stream = drive(portrait, clip, source_landmarks=str(portrait.with_suffix(".npz")), **DETECT)
    assert SquareFinder.seen == 6
    assert "finding faces" in capsys.readouterr().err
    assert (stream.length, stream.fps, stream.sound) == (6, Fraction(30000, 1001), clip)
    steps = np.diff([a.landmarks.mean(axis=0) for a in stream], axis=0)
    np.testing.assert_allclose(steps, [(8, 0)] * 5, atol=0.2)  # the driver's face is half as big
    report = " ".join(stream.report)
    assert "driver cropped" not in report  # only its motion is taken
    own = drive(portrait, clip, motion="absolute", **DETECT)
    assert "driver cropped around the face" in " ".join(own.report)
    SquareFinder.seen = 6
    assert SquareFinder.seen == 6  # not again


def test_landmarks_beside_a_video_are_taken_and_said(portrait: Path, tmp_path: Path) -> None:
    video(tmp_path / "v.mp4", moving())
    np.savez(tmp_path / "v.npz", landmarks=np.stack([face()] * 6), size=CANVAS)
    stream = drive(portrait, tmp_path / "v.mp4")
    assert "landmarks of v.npz, beside it" in stream.report
    of_file = drive(portrait, tmp_path / "v.npz")
    assert of_file.sound == tmp_path / "v.mp4" and of_file.fps == Fraction(30000, 1001)
    np.savez(tmp_path / "w.npz", landmarks=np.stack([face()] * 9), size=CANVAS)
    with pytest.raises(UserError, match=r"w\.npz: holds landmarks of 9 frames"):
        drive(portrait, tmp_path / "v.mp4", driving_landmarks=str(tmp_path / "w.npz"))
    np.savez(tmp_path / "w.npz", landmarks=np.stack([face()] * 6), size=(100, 100))
    with pytest.raises(UserError, match=r"w\.npz: holds landmarks in a frame of 100x100"):
        drive(portrait, tmp_path / "v.mp4", driving_landmarks=str(tmp_path / "w.npz"))


def test_a_folder_of_pictures_and_the_drivers_background(portrait: Path, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for index, picture in enumerate(moving(3)):
        Image.fromarray(picture).save(tmp_path / "frames" / f"{index}.png")
    options = dict(DETECT, motion="absolute")
    stream = drive(portrait, tmp_path / "frames", **options)
    places = []
    for annotation in stream:
        assert annotation.picture is not None and annotation.picture.shape == (*SIZE, 3)
        bright = np.flatnonzero(annotation.picture[64, :, 0] > 150)
        np.testing.assert_allclose(bright.mean(), annotation.landmarks[:, 0].mean(), atol=1.5)
        places.append(bright.mean())
    assert np.diff(places).min() > 3
    assert "25 frames per second taken" in " ".join(stream.report)
    Image.fromarray(squares((9, 9, 40), size=(64, 64))).save(tmp_path / "frames" / "3.png")
    with pytest.raises(UserError, match=r"3\.png: is 64x64, the pictures before are 200x160"):
        drive(portrait, tmp_path / "frames", **options)


@pytest.mark.parametrize("mode", ["hold", "interpolate", "fail"])
def test_frames_without_a_face(portrait: Path, tmp_path: Path, mode: str) -> None:
    frames = moving(7)
    frames[3] = squares()
    clip = video(tmp_path / "v.mp4", frames)
    options = dict(DETECT, on_missing=mode, motion="absolute", crop="none")
    if mode == "fail":
        with pytest.raises(UserError, match=r"1 of 7 frames have no face, the first is frame 3"):
            drive(portrait, clip, **options)
        return
    stream = drive(portrait, clip, **options)
    x = stream.landmarks[:, :, 0].mean(axis=1)
    expected = x[2] if mode == "hold" else (x[2] + x[4]) / 2
    assert x[3] == pytest.approx(expected, abs=1e-3)
    done = {"hold": "held", "interpolate": "interpolated"}[mode]
    assert stream.report[0] == f"7 driving frames: 6 with a face, the rest {done}"


def test_a_clip_without_any_face(portrait: Path, tmp_path: Path) -> None:
    clip = video(tmp_path / "v.mp4", [squares()] * 5)
    with pytest.raises(UserError, match=r"v\.mp4: no face was found in any of its 5 frames"):
        drive(portrait, clip, **DETECT)


def test_a_truncated_video(portrait: Path, tmp_path: Path) -> None:
    whole = video(tmp_path / "whole.mp4", moving(20)).read_bytes()
    (tmp_path / "v.mp4").write_bytes(whole[: int(0.9 * len(whole))])
    stream = drive(portrait, tmp_path / "v.mp4", **DETECT)
    assert 5 < stream.length < 20
    assert len(list(stream)) == stream.length
    assert f"its {stream.length} of 20 whole frames are used" in " ".join(stream.report)


def test_a_video_with_a_rotation_tag(portrait: Path, tmp_path: Path) -> None:
    """Its face moves to the right as it is stored, and downwards as it is shown."""
    clip = turned(video(tmp_path / "v.mp4", moving(4)), 90)
    stream = drive(portrait, clip, motion="absolute", crop="none", **DETECT)
    assert stream.footage.size == CANVAS[::-1]
    steps = np.diff([a.landmarks.mean(axis=0) for a in stream], axis=0)
    np.testing.assert_allclose(steps, [(0, 4 * 128 / 200)] * 3, atol=0.2)


def test_a_video_of_variable_rate(portrait: Path, tmp_path: Path) -> None:
    clip = variable(tmp_path / "v.mkv", moving(12), [0, 1, 2, *range(5, 14)])
    stream = drive(portrait, clip, motion="absolute", crop="none", **DETECT)
    assert stream.length == len(list(stream)) > 12
    assert abs(stream.length / stream.fps - Fraction(14, 25)) <= Fraction(1, 25)
    assert "variable frame rate" in " ".join(stream.report)


def test_a_detector_of_another_count(
    portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SquareFinder, "detect", lambda self, image: np.zeros((1, 66, 2)))
    clip = video(tmp_path / "v.mp4", moving(2))
    own = {"source_landmarks": str(portrait.with_suffix(".npz"))}
    for options in (DETECT, DETECT | own):
        with pytest.raises(UserError, match="choose a detector of 68 points"):
            drive(portrait, clip, **options)


def test_the_source_is_cropped(tmp_path: Path) -> None:
    Image.fromarray(squares((150, 60, 50), size=(240, 320))).save(tmp_path / "far.png")
    source, said = framed(tmp_path / "far.png", DETECT)
    side = source.pixels.shape[0]
    assert source.pixels.shape == (side, side, 3) and 60 < side < 160
    assert said[0].startswith(f"source cropped around the face: {side}x{side} pixels from x = ")
    clip = video(tmp_path / "v.mp4", moving())
    stream = FaceDriver().open(str(clip), source, DETECT)
    picture = stream.source.picture
    assert picture is not None
    bright = np.flatnonzero(picture[64, :, 0] > 150)
    np.testing.assert_allclose(bright.mean(), stream.source.landmarks[:, 0].mean(), atol=1)
    near = Image.fromarray(squares((22, 22, 70), size=SIZE))
    near.save(tmp_path / "near.png")  # what auto leaves as it is
    assert framed(tmp_path / "near.png", DETECT)[0].pixels.shape == (*SIZE, 3)
    sides = []
    for margin in (0.1, 0.2):
        always = FaceDriver(crop="always", crop_margin=margin)
        options = dict(DETECT, crop=None, crop_margin=None)
        made = always.frame_source(np.asarray(near), tmp_path / "near.png", options)
        sides.append(made.pixels.shape[0])
    assert sides[0] < sides[1] < SIZE[0]
    whole, said = framed(tmp_path / "far.png", dict(DETECT, crop="none"))
    assert whole.pixels.shape == (240, 320, 3) and not said


def test_a_source_with_two_faces_and_with_none(tmp_path: Path) -> None:
    two = squares((10, 20, 40), (100, 20, 80))
    Image.fromarray(two).save(tmp_path / "two.png")
    source, said = framed(tmp_path / "two.png", dict(DETECT, crop="none"))
    assert said == ["two.png shows 2 faces, the largest one is animated"]
    assert source.detail.landmarks[:, 0].mean() == pytest.approx(140, abs=2)
    Image.fromarray(squares()).save(tmp_path / "none.png")
    with pytest.raises(UserError, match=r"none\.png: no face was found in it"):
        framed(tmp_path / "none.png", DETECT)


def test_a_face_that_leaves_is_said(portrait: Path, tmp_path: Path) -> None:
    clip = np.stack([face(shift=(12 * i, 0)) for i in range(8)])
    np.savez(tmp_path / "d.npz", landmarks=clip)
    stream = drive(portrait, tmp_path / "d.npz", anchor="first")
    assert "the face leaves the picture in" in " ".join(stream.report)


def test_what_is_refused(portrait: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "66.npz", landmarks=np.zeros((4, 66, 2)))
    with pytest.raises(UserError, match=r"66\.npz: landmarks are \(4, 66, 2\), expected"):
        drive(portrait, tmp_path / "66.npz")
    (tmp_path / "short").mkdir()
    (tmp_path / "short" / "a.txt").write_text("1,2\n" * 66)
    with pytest.raises(UserError, match=r"a\.txt: holds landmarks \(66, 2\), expected 68"):
        drive(portrait, tmp_path / "short")
    with pytest.raises(UserError, match=r"66\.npz: landmarks are"):
        drive(portrait, tmp_path / "66.npz", source_landmarks=str(tmp_path / "66.npz"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: holds neither pictures nor landmarks"):
        drive(portrait, tmp_path / "empty")
    with pytest.raises(UserError, match="no such video"):
        drive(portrait, tmp_path / "none.mp4")
    with pytest.raises(UserError, match=r"none\.npz: no such landmark file"):
        drive(portrait, tmp_path / "none.npz")
    with pytest.raises(UserError, match="no option smoth; did you mean smooth"):
        drive(portrait, tmp_path / "none.npz", smoth=1)
    with pytest.raises(UserError, match="motion is relative or absolute"):
        drive(portrait, tmp_path / "none.npz", motion="other")
    np.savez(tmp_path / "d.npz", landmarks=face())
    with pytest.raises(UserError, match="--smooth: 0 or more"):
        drive(portrait, tmp_path / "d.npz", smooth=-1.0)
    for option in ({"paste_back": "driving"}, {"background_edges": "driving"}):
        with pytest.raises(UserError, match=r"d\.npz: has no pictures for --"):
            drive(portrait, tmp_path / "d.npz", **option)


def test_missing_weights_say_what_to_fetch(portrait: Path, tmp_path: Path) -> None:
    clip = video(tmp_path / "v.mp4", moving(2))
    with pytest.raises(
        UserError, match=r"v\.mp4: its landmarks are not known, and .*fetch"
    ) as told:
        drive(portrait, clip)
    assert "--driving-landmarks" in str(told.value) and "\n" not in str(told.value)
    onnx = {"detector": "OnnxFaceDetector", "detector_weights": [str(tmp_path / "points.onnx")]}
    with pytest.raises(UserError, match=r"points\.onnx: no such model file .* put the ONNX file"):
        drive(portrait, clip, **onnx)
    with pytest.raises(UserError, match="--detector: 'Other' is not registered, there are"):
        drive(portrait, clip, detector="Other", detector_weights=["x"])


def test_paste_back(tmp_path: Path) -> None:
    Image.fromarray(squares((150, 60, 50), size=(240, 320))).save(tmp_path / "far.png")
    clip = video(tmp_path / "v.mp4", moving(4))
    green = np.zeros((128, 128, 3), np.uint8)
    green[..., 1] = 200
    source, _ = framed(tmp_path / "far.png", DETECT)
    into_source = FaceDriver().open(str(clip), source, dict(DETECT, paste_back="source"))
    assert into_source.finish is not None
    pasted = into_source.finish(green)
    assert pasted.shape == (240, 320, 3)
    assert tuple(pasted[85, 175]) == (0, 200, 0)  # the face's middle
    assert (pasted[:40] == 60).all() and (pasted[:, :80] == 60).all()
    into_driver = FaceDriver().open(str(clip), source, dict(DETECT, paste_back="driving"))
    assert into_driver.finish is not None
    for index in range(4):
        frame = into_driver.finish(green)
        assert frame.shape == (*CANVAS, 3)
        assert tuple(frame[80, 90 + 4 * index]) == (0, 200, 0)
        assert abs(frame[5, 5].astype(int) - 60).max() < 5
    wide = dict(DETECT, paste_back="driving", crop="none")
    with pytest.raises(UserError, match="other proportions"):
        FaceDriver().open(str(clip), framed(tmp_path / "far.png", wide)[0], dict(wide, crop="auto"))


def test_arguments() -> None:
    parser = ArgumentParser()
    FaceDriver.add_arguments(parser)
    options = vars(parser.parse_args([]))
    assert options["motion"] == "relative" and options["detector"] == "FaceAlignmentDetector"
    given = parser.parse_args(["--motion", "absolute", "--driving-size", "10", "20"])
    assert (given.motion, given.driving_size) == ("absolute", [10, 20])
    with pytest.raises(ValueError, match="resize"):
        FaceDriver(resize="crop")
    with pytest.raises(UserError, match="background_edges is driving or source or none"):
        FaceDriver(background_edges="both")
    with pytest.raises(UserError, match="crop is auto or always or none"):
        FaceDriver(crop="sometimes")
