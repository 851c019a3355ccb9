"""Videos as they come from telephones and elsewhere, for tests."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 44100


def beep(seconds: float, at: float, rate: int = RATE) -> np.ndarray:
    """Silence with a tone of 0.1 s at the second ``at``, float32 ``[1, N]``."""
    time = np.arange(round(seconds * rate)) / rate
    loud = (time >= at) & (time < at + 0.1)
    return (0.5 * np.sin(2 * np.pi * 1000 * time) * loud).astype(np.float32)[None]


def make(
    path: Path,
    samples: np.ndarray | None,
    codec: str = "aac",
    video_start: float = 0.0,
    frames: int = 50,
    fps: Fraction = Fraction(25),
    size: tuple[int, int] = (32, 48),
) -> Path:
    """A video whose pictures begin at ``video_start`` seconds, with the sound from 0 on."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=fps)
        video.height, video.width, video.pix_fmt = (*size, "yuv420p")
        video.options = {"bf": "0"}
        sound = None
        if samples is not None:
            sound = container.add_stream(codec, rate=RATE, layout="mono")
        for index in range(frames):
            picture = av.VideoFrame.from_ndarray(
                np.full((*size, 3), 2 * index % 255, np.uint8), format="rgb24"
            )
            picture.pts, picture.time_base = index + round(video_start * fps), 1 / fps
            container.mux(video.encode(picture))
        if sound is not None:
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
            container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
        container.mux(video.encode(None))
    return path


def variable(path: Path, frames: Sequence[np.ndarray], places: Sequence[int]) -> Path:
    """Write a Matroska file whose frames stand at the given multiples of 1/25 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for place, frame in zip(places, frames, strict=True):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts, picture.time_base = place, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def turned(path: Path, degrees: int) -> Path:
    """Write the tag "turn clockwise by ``degrees``" into an mp4: the matrix of its track header."""
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    one, unit = 1 << 16, 1 << 30
    matrix = struct.pack(">9i", cos * one, sin * one, 0, -sin * one, cos * one, 0, 0, 0, unit)
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 40  # after the fields of version 0
    assert content[start : start + 4] == struct.pack(">i", one)
    content[start : start + len(matrix)] = matrix
    path.write_bytes(content)
    return path
