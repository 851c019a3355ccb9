"""Any frames of a video, in any order: by decord, by PyAV where decord is missing or fails.

Frames are counted as they are stored, in the order of their presentation times, whatever the times
are; both backends give the same pixels.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from av import VideoFrame
from av.container import InputContainer
from av.error import FFmpegError

from gfla_video.utils.errors import UserError
from gfla_video.utils.notice import say_once
from gfla_video.utils.video import open_video, upright

Frames = npt.NDArray[np.uint8]

BACKENDS = ("auto", "decord", "pyav")


class ClipReader(Protocol):
    """A video open for random access.

    Attributes:
        path: the file.
        size: (H, W) as shown; a rotation tag is applied.
        fps: guessed constant frame rate, exact.
    """

    path: Path
    size: tuple[int, int]
    fps: Fraction

    def __len__(self) -> int: ...

    def frames(self, indices: Sequence[int]) -> Frames:
        """The frames of these numbers, uint8 ``[n, H, W, 3]`` RGB; any order, also repeated.

        Raises:
            IndexError: a number is negative or beyond the end.
            UserError: a frame cannot be decoded.
        """


@dataclass(frozen=True)
class _Header:
    size: tuple[int, int]
    fps: Fraction
    rotated: bool


def open_clip(path: Path | str, backend: str = "auto") -> ClipReader:
    """Open a video for random access.

    A reader holds an open file and serves one thread of one process; open another one elsewhere.

    Args:
        path: the video.
        backend: ``decord``, ``pyav``, or ``auto``: decord where it is installed and can read the
            file, else PyAV.

    Raises:
        UserError: no such file, no video, no frame in it, or the forced backend cannot read it.
    """
    path = Path(path)
    if backend not in BACKENDS:
        raise UserError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
    header = _look(path)
    if backend == "pyav":
        return _PyAVClip(path, header)
    decord = _import_decord(forced=backend == "decord")
    # decord mixes up the sides of turned pictures
    if decord is None or (backend == "auto" and header.rotated):
        return _PyAVClip(path, header)
    if header.rotated:
        raise UserError(f"{path}: decord does not read videos with a rotation tag, use pyav")
    try:
        reader = _DecordClip(path, header, decord)
    except (RuntimeError, decord.base.DECORDError) as error:
        reason = f"{path}: decord cannot open this video ({_first_line(error)})"
        if backend == "decord":
            raise UserError(f"{reason}, use pyav") from error
        say_once(f"{reason}, PyAV reads it")
        return _PyAVClip(path, header)
    return _PatientClip(reader) if backend == "auto" else reader


def _import_decord(forced: bool) -> ModuleType | None:
    try:
        import decord
    except ImportError as error:
        if forced:
            raise UserError(f"decord is not installed ({error}), use the backend pyav") from error
        say_once(f"decord is not installed ({error}); PyAV reads the videos, somewhat slower")
        return None
    return decord


def _look(path: Path) -> _Header:
    with open_video(path) as container:
        stream = container.streams.video[0]
        try:
            frame = next(container.decode(stream), None)
        except FFmpegError as error:
            raise UserError(f"{path}: no frame can be decoded ({error}); replace it") from error
        rate = stream.guessed_rate or stream.average_rate
        if frame is None or not rate:
            raise UserError(f"{path}: the video has no frame that can be decoded; replace it")
        height, width = upright(frame).shape[:2]
        return _Header((height, width), Fraction(rate), round(frame.rotation / 90) % 4 != 0)


class _Clip:
    """What both backends share."""

    def __init__(self, path: Path, header: _Header) -> None:
        self.path = path
        self.header = header
        self.size = header.size
        self.fps = header.fps

    def __len__(self) -> int:
        raise AssertionError("every backend counts its frames")

    def _checked(self, indices: Sequence[int]) -> list[int]:
        wanted = [int(index) for index in indices]
        for index in wanted:
            if not 0 <= index < len(self):
                raise IndexError(f"{self.path}: frame {index} of {len(self)}")
        return wanted


class _DecordClip(_Clip):
    def __init__(self, path: Path, header: _Header, decord: ModuleType) -> None:
        super().__init__(path, header)
        self.errors = (RuntimeError, decord.base.DECORDError)
        # One thread: the workers of a data loader are many already.
        self._reader: Any = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)

    def __len__(self) -> int:
        return len(self._reader)

    def frames(self, indices: Sequence[int]) -> Frames:
        wanted = self._checked(indices)
        if not wanted:
            return np.empty((0, *self.size, 3), dtype=np.uint8)
        distinct = sorted(set(wanted))
        try:
            found = self._reader.get_batch(distinct).asnumpy()
        except self.errors as error:
            raise UserError(
                f"{self.path}: decord cannot decode a frame ({_first_line(error)}); replace it"
            ) from error
        if len(distinct) == len(wanted) and distinct == wanted:
            return found
        return found[np.searchsorted(distinct, wanted)]


class _PatientClip(_Clip):
    """decord as long as it works, then PyAV, for the rest of this file."""

    def __init__(self, reader: _DecordClip) -> None:
        super().__init__(reader.path, reader.header)
        self._reader: _DecordClip | _PyAVClip = reader

    def __len__(self) -> int:
        return len(self._reader)

    def frames(self, indices: Sequence[int]) -> Frames:
        try:
            return self._reader.frames(indices)
        except UserError as error:
            if isinstance(self._reader, _PyAVClip):
                raise
            self._reader = _PyAVClip(self.path, self.header)
            say_once(f"{error}; PyAV reads it instead")
            return self._reader.frames(indices)


class _PyAVClip(_Clip):
    def __init__(self, path: Path, header: _Header) -> None:
        super().__init__(path, header)
        self._times, self._keys, self._timed = self._index()
        if not self._times:
            raise UserError(f"{path}: the video has no whole frame; replace it")

    def __len__(self) -> int:
        return len(self._times)

    def frames(self, indices: Sequence[int]) -> Frames:
        wanted = self._checked(indices)
        found: dict[int, np.ndarray] = {}
        if not wanted:
            return np.empty((0, *self.size, 3), dtype=np.uint8)
        try:
            self._decode(sorted({self._times[index] for index in wanted}), found)
        except FFmpegError as error:
            raise UserError(f"{self.path}: a frame cannot be decoded ({error})") from error
        lost = [index for index in wanted if self._times[index] not in found]
        if lost:
            raise UserError(f"{self.path}: frame {lost[0]} cannot be decoded; replace the video")
        return np.stack([found[self._times[index]] for index in wanted])

    def _index(self) -> tuple[list[int], list[int], bool]:
        """Presentation times of all frames and of those that decoding can start at, sorted.

        AVI files store no such times (FFmpeg guesses some, others after a seek): the frames get
        their numbers instead, and False.
        """
        times: list[int | None] = []
        keys = []
        with open_video(self.path) as container:
            timed = "avi" not in container.format.name
            try:
                for packet in container.demux(container.streams.video[0]):
                    if packet.size and not packet.is_corrupt:
                        times.append(packet.pts)
                        keys += [packet.pts] if packet.is_keyframe else []
            except FFmpegError as error:
                say_once(f"{self.path}: breaks off ({error}), its {len(times)} frames are used")
        if not timed or None in times:
            return list(range(len(times))), [], False
        return sorted(times), sorted(keys), True

    def _decode(self, times: list[int], found: dict[int, np.ndarray]) -> None:
        """Decode the frames at ``times`` (sorted); start anew where a later key frame is nearer."""
        rest = times[::-1]
        with open_video(self.path) as container:
            while rest:
                before, key = len(rest), self._key_before(rest[-1])
                if key is not None:
                    container.seek(key, stream=container.streams.video[0], backward=True)
                for number, frame in enumerate(_whole_frames(container)):
                    time = frame.pts if self._timed else number
                    while rest and time is not None and rest[-1] < time:
                        rest.pop()  # passed by: not decodable, the caller says so
                    if rest and rest[-1] == time:
                        found[rest.pop()] = upright(frame)
                    if not rest or self._key_before(rest[-1]) != key:
                        break
                if len(rest) == before:
                    return

    def _key_before(self, time: int) -> int | None:
        place = bisect_right(self._keys, time)
        return self._keys[place - 1] if place else None


def _whole_frames(container: InputContainer) -> Iterator[VideoFrame]:
    """Decode from where the container stands up to its end, or to where the file was cut off."""
    for packet in container.demux(container.streams.video[0]):
        if packet.is_corrupt:  # decoded, it would be half a picture or an error
            break
        yield from packet.decode()
    yield from container.streams.video[0].decode(None)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
