"""Animates a long clip in a process of its own and prints how its memory grows, as JSON.

    python tests/apis/stream_face.py FOLDER FRAMES

Everything that a long clip needs takes part: a detector on every frame of the video, the
background of every driving frame, previous frames, sound, and the result put back into the
driver's frames.
"""

from __future__ import annotations

import json
import os
import sys
import wave
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from gfla_video.apis import Animator
from gfla_video.apis.config import load_config
from gfla_video.registry import DETECTORS, MODELS
from gfla_video.tasks.face.driver import FaceDriver
from gfla_video.tasks.face.structure import FaceStructure
from gfla_video.testing.made_faces import made_landmarks
from gfla_video.utils.video import VideoWriter

NARROW = Path(__file__).resolve().parents[2] / "configs" / "_smoke" / "face.py"
SIZE = (256, 256)
FPS = Fraction(30000, 1001)
RATE = 16000


@DETECTORS.register_module(name="NoddingFinder")
class NoddingFinder:
    """Finds a face that moves to and fro, wherever it looks."""

    seen = 0

    @classmethod
    def from_weights(cls, weights: Sequence[str], device: str = "cpu") -> NoddingFinder:
        return cls()

    def detect(self, image: np.ndarray) -> np.ndarray:
        self.seen += 1
        return 4 * made_landmarks(float(np.sin(self.seen / 9)))[None]


def resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def make_driver(folder: Path, frames: int) -> Path:
    """A video of grey levels with a tone as long as it."""
    time = np.arange(int(frames / FPS * RATE) + RATE) / RATE
    with wave.open(str(folder / "tone.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes((8000 * np.sin(2000 * time)).astype("<i2").tobytes())
    with VideoWriter(folder / "drive.mp4", FPS, SIZE, sound=folder / "tone.wav") as writer:
        for index in range(frames):
            writer.write(np.full((*SIZE, 3), index % 200 + 20, np.uint8))
    return folder / "drive.mp4"


def main() -> None:
    folder, frames = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    drive = make_driver(folder, frames)
    Image.fromarray(np.full((*SIZE, 3), 120, np.uint8)).save(folder / "source.png")
    np.savez(folder / "landmarks.npz", landmarks=4 * made_landmarks(), size=SIZE)
    memory: list[int] = []
    real = VideoWriter.write

    def measured(writer: VideoWriter, frame: np.ndarray) -> None:
        real(writer, frame)
        memory.append(resident())

    VideoWriter.write = measured  # type: ignore[method-assign]
    network = MODELS.build(load_config(NARROW).stages[1]["model"]["generator"].to_dict())
    animator = Animator.from_network(network, FaceStructure(), FaceDriver(), SIZE, "cpu")
    summary = animator.animate(
        folder / "source.png",
        drive,
        folder / "out.mp4",
        motion="absolute",
        background_edges="driving",
        paste_back="driving",
        source_landmarks=str(folder / "landmarks.npz"),
        detector="NoddingFinder",
        detector_weights=["none"],
    )
    print(json.dumps({"memory": memory[::10], "fps": summary["fps"], "frames": len(memory)}))


if __name__ == "__main__":
    main()
