"""Pictures as a video."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from gfla_video.utils.errors import UserError
from gfla_video.utils.video import read_video
from gfla_video.visualization.videos import write_video


def test_every_frame_is_written_at_the_rate(tmp_path: Path) -> None:
    frames = (np.full((32, 48, 3), 50 * number, np.uint8) for number in range(4))
    path = write_video(tmp_path / "clip.mp4", frames, 12)
    clip = read_video(path)
    assert clip.fps == Fraction(12)
    assert [round(float(frame.mean()), -1) for frame in clip] == [0, 50, 100, 150]
    assert list(tmp_path.iterdir()) == [path]


def test_only_mp4(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="mp4"):
        write_video(tmp_path / "clip.gif", [np.zeros((8, 8, 3), np.uint8)], 5)
