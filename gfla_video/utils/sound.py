"""The sound of a file, carried into an mp4 that is being written."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
from av.error import FFmpegError

from gfla_video.utils.errors import UserError

_CODEC = "aac"
_RATES = (48000, 44100, 32000, 24000, 22050, 16000, 11025, 8000)
_BIT_RATE = 128_000


def open_media(path: Path) -> av.container.InputContainer:
    """Open a file of pictures or sound for reading; the caller closes it.

    Raises:
        UserError: no such file, or not one that FFmpeg can read.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such video, check the path")
    try:
        return av.open(str(path))
    except (FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        if _is_mp4(path):
            reason += "; it may be cut off, an mp4 is read only with the index at its end"
        raise UserError(
            f"{path}: is not a video that FFmpeg can read ({reason}), pass another file"
        ) from error


def _is_mp4(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] == b"ftyp"


def has_sound(path: Path) -> bool:
    """Whether a file holds sound.

    Raises:
        UserError: no such file, or not one that FFmpeg can read.
    """
    with open_media(path) as container:
        return _stream(container) is not None


class SoundTrack:
    """Copies a file's first sound stream; what mp4 refuses is encoded anew as AAC.

    The sound is shifted so that ``start`` of the file becomes 0 of the mp4, as its first picture
    does. Packets are asked for as far as the pictures have come, so that memory stays constant and
    a clip that is broken off has its sound up to there; both end within half a packet (12 ms).

    Args:
        path: file with sound; without any, nothing is added.
        container: the mp4, before its first packet. The new stream is added to it.
        start: seconds.

    Attributes:
        note: one clause for the user on what was done.

    Raises:
        UserError: the file cannot be read.
    """

    def __init__(
        self, path: Path, container: av.container.OutputContainer, start: Fraction
    ) -> None:
        self.path = path
        self.start = start
        self.note = f"none, {path.name} has none"
        self._broken = ""
        self._input = open_media(path)
        self._packets: Iterator[av.Packet] = iter(())
        source = _stream(self._input)
        if source is None:
            return
        codec = source.codec_context.name
        if _mp4_takes(source):
            target = container.add_stream_from_template(source)
            self._packets = self._copied(source, target)
            self.note = f"copied from {path.name} ({codec})"
        else:
            target = _aac_stream(container, source)
            self._packets = self._transcoded(source, target)
            self.note = f"of {path.name} transcoded from {codec} to AAC"

    def until(self, seconds: Fraction) -> Iterator[av.Packet]:
        """Packets for the mp4 whose middle lies before ``seconds``, which were not given before."""
        for packet in self._packets:
            begin, end = _span(packet)
            if (begin + end) / 2 >= seconds:
                self._packets = chain([packet], self._packets)
                return
            if end >= 0:  # before the first picture; the decoder needs the packet that ends there
                yield packet

    def close(self) -> None:
        """Close the file that was read."""
        if self._broken:
            self.note += f", it breaks off there ({self._broken})"
        self._packets = iter(())
        self._input.close()

    def _copied(self, source: av.AudioStream, target: av.AudioStream) -> Iterator[av.Packet]:
        try:
            for packet in self._input.demux(source):
                if not packet.size or packet.is_corrupt:
                    return
                stamp = packet.dts if packet.pts is None else packet.pts
                if stamp is None:
                    continue
                packet.pts = packet.dts = stamp - round(self.start / packet.time_base)
                packet.stream = target
                yield packet
        except FFmpegError as error:
            self._broken = str(error)

    def _transcoded(self, source: av.AudioStream, target: av.AudioStream) -> Iterator[av.Packet]:
        try:
            for frame in self._input.decode(source):
                if frame.pts is not None:
                    frame.pts -= round(self.start / frame.time_base)
                yield from target.encode(frame)
        except FFmpegError as error:
            self._broken = str(error)
        yield from target.encode(None)


def _stream(container: av.container.InputContainer) -> av.AudioStream | None:
    return next((stream for stream in container.streams.audio if stream.codec_context), None)


def _mp4_takes(source: av.AudioStream) -> bool:
    """Whether a header can be written for the stream, tried in memory.

    Uncompressed sound is refused here: FFmpeg takes it into an mp4, but few players play that.
    """
    if source.codec_context.name.startswith("pcm_"):
        return False
    try:
        with av.open(io.BytesIO(), "w", format="mp4") as trial:
            trial.add_stream_from_template(source)
            trial.start_encoding()
    except (FFmpegError, ValueError):
        return False
    return True


def _aac_stream(container: av.container.OutputContainer, source: av.AudioStream) -> av.AudioStream:
    rate = next((rate for rate in _RATES if rate <= source.rate), _RATES[-1])
    layout = "mono" if source.channels == 1 else "stereo"
    stream = container.add_stream(_CODEC, rate=rate, layout=layout)
    stream.bit_rate = _BIT_RATE
    return stream


def _span(packet: av.Packet) -> tuple[Fraction, Fraction]:
    base = packet.time_base
    return packet.pts * base, (packet.pts + (packet.duration or 0)) * base
