"""Videos as they come from telephones, for tests."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


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
