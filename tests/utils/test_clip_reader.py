"""Random access to videos: both backends give the same frames, and what neither can read."""

from __future__ import annotations

import struct
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from gfla_video.utils.clip_reader import open_clip
from gfla_video.utils.errors import UserError
from gfla_video.utils.notice import say_once

COUNT, SIZE, STEP = 40, (48, 64), 6


def write(path: Path, codec: str = "libx264", turn: bool = False, **options: str) -> Path:
    """40 frames whose brightness tells their number, with B-frames and a key frame every 12."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream(codec, rate=Fraction(30000, 1001))
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        stream.options = {"g": "12", "bf": "2", **options}
        for index in range(COUNT):
            picture = np.full((*SIZE, 3), index * STEP, np.uint8)
            picture[:12, :12] = 255  # the top left corner, to see a turn
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    if turn:
        _turn(path)
    return path


def _turn(path: Path) -> None:
    """Put a quarter turn into the display matrix of the track (the last one in the file)."""
    content = path.read_bytes()
    straight = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    turned = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    place = content.rindex(straight)
    path.write_bytes(content[:place] + turned + content[place + len(straight) :])


def numbers(frames: np.ndarray) -> list[int]:
    """Which frames these are."""
    return [round(float(np.median(frame)) / STEP) for frame in frames]


def use(backend: str) -> str:
    """A backend's name; skips the test where decord is asked for and not installed."""
    if backend == "decord":
        pytest.importorskip("decord")
    return backend


@pytest.fixture
def no_decord(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "decord", None)


@pytest.mark.parametrize("backend", ["decord", "pyav", "auto"])
def test_any_frames_in_any_order(tmp_path: Path, backend: str) -> None:
    clip = open_clip(write(tmp_path / "a.mp4"), use(backend))
    assert (len(clip), clip.size, clip.fps) == (COUNT, SIZE, Fraction(30000, 1001))
    wanted = [39, 0, 17, 17, 12, 11, 13, 38, 24]
    frames = clip.frames(wanted)
    assert frames.shape == (9, *SIZE, 3) and frames.dtype == np.uint8
    assert numbers(frames) == wanted
    assert numbers(clip.frames(range(COUNT))) == list(range(COUNT))
    assert clip.frames([]).shape == (0, *SIZE, 3)


def test_both_backends_give_the_same_pixels(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4")
    ours, theirs = (open_clip(path, use(backend)) for backend in ("pyav", "decord"))
    for wanted in (range(COUNT), [5, 30, 7], np.random.default_rng(0).integers(0, COUNT, 20)):
        np.testing.assert_array_equal(ours.frames(wanted), theirs.frames(wanted))


def test_both_backends_agree_on_real_videos(shared_dir: Path) -> None:
    clips = sorted((shared_dir / "data" / "faces" / "clips").glob("*.mp4"))
    if not clips:
        pytest.skip("no real clips beside the golden data")
    for path in [path for path in clips if path.stem in ("fomm_04", "moore_1", "liveportrait_d12")]:
        ours, theirs = (open_clip(path, use(backend)) for backend in ("pyav", "decord"))
        assert (len(ours), ours.size) == (len(theirs), theirs.size)
        wanted = [0, len(ours) // 3, len(ours) - 1]
        np.testing.assert_array_equal(ours.frames(wanted), theirs.frames(wanted))


def test_a_rotation_tag_is_applied(tmp_path: Path) -> None:
    use("decord")
    path = write(tmp_path / "a.mp4", turn=True)
    clip = open_clip(path)
    assert clip.size == SIZE[::-1]
    frames = clip.frames([3, 20])
    assert frames.shape == (2, *SIZE[::-1], 3)
    assert numbers(frames) == [3, 20]
    white = np.argwhere(frames[0].min(axis=2) > 200).mean(axis=0)
    assert white[0] < 12 and white[1] > SIZE[0] - 12  # clockwise: top left comes to the top right
    with pytest.raises(UserError, match="decord does not read videos with a rotation tag"):
        open_clip(path, "decord")


def test_other_containers(tmp_path: Path) -> None:
    clip = open_clip(write(tmp_path / "a.avi", codec="mpeg4", qmin="1", qmax="2"), "pyav")
    assert len(clip) == COUNT
    assert numbers(clip.frames([39, 2, 21])) == [39, 2, 21]


@pytest.mark.usefixtures("no_decord")
def test_missing_decord_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    say_once.cache_clear()
    path = write(tmp_path / "a.mp4")
    for _ in range(3):
        assert numbers(open_clip(path).frames([8])) == [8]
    assert capsys.readouterr().err.count("decord is not installed") == 1
    with pytest.raises(UserError, match="decord is not installed"):
        open_clip(path, "decord")


def test_of_a_truncated_video_the_whole_frames_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use("decord")
    say_once.cache_clear()
    path = write(tmp_path / "a.mp4")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * 0.9)])
    clip = open_clip(path)
    assert 12 < len(clip) < COUNT
    assert numbers(clip.frames([len(clip) - 3, 4])) == [len(clip) - 3, 4]
    assert "decord cannot open this video" in capsys.readouterr().err
    with pytest.raises(UserError, match="decord cannot open this video"):
        open_clip(path, "decord")


def test_a_frame_that_decord_cannot_decode_comes_from_pyav(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    decord = pytest.importorskip("decord")

    def fail(*_: Any) -> None:
        raise decord.base.DECORDError("no such packet")

    say_once.cache_clear()
    path = write(tmp_path / "a.mp4")
    monkeypatch.setattr(decord.VideoReader, "get_batch", fail)
    clip = open_clip(path)
    assert numbers(clip.frames([9])) == [9]
    assert "PyAV reads it instead" in capsys.readouterr().err
    with pytest.raises(UserError, match="decord cannot decode a frame .no such packet"):
        open_clip(path, "decord").frames([9])


@pytest.mark.parametrize("backend", ["decord", "pyav", "auto"])
def test_frames_that_are_not_there(tmp_path: Path, backend: str) -> None:
    clip = open_clip(write(tmp_path / "a.mp4"), use(backend))
    for index in (-1, COUNT):
        with pytest.raises(IndexError, match=f"frame {index} of {COUNT}"):
            clip.frames([0, index])


def test_what_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(UserError, match="a.mp4"):
        open_clip(tmp_path / "a.mp4")
    with pytest.raises(UserError, match="no such"):
        open_clip(tmp_path / "b.mp4")
    with pytest.raises(UserError, match="backend must be one of auto, decord, pyav"):
        open_clip(tmp_path / "a.mp4", "ffmpeg")
