"""Clips with sound: rate, length, codec, loudness, quality."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from data_prep.heads.film import SOUND_RATE, voice, write_film

FPS = Fraction(25)


def test_voice_is_as_loud_as_the_mouth_is_open() -> None:
    opening = [0.0] * 10 + [1.0] * 10 + [0.4] * 10
    sound = voice(opening, FPS, 150.0)
    assert len(sound) == 30 * SOUND_RATE / 25
    per_frame = np.sqrt(np.square(sound.reshape(30, -1)).mean(1))
    assert per_frame[:9].max() == 0
    assert per_frame[11:19].min() > 2 * per_frame[21:29].max() > 0
    assert np.abs(sound).max() <= 1.0
    spectrum = np.abs(np.fft.rfft(sound[9600:19200]))
    peak = np.argmax(spectrum) * SOUND_RATE / 9600
    assert peak % (150 * 1.15) == pytest.approx(0, abs=4)  # the tone or one of its overtones


def test_film_keeps_pictures_rate_and_lengths(tmp_path: Path) -> None:
    y, x = np.mgrid[:64, :96]
    frames = [
        np.stack([128 + 80 * np.sin((x + 3 * t) / 9), 60 + y * 2, 0 * x + 90], -1).astype(np.uint8)
        for t in range(12)
    ]
    sound = voice(np.linspace(0, 1, 12).tolist(), FPS, 200.0)
    write_film(tmp_path / "a.mp4", frames, FPS, sound)
    write_film(tmp_path / "b.mp4", frames, FPS, sound)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    with av.open(str(tmp_path / "a.mp4")) as film:
        video, audio = film.streams.video[0], film.streams.audio[0]
        assert video.average_rate == FPS
        assert (video.codec.name, audio.codec.name) == ("h264", "aac")
        assert abs(float(audio.duration * audio.time_base) - 12 / 25) < 1 / 25
        seen = [frame.to_ndarray(format="rgb24") for frame in film.decode(video)]
    with av.open(str(tmp_path / "a.mp4")) as film:
        heard = np.concatenate([f.to_ndarray()[0] for f in film.decode(audio=0)])
    assert len(seen) == 12
    error = np.abs(np.stack(seen).astype(float) - np.stack(frames)).mean()
    assert error < 3.0
    thirds = np.array_split(np.abs(heard), 3)
    assert thirds[0].mean() < thirds[1].mean() < thirds[2].mean()
