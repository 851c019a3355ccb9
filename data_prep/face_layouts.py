"""Face clips on disk: mp4 + npz ("videos"), or pictures + texts as released ("frames")."""

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from data_prep.common import atomic_file, atomic_folder
from data_prep.face_video import VideoError, clip_writer, open_raw
from gfla_video.detectors import NUM_POINTS, FaceCrop

VERSION = 1  # of the npz
_PICTURES = (".png", ".jpg", ".jpeg")

Write = Callable[[np.ndarray], None]


class ClipError(Exception):
    """A clip that is not whole, in one sentence."""


@dataclass
class Clip:
    """What is known of a clip beside its pictures.

    Attributes:
        landmarks: float32 ``[T, 68, 2]`` in the clip's pixels.
        found: bool ``[T]``, whether the face was found there.
        size: side of the pictures.
        fps: exact rate.
        crop: where the clip lies in the raw video's frames.
        source: file name of the raw video.
        source_size: (H, W) of its frames.
        source_start: its frame that the clip begins with.
        detector: registered name.
    """

    landmarks: np.ndarray
    found: np.ndarray
    size: int
    fps: Fraction
    crop: FaceCrop
    source: str
    source_size: tuple[int, int]
    source_start: int
    detector: str

    def arrays(self) -> dict[str, Any]:
        """As they stand in the npz."""
        return {
            "landmarks": self.landmarks.astype(np.float32),
            "found": self.found,
            "size": np.array([self.size, self.size]),
            "fps": np.array([self.fps.numerator, self.fps.denominator]),
            "crop": np.array([self.crop.x, self.crop.y, self.crop.side]),
            "source": np.array(self.source),
            "source_size": np.array(self.source_size),
            "source_start": np.array(self.source_start),
            "detector": np.array(self.detector),
            "version": np.array(VERSION),
        }


@dataclass(frozen=True)
class VideoLayout:
    """``OUT/<phase>/<clip>.mp4`` and ``<clip>.npz``.

    Attributes:
        out: root of the data set.
        phase: part of it.
    """

    out: Path
    phase: str

    def files(self, clip: str) -> list[Path]:
        """What belongs to a clip."""
        return [self.out / self.phase / f"{clip}{suffix}" for suffix in (".mp4", ".npz")]

    def names(self) -> list[str]:
        """Clips of which there is anything."""
        kinds = (".mp4", ".npz")
        stems = {path.stem for path in _entries(self.out / self.phase) if path.suffix in kinds}
        return sorted(stem for stem in stems if not stem.endswith("_truth"))

    @contextlib.contextmanager
    def writing(self, name: str, clip: Clip) -> Iterator[Write]:
        """Give a function that takes the frames; both files get their names at the end."""
        video, arrays = self.files(name)
        with atomic_file(arrays) as arrays_part, atomic_file(video) as video_part:
            np.savez_compressed(arrays_part, **clip.arrays())
            with clip_writer(video_part, clip.fps, (clip.size,) * 2, threads=1) as writer:
                yield writer.write

    def read(self, name: str) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        """Frames, landmarks ``[T, 68, 2]`` and found ``[T]``; raises :class:`ClipError`."""
        video, arrays = self.files(name)
        for path in (video, arrays):
            if not path.is_file():
                raise ClipError(f"{path} is not there")
        try:
            with np.load(arrays) as held:
                landmarks, found, size = (held[key] for key in ("landmarks", "found", "size"))
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise ClipError(f"{arrays} cannot be read ({error})") from error
        try:
            raw = open_raw(video)
            frames = list(raw.frames())
        except VideoError as error:
            raise ClipError(f"{video} {error}") from error
        if raw.broken:
            raise ClipError(f"{video}: {raw.broken}")
        if frames and frames[0].shape[:2] != tuple(size):
            raise ClipError(f"{video}: frames are {frames[0].shape[:2]}, its npz says {size}")
        return frames, landmarks, found


@dataclass(frozen=True)
class FrameLayout:
    """``OUT/<phase>_data/<clip>/*.png`` and ``OUT/<phase>_keypoints/<clip>/*.txt``.

    Attributes:
        out: root of the data set.
        phase: part of it.
    """

    out: Path
    phase: str

    def files(self, clip: str) -> list[Path]:
        """What belongs to a clip."""
        return [self.out / f"{self.phase}_{kind}" / clip for kind in ("data", "keypoints")]

    def names(self) -> list[str]:
        """Clips of which there is anything."""
        folders = (path.parent for path in self.files("any"))
        return sorted({path.name for folder in folders for path in _entries(folder)})

    @contextlib.contextmanager
    def writing(self, name: str, clip: Clip) -> Iterator[Write]:
        """Give a function that takes the frames; both folders get their names at the end."""
        pictures, texts = self.files(name)
        with atomic_folder(texts) as text_part, atomic_folder(pictures) as picture_part:
            for index, points in enumerate(clip.landmarks):
                lines = [f"{x:.3f},{y:.3f}" for x, y in points]
                text = "\n".join(lines) + "\n"
                (text_part / f"{index:05d}.txt").write_text(text, encoding="utf-8")
            count = iter(range(len(clip.landmarks)))

            def write(picture: np.ndarray) -> None:
                path = picture_part / f"{next(count):05d}.png"
                if not cv2.imwrite(str(path), picture[..., ::-1]):
                    raise OSError(f"{path} cannot be written")

            yield write

    def read(self, name: str) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        """Frames, landmarks ``[T, 68, 2]`` and found ``[T]``; raises :class:`ClipError`."""
        pictures, texts = self.files(name)
        for path in (pictures, texts):
            if not path.is_dir():
                raise ClipError(f"{path} is not there")
        paths = [path for path in _entries(pictures) if path.suffix.lower() in _PICTURES]
        frames, points = [], []
        for path in paths:
            picture = cv2.imread(str(path))
            if picture is None:
                raise ClipError(f"{path} cannot be read")
            frames.append(picture[..., ::-1])
            points.append(_read_text(texts / f"{path.stem}.txt"))
        if len(_entries(texts)) != len(paths):
            raise ClipError(f"{texts} has {len(_entries(texts))} texts for {len(paths)} pictures")
        landmarks = np.array(points, np.float32).reshape(-1, NUM_POINTS, 2)
        return frames, landmarks, np.ones(len(paths), bool)


LAYOUTS = {"videos": VideoLayout, "frames": FrameLayout}
Layout = VideoLayout | FrameLayout


def remove_clip(layout: Layout, name: str) -> None:
    """Delete what belongs to a clip."""
    for path in layout.files(name):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _entries(folder: Path) -> list[Path]:
    """What a folder holds, apart from temporary things; nothing where it is not there.

    Numbers count by their value, as in training: ``2.png`` comes before ``10.png``.
    """
    if not folder.is_dir():
        return []
    held = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(held, key=lambda path: _by_value(path.name))


def _by_value(name: str) -> list[tuple[bool, int, str]]:
    parts = re.split(r"(\d+)", name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _read_text(path: Path) -> np.ndarray:
    try:
        lines = path.read_text(encoding="utf-8").split()
        points = np.array([[float(value) for value in line.split(",")] for line in lines])
    except (OSError, ValueError) as error:
        raise ClipError(f"{path} cannot be read ({error})") from error
    if points.shape != (NUM_POINTS, 2):
        raise ClipError(f"{path} holds {points.shape} numbers, expected {NUM_POINTS} lines x,y")
    return points
