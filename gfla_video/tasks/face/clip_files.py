"""Face videos on disk: frames and 68 landmarks, in the released layout or as mp4 files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gfla_video.datasets import BrokenImageError, read_image
from gfla_video.tasks.face.annotation import Landmarks
from gfla_video.tasks.face.landmark_files import Found, read_arrays, read_text
from gfla_video.utils.clip_reader import open_clip
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import natural_order

LAYOUTS = ("auto", "frames", "videos")
_IMAGES = (".png", ".jpg", ".jpeg")
_TRUTH = "_truth"

Frames = npt.NDArray[np.uint8]


class FaceVideo(Protocol):
    """One video of a face.

    Attributes:
        name: without folder and suffix.
        path: the video or the folder of its frames.
        found: whether the face was found, bool ``[T]``; T is the number of frames.
    """

    name: str
    path: Path
    found: Found

    def read(self, indices: Sequence[int]) -> tuple[Frames, Landmarks]:
        """Frames uint8 ``[n, H, W, 3]`` and their landmarks float32 ``[n, 68, 2]``.

        A frame in which no face was found has the landmarks of the nearest frame that has one.

        Raises:
            BrokenImageError: a frame or the video cannot be read.
            UserError: the landmarks do not belong to the frames.
        """


def find_videos(root: Path | str, phase: str, layout: str = "auto") -> list[FaceVideo]:
    """All videos of one phase, sorted by name.

    Args:
        root: folder of the data set.
        phase: ``train``, ``test``, ...
        layout: ``frames`` (``<phase>_data/<video>/<frame>.png`` or jpg, and
            ``<phase>_keypoints/<video>/<frame>.txt`` of 68 lines ``x,y``), ``videos``
            (``<phase>/<video>.mp4`` and ``<video>.npz``), or ``auto``, whichever is there.

    Raises:
        UserError: a folder is missing or empty, or a file is not what it should be.
    """
    if layout not in LAYOUTS:
        raise UserError(f"layout must be one of {', '.join(LAYOUTS)}, got {layout!r}")
    root = Path(root)
    frames, videos = root / f"{phase}_data", root / phase
    if layout == "auto":
        there = [folder for folder in (frames, videos) if folder.is_dir()]
        if len(there) == 2:
            raise UserError(f"{root}: holds {frames.name} and {videos.name}; say layout in config")
        if not there:
            raise UserError(
                f"{root}: has neither a folder {frames.name} (frames) nor {videos.name} (videos); "
                "correct data_root or phase"
            )
        layout = "frames" if there == [frames] else "videos"
    folder = frames if layout == "frames" else videos
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder; correct data_root or phase")
    found = _frame_folders(folder, root, phase) if layout == "frames" else _video_files(folder)
    if not found:
        what = "folder of frames" if layout == "frames" else ".mp4 file"
        raise UserError(f"{folder}: holds no {what}; prepare the data first")
    return found


def nearest_found(found: Found) -> npt.NDArray[np.intp]:
    """For every frame the nearest one with a face, the earlier of two; int ``[T]``."""
    there = np.flatnonzero(found)
    frames = np.arange(len(found))
    after = np.searchsorted(there, frames).clip(max=len(there) - 1)
    before = (after - 1).clip(min=0)
    earlier = np.abs(there[before] - frames) <= np.abs(there[after] - frames)
    return np.where(earlier, there[before], there[after])


class FaceVideoFile:
    """An mp4 with a landmark file beside it; see ``FaceVideo``.

    Args:
        path: the video.

    Raises:
        UserError: there is no landmark file, or it is not one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem
        self.arrays = path.with_suffix(".npz")
        if not self.arrays.is_file():
            raise UserError(f"{path}: has no landmarks beside it; make {self.arrays.name} first")
        _, self.found, self.size = self._load()

    @property
    def truth(self) -> Path:
        """Where the exact flow of a made video is."""
        return self.path.with_name(f"{self.name}{_TRUTH}.npz")

    def read(self, indices: Sequence[int]) -> tuple[Frames, Landmarks]:
        """See ``FaceVideo``."""
        landmarks = self._load()[0]
        try:
            clip = open_clip(self.path)
            count, size = len(clip), clip.size
            fits = count == len(self.found) and size == self.size
            frames = clip.frames(indices) if fits else None
        except UserError as error:
            raise BrokenImageError(str(error), self.path) from error
        if count != len(self.found):
            raise BrokenImageError(
                f"{self.path}: has {count} frames, its landmarks {self.arrays.name} have "
                f"{len(self.found)}; prepare this video again",
                self.path,
            )
        if frames is None:
            raise BrokenImageError(
                f"{self.path}: its frames are {size} (H, W), its landmarks {self.arrays.name} "
                f"are for {self.size}; prepare this video again",
                self.path,
            )
        return frames, landmarks[nearest_found(self.found)[list(indices)]]

    def _load(self) -> tuple[Landmarks, Found, tuple[int, int]]:
        clip = read_arrays(self.arrays, ("landmarks", "found", "size"))
        assert clip.size is not None
        return clip.landmarks, clip.found, clip.size


class FaceFrameFolder:
    """A folder of frames and a folder of landmark texts of the same names; see ``FaceVideo``.

    The frames follow each other as their names do, numbers by their value.

    Args:
        folder: of the frames.
        texts: folder of the landmarks; a frame without a text counts as one without a face.

    Raises:
        UserError: no landmarks belong to the frames.
    """

    def __init__(self, folder: Path, texts: Path) -> None:
        self.path = folder
        self.name = folder.name
        # Names alone are kept: a data set has hundreds of thousands of frames.
        frames = (name for name in os.listdir(folder) if name.lower().endswith(_IMAGES))
        self._names = sorted((n for n in frames if not n.startswith(".")), key=natural_order)
        self._texts = texts
        if not self._names:
            raise UserError(f"{folder}: holds no frame (.png or .jpg); remove it or add the frames")
        if not texts.is_dir():
            raise UserError(f"{texts}: the landmarks of {folder.name} are not there; make them")
        there = {Path(name).stem for name in os.listdir(texts) if name.endswith(".txt")}
        stems = [Path(name).stem for name in self._names]
        self.found = np.array([stem in there for stem in stems])
        alone = there.difference(stems)
        if alone:
            raise UserError(
                f"{texts / min(alone)}.txt: {len(alone)} landmark files have no frame of their "
                f"name in {folder}; names must agree"
            )
        if not self.found.any():
            raise UserError(f"{texts}: holds no landmark file <frame>.txt; make the landmarks")

    def read(self, indices: Sequence[int]) -> tuple[Frames, Landmarks]:
        """See ``FaceVideo``."""
        pictures = [np.asarray(read_image(self.path / self._names[index])) for index in indices]
        for picture, index in zip(pictures, indices, strict=True):
            if picture.shape != pictures[0].shape:
                path = self.path / self._names[index]
                raise BrokenImageError(
                    f"{path}: is {picture.shape[:2]} (H, W), another frame of the video "
                    f"{pictures[0].shape[:2]}; frames of a video have one size",
                    path,
                )
        nearest = nearest_found(self.found)
        return np.stack(pictures), np.stack([self._landmarks(nearest[i]) for i in indices])

    def _landmarks(self, index: int) -> Landmarks:
        path = self._texts / f"{Path(self._names[index]).stem}.txt"
        try:
            return read_text(path)
        except UserError as error:
            raise BrokenImageError(str(error), path) from error


def _video_files(folder: Path) -> list[FaceVideo]:
    movies = _sorted(folder.glob("*.mp4"))
    known = {path.stem for path in movies}
    for path in _sorted(folder.glob("*.npz")):
        if path.stem not in known and path.stem.removesuffix(_TRUTH) not in known:
            raise UserError(f"{path}: there is no {path.stem}.mp4 beside it; add or remove it")
    return [FaceVideoFile(path) for path in movies]


def _frame_folders(folder: Path, root: Path, phase: str) -> list[FaceVideo]:
    # the released extraction writes to `_keypoint`, its loader reads `_keypoints`
    spellings = [root / f"{phase}_keypoints", root / f"{phase}_keypoint"]
    texts = next((path for path in spellings if path.is_dir()), None)
    if texts is None:
        raise UserError(f"{spellings[0]}: the folder of the landmarks is not there; make it first")
    folders = _sorted(path for path in folder.iterdir() if path.is_dir())
    return [FaceFrameFolder(path, texts / path.name) for path in folders]


def _sorted(paths: Iterable[Path]) -> list[Path]:
    return sorted((path for path in paths if not path.name.startswith(".")), key=lambda p: p.name)
