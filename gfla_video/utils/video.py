"""Reading and writing video through PyAV, one frame at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import Colorspace

from gfla_video.utils.errors import UserError
from gfla_video.utils.files import ensure_writable_folder
from gfla_video.utils.sound import SoundTrack, open_media

T = TypeVar("T")

_CODEC = "libx264"
_JITTER = Fraction(3, 4)  # of a frame
_BT601 = 6  # SMPTE 170M in FFmpeg's tables of primaries, transfer and matrix


@dataclass(frozen=True)
class VideoInfo:
    """What a video's header says.

    Attributes:
        fps: guessed constant frame rate, exact.
        size: height and width as shown (a rotation tag is applied).
        frames: number of frames where the container knows it, else an estimate or None.
        start: presentation time of the first frame in seconds, by which the sound is matched.
    """

    fps: Fraction
    size: tuple[int, int]
    frames: int | None
    start: Fraction = Fraction(0)


class VideoWriter:
    """Streamed H.264 (yuv420p) mp4 at an exact frame rate.

    Frames go to ``<stem>.partial.mp4`` beside the target, which takes the target's name when the
    ``with`` block ends well. After an error or Ctrl-C the partial file is closed properly (it
    plays) and stays; an older target is never touched. Memory does not grow with the length.

    Args:
        path: target, ``.mp4``.
        fps: frame rate; written as the stream's time base, so 30000/1001 stays that.
        size: height and width of the frames. H.264's yuv420p needs even sides: an odd side gets
            its last row or column once more, and :attr:`note` says so.
        crf: quality of x264, lower is better.
        sound: file whose sound goes along, from the moment of its first picture on, as far as the
            frames reach (see :class:`SoundTrack`; a file without sound gives none).

    Raises:
        UserError: not an mp4 name, the folder cannot be written, or the sound cannot be read.
    """

    def __init__(
        self,
        path: Path | str,
        fps: Fraction,
        size: tuple[int, int],
        crf: int = 18,
        sound: Path | None = None,
    ) -> None:
        self.path = Path(path)
        self.fps = Fraction(fps)
        self.size = size
        self.partial = check_video_target(self.path)
        self.frames = 0
        height, width = size
        self._padding = ((0, height % 2), (0, width % 2), (0, 0))
        padded = (height + height % 2, width + width % 2)
        self.note = "" if padded == size else _padding_note(size, padded)
        try:
            self._container = av.open(
                str(self.partial), "w", format="mp4", options={"movflags": "+faststart"}
            )
            self._stream = self._container.add_stream(_CODEC, rate=self.fps)
        except (FFmpegError, ValueError) as error:
            raise UserError(
                f"{self.partial}: the mp4 cannot be started ({error}); PyAV with {_CODEC} is needed"
            ) from error
        self._stream.height, self._stream.width = padded
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"crf": str(crf)}
        context = self._stream.codec_context
        context.time_base = 1 / self.fps
        context.colorspace = context.color_primaries = context.color_trc = _BT601
        self.sound = None if sound is None else SoundTrack(sound, self._container, _start(sound))

    def write(self, frame: np.ndarray) -> None:
        """Append one picture, uint8 ``[H, W, 3]`` RGB."""
        if frame.shape != (*self.size, 3) or frame.dtype != np.uint8:
            raise ValueError(
                f"a frame must be uint8 {(*self.size, 3)}, got {frame.dtype} {frame.shape}"
            )
        padded = np.pad(frame, self._padding, mode="edge") if self.note else frame
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), format="rgb24")
        picture = picture.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU601)
        picture.pts, picture.time_base = self.frames, 1 / self.fps
        self._container.mux(self._stream.encode(picture))
        self.frames += 1
        self._write_sound()

    def _write_sound(self) -> None:
        if self.sound is not None:
            for packet in self.sound.until(self.frames / self.fps):
                self._container.mux(packet)

    def close(self, complete: bool = True) -> None:
        """End the file; with ``complete`` and at least one frame it takes the target's name."""
        if self.frames:
            self._container.mux(self._stream.encode(None))
        if self.sound is not None:
            self.sound.close()
        self._container.close()
        if not self.frames:
            self.partial.unlink(missing_ok=True)
        elif complete:
            os.replace(self.partial, self.path)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(complete=kind is None)


def check_video_target(path: Path | str) -> Path:
    """Prove before the work that a video can be written to ``path``; give its partial name.

    Raises:
        UserError: not an ``.mp4`` name, a folder of that name, or a folder that can't be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".mp4":
        raise UserError(f"{path}: the result is an mp4, give it a name that ends in .mp4")
    if path.is_dir():
        raise UserError(f"{path}: is a folder, give the result the name of a file")
    ensure_writable_folder(path.parent)
    return path.with_name(f"{path.stem}.partial.mp4")


def _padding_note(size: tuple[int, int], padded: tuple[int, int]) -> str:
    return (
        f"padded from {size[1]}x{size[0]} to {padded[1]}x{padded[0]} (width x height), "
        "as yuv420p needs even sides"
    )


class VideoReader:
    """RGB frames of a video, decoded while they are iterated over, at a constant rate.

    Frames are placed by their presentation times on the grid of :attr:`fps` (the guessed rate):
    where a clip of variable rate skips a place, the frame before is repeated, and of two frames
    for one place the first is kept, so that the time line stays that of the clip (AVI files have
    no such times: there every frame takes one place). A rotation tag
    (telephones) is applied. Where the file breaks off, its whole frames are given. It can be
    iterated over again; :attr:`notes` tells of the last time.

    Raises:
        UserError: no such file, no video in it, or no whole frame.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.info = probe(self.path)
        self.fps = self.info.fps
        self.size = self.info.size
        self.stored = 0
        self.repeated = 0
        self.dropped = 0
        self.broken: list[str] = []

    @property
    def notes(self) -> list[str]:
        """Sentences on what was not as it should be, known when all frames were read."""
        notes = list(self.broken)
        if self.repeated or self.dropped:
            notes.append(
                f"variable frame rate: {self.repeated} frames repeated, {self.dropped} left out"
            )
        return notes

    def __iter__(self) -> Iterator[np.ndarray]:
        self.broken = []
        with open_video(self.path) as container:
            timed = _is_timed(container)
            frames = _decode(container, self.path, self.broken)
            yield from self._placed(
                (_time(frame) if timed else None, upright(frame)) for frame in frames
            )

    def places(self) -> list[int]:
        """The number of the stored frame at each place of the grid, in the frames' order.

        Its length is the number of frames that iterating gives; :attr:`notes` are known, too, and
        :attr:`stored` is the number of whole frames in the file. Only a file that breaks off, or
        has no times, is decoded for it.
        """
        self.broken = []
        times: list[Fraction | None] = []
        with open_video(self.path) as container:
            timed = _is_timed(container)
            if timed:
                times = _packet_times(container, self.path, self.broken)
        if self.broken or not timed or None in times:
            self.broken = []
            with open_video(self.path) as container:
                frames = _decode(container, self.path, self.broken)
                times = [_time(frame) if timed else None for frame in frames]
        self.stored = len(times)
        return list(self._placed(zip(times, range(len(times)), strict=True)))

    def _placed(self, items: Iterable[tuple[Fraction | None, T]]) -> Iterator[T]:
        """Items on the grid by their times in seconds; those without one take the next place."""
        self.repeated = self.dropped = 0
        place = 0  # the next free place on the grid
        first: Fraction | None = None
        previous: T | None = None
        for time, item in items:
            if time is None:
                wanted = place
            else:
                first = time if first is None else first
                exact = (time - first) * self.fps
                # times that jitter must not cost a frame here and double one there
                wanted = place if abs(exact - place) < _JITTER else round(exact)
            if wanted < place:
                self.dropped += 1
                continue
            held = item if previous is None else previous
            for _ in range(wanted - place):
                self.repeated += 1
                yield held
            yield item
            place, previous = wanted + 1, item


def read_video(path: Path | str) -> VideoReader:
    """Open a video; iterate over the result for uint8 ``[H, W, 3]`` RGB frames."""
    return VideoReader(path)


def probe(path: Path | str) -> VideoInfo:
    """Read a video's rate, size and length, decoding its first frame only.

    Raises:
        UserError: no such file, not a video, or nothing in it can be decoded.
    """
    path = Path(path)
    with open_video(path) as container:
        stream = container.streams.video[0]
        rate = stream.guessed_rate or stream.average_rate
        if not rate:
            raise UserError(f"{path}: the video says no frame rate, convert it to mp4 first")
        count = stream.frames or None
        if count is None and container.duration:
            count = round(Fraction(container.duration, av.time_base) * rate)
        first = next(_decode(container, path, []), None)
        if first is None:
            raise UserError(f"{path}: no frame of the video can be decoded, pass another file")
        height, width = upright(first).shape[:2]
        start = (_is_timed(container) and _time(first)) or Fraction(0)
    return VideoInfo(Fraction(rate), (height, width), count, start)


def _start(path: Path) -> Fraction:
    """When the pictures of a file begin; 0 where it has none (a recording of sound alone)."""
    with open_media(path) as container:
        has_pictures = bool(container.streams.video)
    return probe(path).start if has_pictures else Fraction(0)


def open_video(path: Path) -> av.container.InputContainer:
    """Open a file that holds pictures; close the container, best by ``with``.

    Raises:
        UserError: no such file, not a video, or no video stream in it.
    """
    container = open_media(path)
    if not container.streams.video:
        container.close()
        raise UserError(f"{path}: holds no video stream, pass a video")
    return container


def _decode(
    container: av.container.InputContainer, path: Path, broken: list[str]
) -> Iterator[av.VideoFrame]:
    """The whole frames; ``broken`` gets a sentence where the file breaks off before its end."""
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    frames = 0
    reasons: list[str] = []
    try:
        for packet in _whole_packets(container, reasons):
            for frame in packet.decode():
                frames += 1
                yield frame
    except FFmpegError as error:
        reasons.append(str(error))
    for frame in _rest(stream):
        frames += 1
        if not reasons:  # where a frame between them is lost, they follow each other
            frame.time_base = stream.time_base
        yield frame
    _say_breaks(path, stream, frames, reasons, broken)


def _packet_times(
    container: av.container.InputContainer, path: Path, broken: list[str]
) -> list[Fraction | None]:
    """When each whole frame is shown, in that order, without decoding; ``broken`` as above.

    Frames that an edit list leaves out are no frames.
    """
    stream = container.streams.video[0]
    reasons: list[str] = []
    packets = _whole_packets(container, reasons)
    times = [_time(packet) for packet in packets if not packet.is_discard]
    _say_breaks(path, stream, len(times), reasons, broken)
    return times if None in times else sorted(times)  # type: ignore[type-var]


def _whole_packets(
    container: av.container.InputContainer, reasons: list[str]
) -> Iterator[av.Packet]:
    """Packets up to the end, or to where the file breaks off: ``reasons`` then gets the reason."""
    stream = container.streams.video[0]
    expected = len(stream.index_entries)  # all frames in mp4, fewer or none elsewhere
    packets = 0
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:  # cut in two: decoded, it would be half a picture
                reasons.append("cut off within a frame")
                return
            if not packet.size:
                break
            packets += 1
            yield packet
    except FFmpegError as error:
        reasons.append(str(error))
        return
    if packets < expected:
        reasons.append("cut off between two frames")


def _say_breaks(
    path: Path, stream: av.VideoStream, frames: int, reasons: list[str], broken: list[str]
) -> None:
    if reasons:
        of = f" of {stream.frames}" if stream.frames > frames else ""
        broken.append(
            f"{path.name} breaks off ({reasons[0]}): its {frames}{of} whole frames are used, "
            "re-encode or fetch it again for the rest"
        )


def _rest(stream: av.VideoStream) -> list[av.VideoFrame]:
    """What the decoder still holds; after an error that may be unreadable, too."""
    try:
        return list(stream.decode(None))
    except FFmpegError:  # the break has been noticed already, or is by the count of frames
        return []


def _is_timed(container: av.container.InputContainer) -> bool:
    return "avi" not in container.format.name  # AVI stores no presentation times


def _time(item: av.VideoFrame | av.Packet) -> Fraction | None:
    if item.pts is None or item.time_base is None:
        return None
    return Fraction(item.pts * item.time_base)


def upright(frame: av.VideoFrame) -> np.ndarray:
    """A decoded frame as uint8 ``[H, W, 3]`` RGB, its rotation tag applied."""
    picture = frame.to_ndarray(format="rgb24")
    quarter_turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, quarter_turns)) if quarter_turns else picture
