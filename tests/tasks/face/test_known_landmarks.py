"""Driving landmarks from a file, and whether they are those of the pictures beside them."""

from __future__ import annotations

from argparse import ArgumentParser
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from data_prep.face_clips import Recipe
from gfla_video.apis.config import load_config
from gfla_video.registry import DRIVERS
from gfla_video.tasks.face.driver import FaceDriver
from gfla_video.tasks.face.driver_options import FaceOptions
from gfla_video.tasks.face.source_face import find_source_face
from gfla_video.utils.errors import UserError
from gfla_video.utils.video import read_video
from tests.tasks.face.faces import face
from tests.tasks.face.test_driver import CANVAS, SIZE, drive, framed, moving, portrait, video
from tests.utils.videos import beep, make, variable

__all__ = ["portrait"]  # a fixture
PLACES = [0, 1, 2, *range(5, 14)]  # of 12 frames


def known(path: Path, count: int, size: tuple[int, int] = CANVAS) -> str:
    """A file of landmarks that go right by 2 pixels per frame."""
    clip = np.stack([face(shift=(2 * i, 0)) for i in range(count)])
    np.savez(path, landmarks=clip, size=size)
    return str(path)


def cut(path: Path, count: int = 20) -> tuple[Path, int]:
    """A clip that breaks off, and its whole frames."""
    whole = video(path, moving(count)).read_bytes()
    path.write_bytes(whole[: int(0.9 * len(whole))])
    left = len(list(read_video(path)))
    assert 5 < left < count
    return path, left


@pytest.mark.parametrize("count", [5, 7])
@pytest.mark.parametrize("beside", [True, False])
def test_another_count_is_refused(portrait: Path, tmp_path: Path, count: int, beside: bool) -> None:
    clip = video(tmp_path / "v.mp4", moving(6))
    name = "v.npz" if beside else "w.npz"
    landmarks = known(tmp_path / name, count)
    options = {} if beside else {"driving_landmarks": landmarks}
    said = rf"{name}: holds landmarks of {count} frames, .*v\.mp4 has 6 frames; pass those"
    with pytest.raises(UserError, match=said):
        drive(portrait, clip, **options)


def test_landmarks_of_stored_frames_are_put_on_the_constant_rate(
    portrait: Path, tmp_path: Path
) -> None:
    clip = variable(tmp_path / "v.mkv", moving(12), PLACES)
    places = read_video(clip).places()
    grid = len(places)
    assert grid > 12
    stream = drive(
        portrait,
        clip,
        driving_landmarks=known(tmp_path / "w.npz", 12),
        motion="absolute",
        crop="none",
        background_edges="driving",
    )
    assert stream.length == len(list(stream)) == grid
    x = stream.landmarks[:, 30, 0] / (SIZE[1] / CANVAS[1])
    np.testing.assert_allclose((x - x[0]) / 2, places, atol=1e-3)
    report = " ".join(stream.report)
    assert "landmarks of the 12 stored frames, put on the constant rate" in report
    assert report.count("variable frame rate") == 1
    same = drive(portrait, clip, driving_landmarks=known(tmp_path / "w.npz", grid))
    assert same.length == grid
    assert "variable frame rate" in " ".join(same.report)  # though the counts agree
    with pytest.raises(UserError, match=rf"has {grid} frames \(12 stored ones, of variable rate"):
        drive(portrait, clip, driving_landmarks=known(tmp_path / "w.npz", 11))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"motion": "absolute", "crop": "none"},
        {"paste_back": "driving", "crop": "always"},
    ],
)
def test_a_truncated_video_with_landmarks_ends_with_its_whole_frames(
    portrait: Path, tmp_path: Path, options: dict[str, str]
) -> None:
    clip, left = cut(tmp_path / "v.mp4")
    landmarks = known(tmp_path / "w.npz", 20)
    stream = drive(portrait, clip, driving_landmarks=landmarks, **options)
    assert stream.length == len(list(stream)) == len(stream.landmarks) == left
    if stream.finish is not None:
        pasted = [stream.finish(np.zeros((*SIZE, 3), np.uint8)) for _ in range(left)]
        assert (pasted[-1] != pasted[-2]).any()  # another picture, not the last one again
    said = f"its {left} of 20 whole frames are used"
    assert " ".join(stream.report).count(said) == 1
    exact = drive(portrait, clip, driving_landmarks=known(tmp_path / "w.npz", left), **options)
    assert exact.length == left
    assert said in " ".join(exact.report)
    for count in (left - 1, 19, 21):
        with pytest.raises(UserError, match=f"has {left} frames before it breaks off"):
            drive(portrait, clip, driving_landmarks=known(tmp_path / "w.npz", count))


def test_another_speed_leaves_the_sound_out(portrait: Path, tmp_path: Path) -> None:
    for samples, says in ((beep(1.0, 0.3), True), (None, False)):
        clip = make(tmp_path / "v.mp4", samples, frames=20, size=CANVAS)
        known(tmp_path / "v.npz", 20)
        slow = drive(portrait, clip, fps="10")
        assert (slow.fps, slow.sound) == (Fraction(10), None)
        said = "the sound of v.mp4 is left out, as --fps changes the speed"
        assert (said in slow.report) == says
        same = drive(portrait, clip, fps="25")
        assert same.sound == clip and said not in same.report


def test_landmarks_of_another_picture_shape_are_refused(tmp_path: Path) -> None:
    wide = np.full((64, 128, 3), 90, np.uint8)
    points = known(tmp_path / "w.npz", 1, size=(64, 64))
    said = r"w\.npz: holds landmarks in a frame of 64x64, the pictures are 128x64"
    with pytest.raises(UserError, match=said):
        find_source_face(wide, tmp_path / "w.png", FaceOptions())
    with pytest.raises(UserError, match=said):
        find_source_face(wide, tmp_path / "o.png", FaceOptions(source_landmarks=points))
    half = known(tmp_path / "h.npz", 1, size=(128, 256))
    found = find_source_face(wide, tmp_path / "o.png", FaceOptions(source_landmarks=half))
    np.testing.assert_allclose(found.landmarks, face() / 2, atol=1e-4)
    # 1920x1080 made 853x480 is rounded to whole pixels, not another shape
    hd = known(tmp_path / "hd.npz", 1, size=(1080, 1920))
    small = np.full((480, 853, 3), 90, np.uint8)
    find_source_face(small, tmp_path / "o.png", FaceOptions(source_landmarks=hd))


@pytest.mark.parametrize("beside", [True, False])
def test_a_source_has_exactly_one_face(portrait: Path, tmp_path: Path, beside: bool) -> None:
    path = known(tmp_path / ("portrait.npz" if beside else "w.npz"), 40)
    options = FaceOptions(source_landmarks=None if beside else path)
    pixels = np.full((128, 128, 3), 60, np.uint8)
    with pytest.raises(UserError, match="npz: holds the landmarks of 40 frames, one face is"):
        find_source_face(pixels, portrait, options)
    one = known(tmp_path / "one.npz", 1, (128, 128))
    found = find_source_face(pixels, portrait, FaceOptions(source_landmarks=one))
    assert found.report[0] == f"source landmarks of {one}"


def test_smoothing_is_the_drivers_own_default(portrait: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    clip = np.stack([face() + random.normal(0, 0.3, (68, 2)) for _ in range(20)])
    np.savez(tmp_path / "d.npz", landmarks=clip, size=SIZE)
    source = framed(portrait, {})[0]

    def jitter(driver: FaceDriver, **options: float | None) -> float:
        stream = driver.open(str(tmp_path / "d.npz"), source, options)
        return float(np.abs(np.diff(stream.landmarks, axis=0)).mean())

    raw, own = jitter(FaceDriver()), jitter(FaceDriver(smooth=1.0))
    assert own < 0.7 * raw
    assert jitter(FaceDriver(), smooth=1.0) == own == jitter(FaceDriver(smooth=1.0), smooth=None)
    assert jitter(FaceDriver(smooth=1.0), smooth=0.0) == raw
    parser = ArgumentParser()
    FaceDriver.add_arguments(parser)
    assert parser.parse_args([]).smooth is None  # so that the config's holds


@pytest.mark.parametrize("name", ["few_clips", "faceforensics"])
def test_configs_smooth_as_their_data_are(repo_root: Path, name: str) -> None:
    driver = load_config(repo_root / "configs" / "face" / f"{name}.py")["driver"]
    assert driver["smooth"] == Recipe().smoothing
    assert DRIVERS.build(dict(driver)).defaults["smooth"] == driver["smooth"]
