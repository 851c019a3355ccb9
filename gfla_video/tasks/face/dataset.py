"""Clips of talking heads: one source frame and T frames of the same video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.logging import print_log
from PIL import Image
from torch import Tensor

from gfla_video.datasets import (
    AffineRange,
    IdSplit,
    TransferDataset,
    image_to_tensor,
    read_clip_truth,
)
from gfla_video.registry import DATASETS, STRUCTURES
from gfla_video.tasks.face.annotation import FaceAnnotation, Landmarks, scale_landmarks
from gfla_video.tasks.face.augment import ColourRange, Frames, flip_frames, move_frames
from gfla_video.tasks.face.clip_files import FaceVideo, FaceVideoFile, find_videos
from gfla_video.tasks.face.structure import FaceStructure
from gfla_video.utils.errors import UserError

_WINDOWS = ("all", "first")
_REFERENCES = ("random", "first", "clip")
_MIN_FOUND = 0.5
_PERSON_END = "__"


class Window(NamedTuple):
    """Where a sample's frames lie: which video, from which frame on."""

    video: int
    start: int


@DATASETS.register_module()
class FaceClipDataset(TransferDataset):
    """Samples with one source (R = 1) and T target frames of the same video.

    Frames are brought to ``size`` by Pillow's bicubic filter whatever their shape, landmarks are
    scaled alike. A frame without a face takes the landmarks of the nearest frame that has one, and
    the third column of its points is 0; windows with more than half of such frames are left out.

    Args:
        data_root: folder of the data set, see ``find_videos``.
        phase: ``train``, ``test``, ...: which of its folders.
        size: (H, W) of the samples.
        structure: a ``FaceStructure``, or the dict to build it from.
        frames: T.
        stride: take every n-th frame; (lo, hi) draws n anew for each clip of ``windows="all"``.
        windows: ``all`` cuts the videos into windows, whose starts move at random inside of their
            step; ``first`` takes one clip per video from its first frame on, and repeats the last
            frame of videos that are too short.
        window_step: frames from one window to the next, ``frames`` x the smallest stride by
            default.
        reference: the source frame: ``random`` in the video (one with a face), the video's
            ``first`` frame, or the first one of the ``clip``.
        colour: range of the random colour change (``ColourRange`` or its values), None for none.
        affine: range of the random move (``AffineRange`` or its values), None for none. Both are
            drawn once per clip and serve all of its frames and the source.
        flip_prob: how often a clip is mirrored.
        layout: ``frames``, ``videos`` or ``auto``, see ``find_videos``.
        videos: names of the videos to take; None takes all.
        split: ``IdSplit`` or its values, to keep one part of the persons (``person_of``).
        with_truth: add exact flow and visibility of ``<video>_truth.npz``; needs
            ``reference="first"``.
        skip_broken: see ``TransferDataset``.
        seed: see ``TransferDataset``.

    Raises:
        UserError: a folder, file or option is wrong; the sentence names it.

    Attributes:
        videos: what the samples are cut from, list of ``FaceVideo``.
        windows: the samples, list of ``Window``.
        skipped_windows: windows left out because too few of their frames show a face.
        short_videos: videos left out because they have fewer frames than a window.
    """

    augmentations = ("colour", "affine", "flip_prob")

    def __init__(
        self,
        data_root: str | Path,
        phase: str,
        size: tuple[int, int],
        structure: FaceStructure | dict[str, Any],
        frames: int = 30,
        stride: int | Sequence[int] = 1,
        windows: str = "all",
        window_step: int | None = None,
        reference: str = "random",
        colour: ColourRange | Mapping[str, Any] | None = None,
        affine: AffineRange | Mapping[str, Any] | None = None,
        flip_prob: float = 0.0,
        layout: str = "auto",
        videos: Sequence[str] | None = None,
        split: IdSplit | Mapping[str, Any] | None = None,
        with_truth: bool = False,
        skip_broken: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed, skip_broken=skip_broken)
        self.size = (int(size[0]), int(size[1]))
        self.structure = STRUCTURES.build(structure) if isinstance(structure, dict) else structure
        self.frames = int(frames)
        self.strides = _read_stride(stride)
        self.first_only = _one_of("windows", windows, _WINDOWS) == "first"
        self.step = self.frames * self.strides[0] if window_step is None else int(window_step)
        self.reference = _one_of("reference", reference, _REFERENCES)
        self.colour = None if colour is None else ColourRange.read(colour)
        self.affine = None if affine is None else AffineRange.read(affine)
        self.flip_prob = float(flip_prob)
        self.with_truth = with_truth
        self._check_options()
        self.folder = Path(data_root)
        found = _choose(find_videos(data_root, phase, layout), videos, self.folder)
        if split is not None:
            part = IdSplit.read(split)
            found = [video for video in found if part.holds(person_of(video.name))]
        if with_truth and not all(isinstance(video, FaceVideoFile) for video in found):
            raise UserError(f"{self.folder}: only mp4 files have a ground truth; leave with_truth")
        self.videos: list[FaceVideo] = found
        self.skipped_windows = self.short_videos = 0
        self.windows = self._cut()

    def __len__(self) -> int:
        return len(self.windows)

    def load(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """Make one sample.

        Returns:
            ``inputs`` (sources [3,H,W], source_structures [16,H,W], target_structures
            [T,16,H,W]), ``targets`` (image [T,3,H,W], points [T,68,3], source_points [68,3]; flow
            [T,2,H,W], visible and foreground [T,1,H,W], source_foreground [1,H,W] where asked for)
            and ``meta`` (name, source, target, frames: how many are not repeated to fill the clip).

        Raises:
            BrokenImageError: the video, a frame or its landmarks cannot be read.
        """
        window = self.windows[index]
        video = self.videos[window.video]
        indices = self._frames_of(window, rng)
        source = self._source_of(video, indices, rng)
        # Repeated frames are read and encoded once.
        distinct, places = np.unique([source, *indices], return_inverse=True)
        pictures, landmarks = self._read(video, distinct.tolist(), rng)
        images = [self._image(picture) for picture in pictures]
        structures = [
            self.structure.encode(FaceAnnotation(points, picture.shape[:2], picture), self.size)
            for picture, points in zip(pictures, landmarks, strict=True)
        ]
        points = scale_landmarks(landmarks[places], pictures.shape[1:3], self.size)
        found = video.found[[source, *indices]].astype(np.float32)[:, None, None]
        seen = np.concatenate([points, np.broadcast_to(found, (*points.shape[:2], 1))], axis=2)
        targets = {
            "image": torch.stack([images[place] for place in places[1:]]),
            "points": torch.from_numpy(seen[1:]),
            "source_points": torch.from_numpy(seen[0]),
        }
        if self.with_truth:
            assert isinstance(video, FaceVideoFile)  # checked by __init__
            targets.update(read_clip_truth(video.truth, indices, self.size))
        return {
            "inputs": {
                "sources": [images[places[0]]],
                "source_structures": [structures[places[0]]],
                "target_structures": torch.stack([structures[place] for place in places[1:]]),
            },
            "targets": targets,
            "meta": {
                "name": f"{video.name}_{indices[0]}",
                "source": f"{video.name}/{source}",
                "target": f"{video.name}/{indices[0]}",
                "frames": len(set(indices)),
            },
        }

    def _image(self, picture: Frames) -> Tensor:
        image = Image.fromarray(picture)
        if picture.shape[:2] != self.size:
            image = image.resize((self.size[1], self.size[0]), Image.Resampling.BICUBIC)
        return image_to_tensor(image)

    def _read(
        self, video: FaceVideo, indices: list[int], rng: np.random.Generator
    ) -> tuple[Frames, Landmarks]:
        """Frames and landmarks in the video's own resolution, all changed alike."""
        frames, landmarks = video.read(indices)
        if self.flip_prob and rng.random() < self.flip_prob:
            frames, landmarks = flip_frames(frames, landmarks)
        if self.affine is not None:
            drawn = self.affine.draw(rng)
            frames, landmarks = move_frames(frames, landmarks, drawn, self.size)
        if self.colour is not None:
            frames = self.colour.draw(rng).apply(frames)
        return frames, landmarks

    def _frames_of(self, window: Window, rng: np.random.Generator) -> list[int]:
        """Which frames of its video a sample has, T numbers."""
        found = self.videos[window.video].found
        plain = window.start + np.arange(self.frames) * self.strides[0]
        if self.first_only:
            return plain.clip(max=len(found) - 1).tolist()
        last = len(found) - 1
        stride = int(rng.integers(self.strides[0], self.strides[1] + 1))
        if self.frames > 1:
            stride = min(stride, last // (self.frames - 1))
        latest = min(window.start + self.step - 1, last - (self.frames - 1) * stride)
        start = int(rng.integers(min(window.start, latest), latest + 1))
        moved = start + np.arange(self.frames) * stride
        return (moved if found[moved].mean() >= _MIN_FOUND else plain).tolist()

    def _source_of(self, video: FaceVideo, indices: list[int], rng: np.random.Generator) -> int:
        if self.reference == "random":
            return int(rng.choice(np.flatnonzero(video.found)))
        return indices[0] if self.reference == "clip" else 0

    def _cut(self) -> list[Window]:
        windows = []
        length = (self.frames - 1) * self.strides[0] + 1
        for number, video in enumerate(self.videos):
            count = len(video.found)
            starts = range(1) if self.first_only else range(0, count - length + 1, self.step)
            self.short_videos += len(starts) == 0
            for start in starts:
                seen = video.found[start : start + length : self.strides[0]]
                if seen.size and seen.mean() >= _MIN_FOUND:
                    windows.append(Window(number, start))
                else:
                    self.skipped_windows += 1
        if self.skipped_windows or self.short_videos:
            print_log(
                f"{self.folder}: left out {self.skipped_windows} windows with a face in less than "
                f"half of the frames and {self.short_videos} videos shorter than {length} frames",
                logger="current",
            )
        if not windows:
            raise UserError(
                f"{self.folder}: no clip is left to make samples of ({len(self.videos)} videos, "
                f"{self.short_videos} shorter than {length} frames, {self.skipped_windows} windows "
                "without enough faces); look at frames, stride, videos and split"
            )
        return windows

    def _check_options(self) -> None:
        if self.frames < 1 or self.step < 1:
            raise UserError(
                f"frames and window_step must be at least 1, got {self.frames} and {self.step}"
            )
        if self.first_only and self.strides[0] != self.strides[1]:
            raise UserError("windows='first' takes one stride, not a range; say stride as a number")
        if self.with_truth and (self.affine or self.flip_prob or self.reference != "first"):
            raise UserError(
                "the ground truth belongs to the unmoved first frame; with_truth needs "
                "reference='first' and neither affine nor flip_prob"
            )


def person_of(video: str) -> str:
    """Who is in a video: its name up to the last ``__``, or the whole name where there is none."""
    return video.rsplit(_PERSON_END, 1)[0]


def _choose(found: list[FaceVideo], names: Sequence[str] | None, folder: Path) -> list[FaceVideo]:
    if names is None:
        return found
    known = {video.name for video in found}
    missing = [name for name in names if name not in known]
    if missing:
        raise UserError(f"{folder}: there is no video {missing[0]}; correct the option videos")
    return [video for video in found if video.name in set(names)]


def _read_stride(stride: int | Sequence[int]) -> tuple[int, int]:
    values = (stride, stride) if isinstance(stride, int) else tuple(stride)
    if len(values) != 2 or not 1 <= values[0] <= values[1]:
        raise UserError(f"stride must be a number from 1 on or a range (lo, hi), got {stride!r}")
    return int(values[0]), int(values[1])


def _one_of(label: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise UserError(f"{label} must be one of {', '.join(known)}, got {value!r}")
    return value
