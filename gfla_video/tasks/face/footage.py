"""What a user passes as ``--driving``: pictures, landmarks, or both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from gfla_video.datasets.images import read_image
from gfla_video.tasks.face.annotation import Picture
from gfla_video.tasks.face.landmark_files import LandmarkClip, in_pictures, read_arrays, read_text
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import natural_order
from gfla_video.utils.video import VideoInfo, VideoReader, probe, read_video

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
FORMATS = (
    "a video, a folder of pictures, an .npz of landmarks [T, 68, 2], or a folder of .txt files of "
    "68 lines x,y"
)


@dataclass
class Footage:
    """A driving clip.

    Attributes:
        path: what the user passed.
        video: the file of its pictures, None where they are single files or not there.
        files: its pictures where they are single files.
        clip: its landmarks where a file holds them.
        info: rate, size and length of the pictures; the rate of single files is not known.
        notes: sentences for the user; of the pictures, once they were all read.
    """

    path: Path
    video: Path | None = None
    files: list[Path] = field(default_factory=list)
    clip: LandmarkClip | None = None
    info: VideoInfo | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def fps(self) -> Fraction | None:
        """Exact rate of the video or, without one, of the landmarks' file; None where neither."""
        if self.info is not None and self.video is not None:
            return self.info.fps
        return None if self.clip is None else self.clip.fps

    @property
    def size(self) -> tuple[int, int] | None:
        """(H, W) that pictures and landmarks belong to, where it is known."""
        if self.info is not None:
            return self.info.size
        return None if self.clip is None else self.clip.size

    def pictures(self) -> Iterator[Picture]:
        """The pictures from the first one on, uint8 ``[H, W, 3]``, one held at a time."""
        if self.video is not None:
            reader = read_video(self.video)
            yield from reader
            self.notes += [note for note in reader.notes if note not in self.notes]
            return
        for path in self.files:
            picture = np.asarray(read_image(path))
            if picture.shape[:2] != self.size:
                raise UserError(
                    f"{path}: is {_wxh(picture.shape[:2])}, the pictures before are "
                    f"{_wxh(self.size or (0, 0))}; pictures of a clip have one size"
                )
            yield picture


def open_footage(driving: str, landmarks: str | None, detect: bool) -> Footage:
    """Look at what drives, without decoding it.

    A video and an ``.npz`` of landmarks that differ in their suffix only belong together. Landmarks
    are those of the frames that are read: of a video that breaks off, of its whole frames; of a
    video of variable rate, of its stored frames as they are put on the constant rate.

    Args:
        driving: a video, a folder of pictures or of texts, an ``.npz`` or a text of landmarks.
        landmarks: a file or folder of landmarks for pictures; None if there is none.
        detect: landmarks that lie beside a video are left alone, as a detector was asked for.

    Raises:
        UserError: there is nothing of the kind, or pictures and landmarks do not fit each other.
    """
    path = Path(driving)
    footage = Footage(path)
    if path.is_dir():
        footage.files = _named(path, PICTURE_SUFFIXES)
        if not footage.files:
            footage.clip = _read_clip(path)
    elif path.suffix.lower() in (".npz", ".txt"):
        footage.clip = _read_clip(path)
        beside = (path.with_suffix(suffix) for suffix in VIDEO_SUFFIXES)
        footage.video = next((video for video in beside if video.is_file()), None)
        if footage.video is not None:
            footage.notes.append(f"pictures, rate and sound of {footage.video.name}, beside it")
    else:
        footage.video = path
    if footage.video is not None:
        footage.info = probe(footage.video)
    elif footage.files:
        size = np.asarray(read_image(footage.files[0])).shape[:2]
        footage.info = VideoInfo(Fraction(1), (size[0], size[1]), len(footage.files))
    where = path
    if landmarks is not None:
        where = Path(landmarks)
        footage.clip = _read_clip(where)
    elif footage.clip is None and not detect and path.with_suffix(".npz").is_file():
        where = path.with_suffix(".npz")
        footage.clip = read_arrays(where)
        footage.notes.append(f"landmarks of {path.stem}.npz, beside it")
    _fit(footage, where)
    return footage


def read_clip_or_face(path: Path) -> LandmarkClip:
    """Landmarks of an ``.npz`` or of one text.

    Raises:
        UserError: the file cannot be read or holds something else.
    """
    if path.suffix.lower() == ".txt":
        return LandmarkClip(read_text(path)[None], np.ones(1, dtype=bool))
    if not path.is_file():
        raise UserError(f"{path}: no such landmark file, pass an .npz or a .txt of 68 lines x,y")
    return read_arrays(path)


def _read_clip(path: Path) -> LandmarkClip:
    if not path.is_dir():
        return read_clip_or_face(path)
    texts = _named(path, (".txt",))
    if not texts:
        raise UserError(f"{path}: holds neither pictures nor landmarks, pass {FORMATS}")
    landmarks = np.stack([read_text(text) for text in texts])
    return LandmarkClip(landmarks, np.ones(len(texts), dtype=bool))


def _fit(footage: Footage, where: Path) -> None:
    """Bring landmarks to the pictures they are used with; refuses those of other pictures."""
    clip, info = footage.clip, footage.info
    if clip is None or info is None:
        return
    if footage.video is None:
        if len(footage.files) != len(clip.landmarks):
            raise _of_other_pictures(footage, where, f"{len(footage.files)} pictures")
    else:
        reader = read_video(footage.video)
        clip = clip.at(_frames_of(footage, reader, where))
        footage.info = replace(info, frames=len(clip.landmarks))
        footage.notes += reader.notes
    footage.clip = in_pictures(clip, info.size, where)


def _frames_of(footage: Footage, reader: VideoReader, where: Path) -> list[int]:
    """For each frame that the reader gives, the number of its landmarks."""
    assert footage.clip is not None
    known = len(footage.clip.landmarks)
    places = reader.places()
    if known == len(places):
        return list(range(known))
    whole = reader.info.frames or 0  # by the header, also where the file breaks off
    if known == reader.stored or (reader.broken and known == whole):
        if len(places) != reader.stored:
            footage.notes.append(
                f"landmarks of the {known} stored frames, put on the constant rate"
            )
        return places
    holds = f"{len(places)} frames"
    if len(places) != reader.stored:
        holds += f" ({reader.stored} stored ones, of variable rate)"
    if reader.broken:
        holds += " before it breaks off"
    raise _of_other_pictures(footage, where, holds)


def _of_other_pictures(footage: Footage, where: Path, holds: str) -> UserError:
    assert footage.clip is not None
    return UserError(
        f"{where}: holds landmarks of {len(footage.clip.landmarks)} frames, "
        f"{footage.video or footage.path} has {holds}; pass those of this clip"
    )


def _named(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Files of a folder in the order of their names, numbers by their value."""
    found = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and not path.name.startswith(".")
    ]
    return sorted(found, key=lambda path: natural_order(path.name))


def _wxh(size: tuple[int, ...]) -> str:
    return f"{size[1]}x{size[0]}"
