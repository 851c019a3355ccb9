"""Made faces for tests: landmarks, pictures that tell their number, videos of both."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from gfla_video.utils.video import VideoWriter

SIZE = (64, 64)
LEVEL, LEVEL_STEP = 20, 4  # grey of frame i is LEVEL + LEVEL_STEP * i
NOSE = 30


def made_landmarks(shift: float = 0.0) -> np.ndarray:
    """A face that looks into the camera, ``[68, 2]`` of a 64 x 64 picture, moved to the right."""

    def arc(count: int, x: tuple[float, float], y: float, height: float) -> np.ndarray:
        across = np.linspace(-1.0, 1.0, count)
        middle, half = (x[0] + x[1]) / 2, (x[1] - x[0]) / 2
        return np.stack([middle + half * across, y + height * (1 - across**2)], axis=1)

    def ring(x: tuple[float, float], y: float, height: float, upper: int) -> np.ndarray:
        lower = arc(upper, x, y, height)[1:-1][::-1]
        return np.concatenate([arc(upper, x, y, -height), lower])

    parts = [
        arc(17, (12, 52), 26, 30),
        arc(5, (16, 28), 22, -3),
        arc(5, (36, 48), 22, -3),
        np.stack([np.full(4, 32.0), np.linspace(26, 36, 4)], axis=1),
        arc(5, (28, 36), 38, 2),
        ring((18, 27), 27, 2.5, 4),
        ring((37, 46), 27, 2.5, 4),
        ring((24, 40), 46, 4, 7),
        ring((26, 38), 46, 2, 5),
    ]
    points = np.concatenate(parts)
    points[NOSE] = (32, 35)
    return (points + np.array([shift, 0.0])).astype(np.float32)


def made_frame(index: int, landmarks: np.ndarray, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Grey that tells the index, and a white blob on the tip of the nose."""
    frame = np.full((*size, 3), LEVEL + LEVEL_STEP * index, dtype=np.uint8)
    x, y = np.rint(landmarks[NOSE]).astype(int)
    frame[y - 2 : y + 3, x - 2 : x + 3] = 255
    return frame


def frame_index(picture: np.ndarray) -> int:
    """Which frame a made picture uint8 ``[H, W, 3]`` is."""
    return round((float(np.median(picture)) - LEVEL) / LEVEL_STEP)


def blob_centre(picture: np.ndarray) -> np.ndarray:
    """Where the white blob of a made picture is, (x, y)."""
    y, x = np.nonzero(picture.min(axis=2) > 200)
    return np.array([x.mean(), y.mean()])


def write_face_video(
    root: Path, name: str, frames: int = 20, found: np.ndarray | None = None, phase: str = "train"
) -> Path:
    """Write ``<root>/<phase>/<name>.mp4`` and its landmark file, 64 x 64, 25 frames a second.

    Frame i is ``made_frame(i)``, its landmarks are moved by i / 4 pixels.

    Args:
        root: folder of the data set.
        name: of the video.
        frames: how many.
        found: bool ``[frames]``, False leaves a frame without landmarks; None leaves out none.
        phase: ``train``, ``test``, ...

    Returns:
        The folder of the data set.
    """
    folder = root / phase
    folder.mkdir(parents=True, exist_ok=True)
    landmarks = np.stack([made_landmarks(i / 4) for i in range(frames)])
    with VideoWriter(folder / f"{name}.mp4", Fraction(25), SIZE, crf=8) as writer:
        for index, points in enumerate(landmarks):
            writer.write(made_frame(index, points))
    there = np.ones(frames, bool) if found is None else found
    landmarks[~there] = np.nan
    arrays = {"landmarks": landmarks, "found": there, "size": np.array(SIZE)}
    np.savez(folder / f"{name}.npz", **arrays, box=np.zeros(3))
    return root
