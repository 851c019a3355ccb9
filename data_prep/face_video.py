"""Frames out of raw videos, and cut faces into new ones, through PyAV."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError, InvalidDataError
from av.video.reformatter import Colorspace

CRF = 12  # of x264: hardly any loss, about 1.5 bits per pixel and second
_BT601 = 6  # in FFmpeg's tables of primaries, transfer and matrix


class VideoError(Exception):
    """A video that cannot be used, in one sentence."""


class InterruptedReadError(Exception):
    """The user ended the program while a video was read."""


@dataclass
class RawVideo:
    """A video to read from the start, as often as wanted.

    Attributes:
        path: of the file.
        fps: guessed constant rate, exact.
        is_over: asked before each frame; True ends the reading with :class:`InterruptedReadError`.
        broken: why reading ended early, where it did; known after the frames were read.
    """

    path: Path
    fps: Fraction
    is_over: Callable[[], bool] | None = None
    broken: str | None = None

    def frames(self) -> Iterator[np.ndarray]:
        """Yield the frames, uint8 ``[H, W, 3]`` RGB, upright; a broken end is left out and said."""
        self.broken = None
        with _opened(self.path) as container:
            for frame in self._decoded(container):
                if self.is_over is not None and self.is_over():
                    raise InterruptedReadError(f"{self.path}: reading was interrupted")
                picture = frame.to_ndarray(format="rgb24")
                turns = round(frame.rotation / 90) % 4
                yield np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture

    def _decoded(self, container: av.container.InputContainer) -> Iterator[av.VideoFrame]:
        """The whole frames, with those that the decoder still holds where the file breaks off."""
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        packets, reason = 0, ""
        expected = len(stream.index_entries)  # all frames in mp4, fewer or none elsewhere
        try:
            for packet in container.demux(stream):
                if packet.is_corrupt:  # cut in two: decoded, it would be half a picture
                    reason = "within a frame"
                    break
                if not packet.size:
                    break
                packets += 1
                yield from packet.decode()
        except FFmpegError as error:
            reason = _plain(error)
        try:
            yield from stream.decode(None)
        except FFmpegError as error:  # after one error the rest may be unreadable, too
            reason = reason or _plain(error)
        if not reason and packets < expected:
            reason = "between two frames"
        if reason:
            self.broken = f"the file breaks off ({reason}), its whole frames were used"


def open_raw(path: Path, is_over: Callable[[], bool] | None = None) -> RawVideo:
    """Read what a video's header says; raises :class:`VideoError` where it is no video."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        rate = stream.guessed_rate or stream.average_rate
        if not rate:
            raise VideoError("says no frame rate")
        return RawVideo(path, Fraction(rate), is_over)


@contextlib.contextmanager
def clip_writer(
    path: Path, fps: Fraction, size: tuple[int, int], crf: int = CRF, threads: int = 0
) -> Iterator["ClipWriter"]:
    """Open an H.264 mp4 of ``size`` (H, W; even) at an exact rate, closed at the end.

    ``threads`` of x264: 0 = as many as suit; with 1 the bytes are the same on every machine.
    """
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        # Without mbtree: with it one clip in some hundred came out with other bytes.
        stream.options = {"crf": str(crf), "threads": str(threads), "mbtree": "0"}
        context = stream.codec_context
        context.time_base = 1 / fps
        context.colorspace = context.color_primaries = context.color_trc = _BT601
        writer = ClipWriter(container, stream, fps)
        yield writer
        if writer.frames:
            container.mux(stream.encode(None))


@dataclass
class ClipWriter:
    """Takes the frames of one mp4, in order."""

    container: av.container.OutputContainer
    stream: av.VideoStream
    fps: Fraction
    frames: int = 0

    def write(self, picture: np.ndarray) -> None:
        """Append uint8 ``[H, W, 3]`` RGB."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU601)
        frame.pts, frame.time_base = self.frames, 1 / self.fps
        self.container.mux(self.stream.encode(frame))
        self.frames += 1


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[av.container.InputContainer]:
    try:
        container = av.open(str(path))
    except InvalidDataError as error:
        if not path.stat().st_size:
            raise VideoError("is empty (0 bytes), copy it again") from error
        said = "is not a video that FFmpeg can read, or it was cut off, copy it again"
        raise VideoError(f"{said} ({_plain(error)})") from error
    except (FFmpegError, ValueError) as error:
        raise VideoError(f"cannot be opened ({_plain(error)})") from error
    with container:
        if not container.streams.video:
            raise VideoError("holds no video stream, or it was cut off, copy it again")
        yield container


def _plain(error: Exception) -> str:
    """What an error says, without its number and the path, which those who report it name."""
    return getattr(error, "strerror", None) or str(error)
