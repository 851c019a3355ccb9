"""Raw videos are read as far as they are whole."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from data_prep.face_video import clip_writer, open_raw


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_all_whole_frames_of_a_truncated_video_are_read_and_it_is_said(
    tmp_path: Path, part: float
) -> None:
    path = tmp_path / "whole.mp4"
    noise = np.random.default_rng(0)
    frames = [noise.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(50)]
    with clip_writer(path, Fraction(25), (48, 64)) as writer:  # its index stands in front
        for picture in frames:
            writer.write(picture)
    raw = open_raw(path)
    whole = list(raw.frames())
    assert len(whole) == 50 and raw.broken is None
    content = path.read_bytes()
    kept = int(len(content) * part)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        expected = sum(packet.pos + packet.size <= kept for packet in packets)
    path.write_bytes(content[:kept])
    got = list(raw.frames())
    assert len(got) == expected > 10
    assert raw.broken is not None and raw.broken.startswith("the file breaks off (")
    # frames wait for later ones where the cut falls between them, so the last few may differ
    assert all(np.array_equal(a, b) for a, b in zip(got[:-4], whole, strict=False))
    path.write_bytes(content[: packets[19].pos + packets[19].size])
    assert len(list(raw.frames())) == 20 and raw.broken is not None
    assert "between two frames" in raw.broken
    path.write_bytes(content)
    assert len(list(raw.frames())) == 50 and raw.broken is None
