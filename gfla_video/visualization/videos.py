"""Pictures in a row as a short video."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from gfla_video.utils.video import VideoWriter
from gfla_video.visualization.panels import Picture


def write_video(path: Path | str, frames: Iterable[Picture], fps: Fraction | int) -> Path:
    """Write frames as H.264 mp4, whole or not at all.

    Args:
        path: ``.mp4``.
        frames: at least one; uint8 ``[H, W, 3]``, all of one size, taken one at a time.
        fps: frame rate.

    Raises:
        UserError: not an mp4 name, or the folder cannot be written.
    """
    iterator = iter(frames)
    first = next(iterator)
    with VideoWriter(path, Fraction(fps), first.shape[:2]) as writer:
        writer.write(first)
        for frame in iterator:
            writer.write(frame)
    return Path(path)
