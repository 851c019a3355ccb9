"""Writing a clip with sound: H.264 and AAC in an mp4, the same bytes for the same pictures."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from data_prep.face_video import clip_writer

SOUND_RATE, SOUND_BITS = 24000, 48000  # per second
CRF = 14  # of x264


def voice(opening: Sequence[float], fps: Fraction, pitch: float) -> NDArray[np.float32]:
    """A humming tone [N], `SOUND_RATE` samples per second, as loud as the mouth is open.

    Args:
        opening: of the mouth in each frame, 0 to 1.
        fps: frames per second.
        pitch: the tone's frequency, hertz.
    """
    seconds = np.arange(int(len(opening) * SOUND_RATE / fps)) / SOUND_RATE
    loud = np.interp(seconds * float(fps), np.arange(len(opening)), opening)
    phase = 2 * np.pi * pitch * np.cumsum(1 + 0.15 * loud) / SOUND_RATE
    tones = [np.sin(k * phase) * 0.6**k * (1 + 0.8 * loud * (k > 2)) for k in range(1, 6)]
    return (0.35 * loud * np.sum(tones, axis=0)).astype(np.float32)


def write_film(
    path: Path, frames: Sequence[NDArray[np.uint8]], fps: Fraction, sound: NDArray[np.float32]
) -> None:
    """Write uint8 frames [H,W,3] (even sides) and their sound [N] to an mp4."""
    with clip_writer(path, fps, frames[0].shape[:2], CRF, threads=1) as film:
        audio = film.container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        audio.bit_rate = SOUND_BITS
        for frame in frames:
            film.write(frame)
        heard = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
        heard.sample_rate, heard.pts, heard.time_base = SOUND_RATE, 0, Fraction(1, SOUND_RATE)
        film.container.mux(audio.encode(heard))
        film.container.mux(audio.encode(None))
