"""Raw videos to face clips: crops, landmarks, scenes, resuming, shards, check and preview."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from data_prep import faceforensics
from data_prep.face_layouts import VideoLayout
from gfla_video.registry import DETECTORS

DETECTOR = '''
"""A detector of magenta discs: 68 points on their rims, the largest first."""

import cv2
import numpy as np

from gfla_video.registry import DETECTORS


@DETECTORS.register_module(force=True)
class DiscDetector:
    calls = 0

    @classmethod
    def from_weights(cls, weights, device="cpu"):
        return cls()

    def detect(self, image):
        type(self).calls += 1
        red, green, blue = image.astype(int).transpose(2, 0, 1)
        mask = ((red > 150) & (green < 110) & (blue > 150)).astype(np.uint8)
        _, _, boxes, _ = cv2.connectedComponentsWithStats(mask)
        angles = np.arange(68) / 68 * 2 * np.pi
        rim = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        faces = []
        for x, y, w, h, area in sorted(boxes[1:].tolist(), key=lambda box: -box[4]):
            if area > 40:
                faces.append(rim * [w / 2, h / 2] + [x + (w - 1) / 2, y + (h - 1) / 2])
        return np.array(faces, np.float32).reshape(-1, 68, 2)
'''


def write_raw(path: Path, frames: list[np.ndarray], rate: Fraction = Fraction(25)) -> None:
    """A small raw video."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "8", "g": "4"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def frame(*discs: tuple[float, float, int], grey: int = 90) -> np.ndarray:
    """A plain picture of 96 x 128 with magenta discs (x, y, radius)."""
    picture = np.full((96, 128, 3), grey, np.uint8)
    for x, y, radius in discs:
        cv2.circle(picture, (round(x), round(y)), radius, (220, 40, 220), -1, cv2.LINE_AA)
    return picture


def walk(count: int, start: float = 50, y: int = 50, grey: int = 90) -> list[np.ndarray]:
    """A face that goes to the right, one pixel per frame."""
    return [frame((start + t, y, 14), grey=grey) for t in range(count)]


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("modules")
    (folder / "disc_faces.py").write_text(DETECTOR)
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    DETECTORS.module_dict.pop("DiscDetector", None)
    sys.modules.pop("disc_faces", None)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    write_raw(folder / "ann" / "walk.mp4", walk(14), Fraction(30000, 1001))
    cut = [*walk(12, 30, 30), *[frame()] * 3, *walk(12, 90, 60, grey=160), *walk(4, 20, 70)]
    write_raw(folder / "cut.mp4", cut)
    write_raw(folder / "empty.mp4", [frame()] * 6)
    (folder / "broken.mp4").write_bytes(b"no video at all")
    (folder / "notes.txt").write_text("not a video")
    return folder


@pytest.fixture
def prepare(module: Path, raw: Path, tmp_path: Path) -> Callable[..., int]:
    """Run the tool on ``raw`` in this process, by default on all scenes."""

    def run(*more: str, out: Path = tmp_path / "out", size: int = 48, keep_all: bool = True) -> int:
        own = ["--raw", raw, "--out", out, "--size", size, "--smooth", 0, "--import", "disc_faces"]
        own += ["--keep-after-jumps"] * keep_all
        return faceforensics.main([*map(str, own), "--detector", "DiscDetector", *more])

    return run


def refused(run: Callable[[], object], capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence that a run ends with."""
    with pytest.raises(SystemExit) as caught:
        run()
    said = capsys.readouterr().err.strip().splitlines()
    assert caught.value.code == 2 and len([line for line in said if "error" in line]) == 1
    return said[-1]


def test_clips_and_their_landmarks(prepare: Callable[..., int], tmp_path: Path) -> None:
    assert prepare() == 0
    out = tmp_path / "out"
    layout = VideoLayout(out, "train")
    assert layout.names() == ["ann__walk", "cut__1", "cut__2"]
    pictures, landmarks, found = layout.read("ann__walk")
    assert len(pictures) == len(landmarks) == 14 and found.all()
    for picture, points in zip(pictures, landmarks, strict=True):
        assert picture.shape == (48, 48, 3)
        red, green, _ = picture.astype(int).transpose(2, 0, 1)
        ys, xs = np.nonzero((red > 150) & (green < 110))
        assert np.abs(points.mean(axis=0) - [xs.mean(), ys.mean()]).max() < 0.7
    with np.load(out / "train" / "ann__walk.npz") as held:
        x, y, side = held["crop"]
        assert held["landmarks"].dtype == np.float32 and held["size"].tolist() == [48, 48]
        assert str(held["source"]) == "walk.mp4" and held["source_size"].tolist() == [96, 128]
        assert Fraction(*map(int, held["fps"])) == Fraction(30000, 1001)
        assert str(held["detector"]) == "DiscDetector" and held["version"] == 1
        whole = (held["landmarks"] + 0.5) * side / 48 + [x, y] - 0.5
    # the face begins at (50, 50) and ends at (63, 50) of the raw video
    assert np.abs(whole.mean(axis=1)[[0, -1]] - [[50, 50], [63, 50]]).max() < 0.8
    with av.open(str(out / "train" / "ann__walk.mp4")) as container:
        assert container.streams.video[0].average_rate == Fraction(30000, 1001)


def test_report(
    prepare: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare()
    report = json.loads((tmp_path / "out" / "report-train.json").read_text())
    assert (report["videos"], report["clips"], report["clip_frames"]) == (4, 3, 38)
    assert (report["frames"], report["frames_without_face"]) == (14 + 31 + 6, 3 + 6)
    assert set(report["skipped"]) == {"empty.mp4", "broken.mp4"}
    assert report["skipped"]["empty.mp4"] == "no face in any frame"
    assert "not a video" in report["skipped"]["broken.mp4"]
    cut = report["per_video"]["cut"]
    assert [(clip["start"], clip["frames"]) for clip in cut["clips"]] == [(0, 12), (15, 12)]
    assert cut["notes"] == [
        "3 of 31 frames have no face (12-14)",
        "the largest face is followed anew from frame 15, 27 on, after a cut or more than 25 "
        "frames without the one before: it may be another person",
        "frames 27-30 are too few for a clip, left out",
    ]
    assert "cut.mp4: frames 27-30 are too few" in capsys.readouterr().out


def test_who_comes_after_a_jump_is_not_known(
    prepare: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(keep_all=False)
    out = tmp_path / "out"
    assert VideoLayout(out, "train").names() == ["ann__walk", "cut"]
    report = json.loads((out / "report-train.json").read_text())
    assert report["scenes_left_out_after_jumps"] == 1
    said = capsys.readouterr().out
    assert "cut.mp4: frames 15-26 come after a cut" in said and "1 scenes after jumps" in said


def test_a_second_run_does_what_is_left(
    prepare: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare()
    out, detector = tmp_path / "out", sys.modules["disc_faces"].DiscDetector
    before, calls = (out / "train" / "cut__1.mp4").stat().st_mtime_ns, detector.calls
    capsys.readouterr()
    prepare()
    assert detector.calls == calls and "4 of 4 videos are finished" in capsys.readouterr().out
    (out / "train" / "ann__walk.npz").unlink()  # as if it had been interrupted
    prepare()
    assert detector.calls == calls + 14 and (out / "train" / "ann__walk.npz").is_file()
    assert (out / "train" / "cut__1.mp4").stat().st_mtime_ns == before
    prepare("--min-frames", "13")  # another recipe: clips that it no longer makes are removed
    assert VideoLayout(out, "train").names() == ["ann__walk"]


def test_an_error_leaves_nothing_half_written(
    prepare: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from data_prep.face_video import ClipWriter

    written = ClipWriter.write

    def fails(self: ClipWriter, picture: np.ndarray) -> None:
        if self.frames == 5:
            raise OSError(28, "No space left on device")
        written(self, picture)

    monkeypatch.setattr(ClipWriter, "write", fails)
    with pytest.raises(SystemExit):
        prepare()
    out = tmp_path / "out"
    assert not [path for path in out.rglob("*") if path.is_file()]
    monkeypatch.undo()
    assert prepare() == 0 and len(VideoLayout(out, "train").names()) == 3


def test_shards_share_the_work(prepare: Callable[..., int], tmp_path: Path) -> None:
    layout, done = VideoLayout(tmp_path / "out", "train"), []
    for shard in ("0/3", "1/3", "2/3"):
        prepare("--shard", shard)
        done.append(layout.names())
    assert done == [["ann__walk"], ["ann__walk"], ["ann__walk", "cut__1", "cut__2"]]
    out = tmp_path / "out"
    report = json.loads((out / "report-train.json").read_text())
    assert report["videos"] == 4 and report["clips"] == 3


@pytest.mark.slow
def test_several_processes_make_the_same_files(
    prepare: Callable[..., int],
    raw: Path,
    module: Path,
    tmp_path: Path,
    run_tool: Callable[..., object],
) -> None:
    prepare()
    run_tool(
        *("data_prep/faceforensics.py", "--raw", raw, "--out", tmp_path / "both", "--size", "48"),
        *("--smooth", "0", "--import", "disc_faces", "--detector", "DiscDetector"),
        *("--workers", "2", "--keep-after-jumps"),
        PYTHONPATH=f"{module}",
    )
    one, two = VideoLayout(tmp_path / "out", "train"), VideoLayout(tmp_path / "both", "train")
    assert one.names() == two.names() and len(one.names()) == 3
    for name in one.names():
        with np.load(one.files(name)[1]) as here, np.load(two.files(name)[1]) as there:
            assert all(np.array_equal(here[key], there[key]) for key in here.files)
        # x264 itself does not always give the same bytes
        assert np.abs(np.subtract(one.read(name)[0], two.read(name)[0], dtype=float)).mean() < 1


@pytest.mark.slow
def test_interrupted_processes_leave_nothing_half_written(
    prepare: Callable[..., int], raw: Path, module: Path, repo_root: Path, tmp_path: Path
) -> None:
    for number in range(24):
        write_raw(raw / f"more_{number:02d}.mp4", walk(40, 30))
    own = ["--raw", raw, "--out", tmp_path / "out", "--size", "48", "--smooth", "0"]
    own += ["--workers", "2", "--keep-after-jumps"]
    tool = [sys.executable, repo_root / "data_prep" / "faceforensics.py", *own]
    running = subprocess.Popen(
        [*map(str, tool), "--import", "disc_faces", "--detector", "DiscDetector"],
        env={**os.environ, "PYTHONPATH": str(module)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    reports = tmp_path / "out" / "reports" / "train"
    deadline = time.monotonic() + 120
    while len(list(reports.glob("*.json"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 130 and "interrupted, run this again to go on" in said
    assert not [path for path in (tmp_path / "out").rglob(".*") if path.is_file()]
    done = len(list(reports.glob("*.json")))
    assert 4 <= done < 28
    layout = VideoLayout(tmp_path / "out", "train")
    assert all(file.is_file() for name in layout.names() for file in layout.files(name))
    prepare()
    assert len(layout.names()) == 3 + 24


def test_the_released_layout(prepare: Callable[..., int], tmp_path: Path) -> None:
    out = tmp_path / "frames"
    assert prepare("--layout", "frames", "--phase", "test", out=out) == 0
    pictures = sorted((out / "test_data" / "ann__walk").iterdir())
    texts = sorted((out / "test_keypoints" / "ann__walk").iterdir())
    assert [path.stem for path in pictures] == [path.stem for path in texts]
    assert len(pictures) == 14 and cv2.imread(str(pictures[0])).shape == (48, 48, 3)
    lines = texts[0].read_text().splitlines()
    assert len(lines) == 68 and all(re.fullmatch(r"-?[\d.]+,-?[\d.]+", line) for line in lines)
    red = cv2.imread(str(pictures[0]))[..., 2] > 150
    points = np.array([line.split(",") for line in lines], float)
    assert np.abs(points.mean(axis=0) - np.argwhere(red).mean(axis=0)[::-1]).max() < 0.7
    assert faceforensics.main(["--out", str(out), "--check"]) == 0
    texts[3].unlink()
    assert faceforensics.main(["--out", str(out), "--check"]) == 1


def test_names_choose_and_rename(
    prepare: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("# who is who\nann/walk.mp4 ann__first\ncut.mp4 ben__a\n")
    prepare("--names", str(names))
    layout = VideoLayout(tmp_path / "out", "train")
    assert layout.names() == ["ann__first", "ben__a-1", "ben__a-2"]
    names.write_text("absent.mp4\n")
    assert "line 1: expected 'FILE [NAME]'" in refused(
        lambda: prepare("--names", str(names)), capsys
    )
    names.write_text("cut.mp4 a\nann/walk.mp4 a\n")
    assert "would both become a, rename one" in refused(
        lambda: prepare("--names", str(names)), capsys
    )


def test_check_says_what_is_missing_or_odd(
    prepare: Callable[..., int], raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare()
    out = tmp_path / "out"
    check = ["--out", str(out), "--check"]
    assert faceforensics.main(check) == 0 and "complete" in capsys.readouterr().out
    write_raw(raw / "new.mp4", walk(3))
    assert faceforensics.main([*check, "--raw", str(raw)]) == 1
    assert "new.mp4: has not been done" in capsys.readouterr().out
    folder = out / "train"
    (folder / "cut__1.npz").unlink()
    with np.load(folder / "cut__2.npz") as held:
        arrays = dict(held)
    arrays["found"][:4] = False
    arrays["landmarks"][6:] += 30
    np.savez(folder / "cut__2.npz", **arrays)
    with np.load(folder / "ann__walk.npz") as held:
        np.savez(folder / "ann__walk.npz", **(dict(held) | {"landmarks": held["landmarks"][1:]}))
    assert faceforensics.main(check) == 1
    said = capsys.readouterr().out
    for sentence in (
        "train/ann__walk: 14 frames, but landmarks (13, 68, 2) and found (14,)",
        "train/cut__1: ",
        "train/cut__2: the face was found in 8 of 12 frames only",
        "train/cut__2: the face has left the picture in 6 of 12 frames",
        "train/cut__2: the face jumps at frame 6",
        "5 things are missing or odd",
    ):
        assert sentence in said


def test_preview_draws_the_landmarks(prepare: Callable[..., int], tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    prepare("--preview", str(path))
    sheet = cv2.imread(str(path))
    assert sheet.shape == (3 * 192, 6 * 192, 3)
    blue, green, red = sheet.astype(int).transpose(2, 0, 1)
    drawn = (green > 200) & (red < 120) & (blue < 120)
    assert all(
        drawn[192 * r : 192 * r + 192, 192 * c : 192 * c + 192].sum() > 50
        for r in range(3)
        for c in range(6)
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--size", "47"], "--size 47: an H.264 picture has even sides"),
        (["--detector", "Absent"], "'Absent' is not registered"),
        (["--import", "no_such_module"], "--import no_such_module: cannot be imported"),
        (["--detector", "OnnxFaceDetector"], "takes LANDMARKS.onnx"),
        (["--preview", "sheet.jpg", "--check"], "holds no clip"),
    ],
)
def test_wrong_options_are_said(
    prepare: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    said: str,
) -> None:
    (tmp_path / "out").mkdir()
    assert said in refused(lambda: prepare(*more), capsys)


def test_folders_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absent = str(tmp_path / "absent")
    for arguments in (["--raw", absent, "--out", absent], ["--out", absent, "--check"]):
        assert "there is no such folder" in refused(
            lambda a=arguments: faceforensics.main(a), capsys
        )
    empty = ["--raw", str(tmp_path), "--out", absent, "--detector", "DiscDetector"]
    assert "holds no video" in refused(lambda: faceforensics.main(empty), capsys)
