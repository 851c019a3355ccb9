"""What the tool for faces refuses at once, and how it ends."""

import json
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep import faceforensics
from data_prep.face_layouts import FrameLayout
from data_prep.face_video import VideoError, clip_writer, open_raw
from gfla_video.registry import DETECTORS

BLIND = '''
"""A detector that sees nothing."""

import numpy as np

from gfla_video.registry import DETECTORS


@DETECTORS.register_module(force=True)
class BlindDetector:
    @classmethod
    def from_weights(cls, weights, device="cpu"):
        return cls()

    def detect(self, image):
        return np.zeros((0, 68, 2), np.float32)
'''


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A run on one video without a face."""
    (tmp_path / "blind_faces.py").write_text(BLIND)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "blind_faces", raising=False)
    monkeypatch.delitem(DETECTORS.module_dict, "BlindDetector", raising=False)
    (tmp_path / "raw").mkdir()
    write_video(tmp_path / "raw" / "grey.mp4")
    paths = ["--raw", str(tmp_path / "raw"), "--out", str(tmp_path / "out")]
    return [*paths, "--size", "48", "--import", "blind_faces", "--detector", "BlindDetector"]


def write_video(path: Path) -> None:
    with clip_writer(path, Fraction(25), (48, 64)) as writer:
        for _ in range(12):
            writer.write(np.full((48, 64, 3), 90, np.uint8))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("--smooth -1", "--smooth -1.0: pass a number from 0 on"),
        ("--smooth nan", "--smooth nan: pass a number from 0 on"),
        ("--max-frames -3", "--max-frames -3: pass a number from 0 on"),
        ("--min-frames 0", "--min-frames 0: pass a number from 1 on"),
        ("--min-found 3", "--min-found 3.0: is a part of the frames, pass a number from 0 to 1"),
        ("--margin -2", "--margin -2.0: pass a number from 0 on"),
        ("--workers 0", "--workers 0: pass a number from 1 on"),
        ("--batch 0", "--batch 0: pass a number from 1 on"),
        ("--size 0", "--size 0: is the clips' side in pixels, pass an even number from 2 on"),
        ("--size 47", "--size 47: an H.264 picture has even sides, pass an even number"),
        ("--phase=", "--phase '': becomes a folder of --out, pass a plain name such as train"),
        ("--phase ../a", "--phase '../a': becomes a folder of --out"),
        *((f"--shard {x}", f"--shard {x}: pass I/N") for x in ("2/2", "0/0", "abc", "-1/2", "1/")),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused_before_any_work(
    arguments: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: str,
    said: str,
) -> None:
    option, _, value = more.partition(" ")
    with pytest.raises(SystemExit) as caught:
        faceforensics.main([*arguments, f"{option}={value}" if value else option])
    lines = capsys.readouterr().err.splitlines()
    assert caught.value.code == 2 and len(lines) == 1 and lines[0].startswith(f"error: {said}")
    assert not (tmp_path / "out").exists()


def test_a_run_without_any_clip_ends_with_1_and_so_does_its_check(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert faceforensics.main(arguments) == 1
    assert "error: no clip was made, " in capsys.readouterr().err
    report = json.loads((out / "report-train.json").read_text())
    assert report["skipped"] == {"grey.mp4": "no face in any frame"}
    write_video(tmp_path / "raw" / "new.mp4")
    assert faceforensics.main(["--out", str(out), "--check", *arguments[:2]]) == 1
    said = capsys.readouterr().out
    assert f"{out}: holds no clip, though 1 videos were done" in said
    assert "grey.mp4: no face in any frame" in said
    assert "new.mp4: has not been done" in said and "3 things are missing" in said
    assert faceforensics.main([*arguments, "--shard", "2/3"]) == 0  # has no video at all


def test_ctrl_c(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(faceforensics, "run_job", interrupted)
    assert faceforensics.main(arguments) == 130
    assert capsys.readouterr().err == "error: interrupted, run this again to go on\n"


@pytest.mark.parametrize("kind", ["text", "empty", "cut"])
def test_what_is_no_video_is_said_without_its_path_and_a_number(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "raw.mp4"
    write_video(path)
    contents = {"text": b"no video at all", "empty": b"", "cut": path.read_bytes()[:60]}
    path.write_bytes(contents[kind])
    with pytest.raises(VideoError) as caught:
        open_raw(path)
    said = str(caught.value)
    assert str(path) not in said and "Errno" not in said
    assert ("is empty (0 bytes)" if kind == "empty" else "or it was cut off") in said


def test_pictures_are_read_by_the_value_of_their_numbers(tmp_path: Path) -> None:
    layout = FrameLayout(tmp_path, "train")
    pictures, texts = layout.files("ann")
    pictures.mkdir(parents=True)
    texts.mkdir(parents=True)
    for index in (1, 2, 9, 10, 11):
        cv2.imwrite(str(pictures / f"{index}.png"), np.full((8, 8, 3), index, np.uint8))
        (texts / f"{index}.txt").write_text(f"{index},0\n" * 68)
    frames, landmarks, _ = layout.read("ann")
    assert [int(frame[0, 0, 0]) for frame in frames] == [1, 2, 9, 10, 11]
    assert landmarks[:, 0, 0].tolist() == [1, 2, 9, 10, 11]
