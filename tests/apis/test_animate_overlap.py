"""Driver, network and writing at the same time: the frames, the bounds, the errors, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from gfla_video.apis import Animator, InferenceOptions
from gfla_video.structures import GeneratorOutput
from gfla_video.utils.errors import UserError
from gfla_video.utils.video import VideoWriter, read_video

SIZE = (64, 96)


class Level:
    """A structure whose annotation is a grey level."""

    def encode(self, annotation: float, size: tuple[int, int]) -> Tensor:
        return torch.full((1, *size), annotation)

    def draw(self, annotation: float, size: tuple[int, int]) -> np.ndarray:
        return np.full((*size, 3), round(annotation * 255), np.uint8)


class Levels:
    """A driver and its stream: ``count`` levels, one after the other."""

    resize = "stretch"
    fps = Fraction(25)
    source = 0.0
    report: list[str] = []

    def __init__(self, count: int = 23, at: Callable[[int], None] = lambda index: None) -> None:
        self.length = count
        self.at = at
        self.made = 0
        self.threads: set[str] = set()

    def open(self, driving: str, source: Any, options: Any) -> Levels:
        self.made = 0
        return self

    def __iter__(self) -> Iterator[float]:
        for index in range(self.length):
            self.at(index)
            self.threads.add(threading.current_thread().name)
            self.made += 1
            yield index / self.length


class Adding(nn.Module):
    """A network whose picture is the target's level beside the source, with a flow and a mask."""

    def __init__(self, at: Callable[[int], None] = lambda index: None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.at, self.made, self.calls = at, 0, 0

    def encode_sources(self, sources: list[Tensor]) -> list[Tensor]:
        return [self.conv(source) for source in sources]

    def forward(
        self,
        sources: list[Tensor],
        source_structures: list[Tensor],
        target_structure: Tensor,
        encoded: list[Tensor] | None = None,
    ) -> GeneratorOutput:
        self.at(self.calls)
        self.calls += 1
        assert encoded is not None and not torch.is_grad_enabled()
        image = torch.tanh(encoded[0] + 2 * target_structure - 1)
        self.made += len(image)
        flow = target_structure[:, :, ::4, ::4].repeat(1, 2, 1, 1) * 8
        return GeneratorOutput(image, [[flow]], [[target_structure[:, :, ::4, ::4]]])


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    """However a clip ended, its threads are gone."""
    yield
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith(("driving", "network"))]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "source.png")
    return tmp_path / "source.png"


def animator(driver: Levels, network: Adding) -> Animator:
    return Animator.from_network(network, Level(), driver, SIZE, "cpu")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Every frame that is given to the file (x264 itself is not bit-exact from run to run)."""
    frames: list[np.ndarray] = []
    real = VideoWriter.write

    def keeping(writer: VideoWriter, frame: np.ndarray) -> None:
        frames.append(frame.copy())
        real(writer, frame)

    monkeypatch.setattr(VideoWriter, "write", keeping)
    return frames


@pytest.mark.parametrize("show", ["result", "source,driving,flow,mask,result"])
@pytest.mark.parametrize("batch_size", [1, 4, 50])
def test_the_frames_are_those_of_the_serial_way(
    source: Path, tmp_path: Path, written: list[np.ndarray], show: str, batch_size: int
) -> None:
    driver = Levels()
    made = animator(driver, Adding())
    for overlap in (False, True):
        done = made.animate(source, "-", tmp_path / "o.mp4", batch_size, show, overlap=overlap)
        assert done["frames"] == 23
    serial, overlapped = np.stack(written[:23]), np.stack(written[23:])
    assert np.array_equal(serial, overlapped)
    assert len(np.unique(serial.reshape(23, -1), axis=0)) == 23
    assert driver.threads == {"MainThread", "driving_0"}
    assert len(list(read_video(tmp_path / "o.mp4"))) == 23


def test_the_cpu_does_one_thing_after_the_other(source: Path, tmp_path: Path) -> None:
    """The network has all cores already: threads beside it would only take them away."""
    driver = Levels()
    animator(driver, Adding()).animate(source, "-", tmp_path / "o.mp4")
    assert driver.threads == {"MainThread"}


def test_each_stage_is_a_bounded_number_of_batches_ahead(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, network = Levels(60), Adding()
    counts = []
    real = VideoWriter.write

    def slow(writer: VideoWriter, frame: np.ndarray) -> None:
        time.sleep(0.004)  # time enough for the others to run away
        counts.append((driver.made, network.made, writer.frames))
        real(writer, frame)

    monkeypatch.setattr(VideoWriter, "write", slow)
    animator(driver, network).animate(source, "-", tmp_path / "o.mp4", batch_size=2, overlap=True)
    assert max(made - frames for _, made, frames in counts) <= 3 * 2
    assert max(read - made for read, made, _ in counts) <= 4 * 2
    assert max(made - frames for _, made, frames in counts) > 2  # and it is ahead


@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize("error", [UserError("frame 9: cannot be read"), KeyboardInterrupt()])
@pytest.mark.parametrize("stage", ["driver", "network"])
def test_an_error_of_any_stage_arrives_as_it_is(
    source: Path, tmp_path: Path, stage: str, error: BaseException, overlap: bool, capsys
) -> None:
    def at(place: int) -> Callable[[int], None]:
        def check(index: int) -> None:
            if index == place:
                raise error

        return check

    out = tmp_path / "o.mp4"
    animator(Levels(3), Adding()).animate(source, "-", out, overlap=True)
    before = out.read_bytes()
    capsys.readouterr()
    driver = Levels(40, at(13)) if stage == "driver" else Levels(40)
    network = Adding(at(3)) if stage == "network" else Adding()
    with pytest.raises(type(error)) as raised:
        animator(driver, network).animate(source, "-", out, batch_size=4, overlap=overlap)
    assert raised.value is error
    assert out.read_bytes() == before
    assert len(list(read_video(tmp_path / "o.partial.mp4"))) == 12
    assert "the first 12 frames are in" in capsys.readouterr().err


def test_an_error_of_the_writing_stops_the_other_stages(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = VideoWriter.write

    def full(writer: VideoWriter, frame: np.ndarray) -> None:
        if writer.frames == 5:
            raise OSError("no space left on device")
        real(writer, frame)

    monkeypatch.setattr(VideoWriter, "write", full)
    driver = Levels(1000)
    with pytest.raises(OSError, match="no space left"):
        animator(driver, Adding()).animate(
            source, "-", tmp_path / "o.mp4", batch_size=1, overlap=True
        )
    assert driver.made < 20
    assert not (tmp_path / "o.mp4").exists()
    assert len(list(read_video(tmp_path / "o.partial.mp4"))) == 5


def test_too_little_memory_is_one_sentence(source: Path, tmp_path: Path) -> None:
    def full(index: int) -> None:
        raise torch.OutOfMemoryError("tried to allocate")

    with pytest.raises(UserError, match="cpu: its memory is too small for 4 frames at once"):
        animator(Levels(), Adding(full)).animate(source, "-", tmp_path / "o.mp4", overlap=True)


def test_how_the_network_runs_is_said(source: Path, tmp_path: Path) -> None:
    options = InferenceOptions("bfloat16", channels_last=False)
    made = Animator.from_network(Adding(), Level(), Levels(), SIZE, "cpu", options)
    done = made.animate(source, "-", tmp_path / "o.mp4")
    assert "s on cpu in bfloat16 (" in done["summary"]
    assert done["device"] == "cpu"
    assert done["inference"] == {
        "precision": "bfloat16",
        "channels_last": False,
        "compile": False,
        "cuda_graphs": False,
    }


INTERRUPTED = """
import importlib.util, sys, time
spec = importlib.util.spec_from_file_location("overlap", {test!r})
overlap = importlib.util.module_from_spec(spec)
spec.loader.exec_module(overlap)
from gfla_video.utils.cli import run

def slowly(index):
    print(index, flush=True)
    time.sleep(0.05)

def main():
    made = overlap.animator(overlap.Levels(100000), overlap.Adding(slowly))
    made.animate({source!r}, "-", {out!r}, batch_size=2, overlap=True)

run(main)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_ctrl_c_ends_the_threads_and_leaves_a_clip(
    source: Path, tmp_path: Path, repo_root: Path
) -> None:
    out = tmp_path / "o.mp4"
    code = INTERRUPTED.format(test=__file__, source=str(source), out=str(out))
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(repo_root), "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == 9:  # calls: the frames of some are in the file
            break
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1].splitlines()
    assert process.returncode == 130
    assert len(said) == 2 and said[1] == "interrupted", said
    count = int(said[0].removeprefix("stopped: the first ").split()[0])
    assert 10 <= count <= 40
    assert len(list(read_video(tmp_path / "o.partial.mp4"))) == count
    assert not out.exists()
