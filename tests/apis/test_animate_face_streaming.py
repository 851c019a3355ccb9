"""A long clip: its memory, its rate, and sound as long as its pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

FRAMES, SETTLED = 3000, 500
MOST_PER_FRAME = 10_000  # bytes
FPS = Fraction(30000, 1001)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="needs Linux's /proc")
def test_memory_rate_and_sound_of_a_long_clip(tmp_path: Path, run_tool: Callable) -> None:
    done = run_tool("tests/apis/stream_face.py", tmp_path, str(FRAMES), timeout=1400)
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["frames"], told["fps"]) == (FRAMES, "30000/1001")
    memory = np.array(told["memory"], dtype=np.float64)  # every tenth frame
    early = memory[SETTLED // 10 : SETTLED // 10 + 20].mean()
    late = memory[-20:].mean()
    per_frame = (late - early) / (FRAMES - SETTLED - 200)
    print(f"{per_frame:.0f} bytes per frame")
    assert per_frame < MOST_PER_FRAME
    with av.open(str(tmp_path / "out.mp4")) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (video.average_rate, video.frames) == (FPS, FRAMES)
        lengths = [float(stream.duration * stream.time_base) for stream in (video, sound)]
        assert abs(lengths[0] - lengths[1]) < float(1 / FPS)
        times = [frame.pts * frame.time_base for frame in container.decode(video)]
    assert times == [index / FPS for index in range(FRAMES)]
