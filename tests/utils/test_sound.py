"""Sound into an mp4: copied or transcoded, matched to the pictures, as long as they are."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from gfla_video.utils.video import VideoWriter
from tests.utils.videos import RATE, beep, make

SIZE = (32, 48)


def copy(
    source: Path, out: Path, frames: int = 50, fps: Fraction = Fraction(25)
) -> tuple[VideoWriter, Path]:
    with VideoWriter(out, fps, SIZE, sound=source) as writer:
        for index in range(frames):
            writer.write(np.full((*SIZE, 3), 2 * index % 255, np.uint8))
    return writer, out


def heard(path: Path) -> tuple[str, np.ndarray, float]:
    """Codec, samples (mono, on the time line of the pictures) and the length said in seconds."""

    def blocks() -> Iterator[tuple[int, np.ndarray]]:
        for frame in container.decode(stream):
            yield round(frame.pts * frame.time_base * RATE), frame.to_ndarray().mean(axis=0)

    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        found = list(blocks())
        line = np.zeros(max(start + len(block) for start, block in found), np.float32)
        for start, block in found:
            line[max(start, 0) : start + len(block)] = block[max(-start, 0) :]
        return stream.codec_context.name, line, float(stream.duration * stream.time_base)


def onset(samples: np.ndarray) -> float:
    """When the tone begins, in seconds."""
    return float(np.argmax(np.abs(samples) > 0.1)) / RATE


@pytest.mark.parametrize(
    ("name", "codec", "kept"),
    [
        ("a.mp4", "aac", "aac"),
        ("a.mkv", "libmp3lame", "mp3float"),
        ("a.mkv", "pcm_s16le", "aac"),
        ("a.avi", "adpcm_ms", "aac"),
    ],
)
def test_sound_is_copied_or_transcoded_in_place(
    tmp_path: Path, name: str, codec: str, kept: str
) -> None:
    source = make(tmp_path / name, beep(2.0, 1.2), codec)
    writer, out = copy(source, tmp_path / "out.mp4")
    found, samples, seconds = heard(out)
    assert found == kept
    assert abs(seconds - 2.0) < 0.04  # one frame
    assert abs(onset(samples) - 1.2) < 0.04
    word = "transcoded" if kept != codec and kept == "aac" else "copied"
    assert writer.sound is not None and word in writer.sound.note


def test_copied_packets_are_the_same_bytes(tmp_path: Path) -> None:
    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(p) for p in container.demux(container.streams.audio[0]) if p.size]

    source = make(tmp_path / "a.mp4", beep(2.0, 0.5))
    _, out = copy(source, tmp_path / "out.mp4")
    copied, given = packets(out), packets(source)
    assert len(copied) >= 80
    assert copied == given[: len(copied)]


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_pictures_that_begin_late_keep_their_sound(tmp_path: Path, codec: str) -> None:
    """The pictures of some real clips begin seconds after their sound."""
    source = make(tmp_path / "a.mkv", beep(4.0, 2.4), codec, video_start=1.6)
    _, out = copy(source, tmp_path / "out.mp4")
    _, samples, _ = heard(out)
    assert abs(onset(samples) - 0.8) < 0.04
    assert abs(len(samples) / RATE - 2.0) < 0.04


def test_sound_ends_with_the_pictures(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", beep(2.0, 0.1))
    _, out = copy(source, tmp_path / "out.mp4", frames=20)
    assert abs(heard(out)[2] - 0.8) < 0.04


def test_a_clip_broken_off_has_its_sound_up_to_there(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", beep(2.0, 0.1))
    with (
        pytest.raises(KeyboardInterrupt),
        VideoWriter(tmp_path / "out.mp4", Fraction(25), SIZE, sound=source) as writer,
    ):
        for _ in range(30):
            writer.write(np.zeros((*SIZE, 3), np.uint8))
        raise KeyboardInterrupt
    assert not (tmp_path / "out.mp4").exists()
    assert abs(heard(tmp_path / "out.partial.mp4")[2] - 1.2) < 0.04


def test_no_sound_is_said(tmp_path: Path) -> None:
    source = make(tmp_path / "silent.mp4", None)
    writer, out = copy(source, tmp_path / "out.mp4")
    assert writer.sound is not None and writer.sound.note == "none, silent.mp4 has none"
    with av.open(str(out)) as container:
        assert not container.streams.audio


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_the_lengths_agree_over_a_thousand_frames(tmp_path: Path, codec: str) -> None:
    fps = Fraction(30000, 1001)
    source = make(tmp_path / "a.mkv", beep(34.0, 33.0), codec, frames=1000, fps=fps)
    _, out = copy(source, tmp_path / "out.mp4", 1000, fps)
    with av.open(str(out)) as container:
        video = container.streams.video[0]
        assert (video.average_rate, video.frames) == (fps, 1000)
        length = float(video.duration * video.time_base)
    _, samples, seconds = heard(out)
    assert abs(seconds - length) < float(1 / fps)
    assert abs(onset(samples) - 33.0) < float(1 / fps)
