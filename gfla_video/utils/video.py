"""Reading and writing video through PyAV, one frame at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import Colorspace

from gfla_video.utils.errors import UserError
from gfla_video.utils.files import ensure_writable_folder

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
    """

    fps: Fraction
    size: tuple[int, int]
    frames: int | None


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

    Raises:
        UserError: not an mp4 name, or the folder cannot be written.
    """

    def __init__(
        self, path: Path | str, fps: Fraction, size: tuple[int, int], crf: int = 18
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

    def close(self, complete: bool = True) -> None:
        """End the file; with ``complete`` and at least one frame it takes the target's name."""
        if self.frames:
            self._container.mux(self._stream.encode(None))
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
    (telephones) is applied. It can be iterated over again.

    Raises:
        UserError: no such file, no video in it, or it breaks off.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.info = probe(self.path)
        self.fps = self.info.fps
        self.size = self.info.size
        self.repeated = 0
        self.dropped = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        self.repeated = self.dropped = 0
        with _open(self.path) as container:
            place = 0  # the next free place on the grid
            first: Fraction | None = None
            previous: np.ndarray | None = None
            timed = "avi" not in container.format.name  # AVI stores no presentation times
            for frame in _decode(container, self.path):
                picture = _upright(frame)
                if not timed or frame.pts is None or frame.time_base is None:
                    wanted = place
                else:
                    time = frame.pts * frame.time_base
                    first = time if first is None else first
                    exact = (time - first) * self.fps
                    # times that jitter must not cost a frame here and double one there
                    wanted = place if abs(exact - place) < _JITTER else round(exact)
                if wanted < place:
                    self.dropped += 1
                    continue
                held = picture if previous is None else previous
                for _ in range(wanted - place):
                    self.repeated += 1
                    yield held
                yield picture
                place, previous = wanted + 1, picture


def read_video(path: Path | str) -> VideoReader:
    """Open a video; iterate over the result for uint8 ``[H, W, 3]`` RGB frames."""
    return VideoReader(path)


def probe(path: Path | str) -> VideoInfo:
    """Read a video's rate, size and length, decoding its first frame only.

    Raises:
        UserError: no such file, not a video, or nothing in it can be decoded.
    """
    path = Path(path)
    with _open(path) as container:
        stream = container.streams.video[0]
        rate = stream.guessed_rate or stream.average_rate
        if not rate:
            raise UserError(f"{path}: the video says no frame rate, convert it to mp4 first")
        count = stream.frames or None
        if count is None and container.duration:
            count = round(Fraction(container.duration, av.time_base) * rate)
        first = next(_decode(container, path), None)
        if first is None:
            raise UserError(f"{path}: no frame of the video can be decoded, pass another file")
        height, width = _upright(first).shape[:2]
    return VideoInfo(Fraction(rate), (height, width), count)


def _open(path: Path) -> av.container.InputContainer:
    if not path.is_file():
        raise UserError(f"{path}: no such video, check the path")
    try:
        container = av.open(str(path))
    except (FFmpegError, ValueError) as error:
        raise UserError(f"{path}: is not a video that FFmpeg can read ({error})") from error
    if not container.streams.video:
        container.close()
        raise UserError(f"{path}: holds no video stream, pass a video")
    return container


def _decode(container: av.container.InputContainer, path: Path) -> Iterator[av.VideoFrame]:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    try:
        yield from container.decode(stream)
    except FFmpegError as error:
        raise UserError(f"{path}: the video breaks off ({error}), re-encode or cut it") from error


def _upright(frame: av.VideoFrame) -> np.ndarray:
    picture = frame.to_ndarray(format="rgb24")
    quarter_turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, quarter_turns)) if quarter_turns else picture
