"""Random talk: the expressions and head poses of a clip."""

import numpy as np

from data_prep.heads.raster import Array
from data_prep.heads.rig import Face


def talk(rng: np.random.Generator, frames: int, fps: float, turn_most: float) -> list[Face]:
    """A clip of somebody who talks, looks about, blinks and turns the head."""
    seconds = np.arange(frames) / fps
    open_ = _syllables(rng, seconds)
    wide, round_ = _wander(rng, seconds, 1.6), _wander(rng, seconds, 1.9)
    yaw, pitch, roll = (_wander(rng, seconds, s) for s in (0.55, 0.7, 0.5))
    shift = np.stack([_wander(rng, seconds, 0.4) for _ in range(3)], 1) * (0.8, 0.5, 1.0)
    brow = np.clip(_wander(rng, seconds, 1.1), -0.4, 1)
    tilt, frown = 0.25 * _wander(rng, seconds, 0.8), np.clip(_wander(rng, seconds, 0.9), 0, 1)
    mood = rng.uniform(-0.25, 0.9)
    gaze_x, gaze_y = 14 * _wander(rng, seconds, 0.9), 7 * _wander(rng, seconds, 0.8)
    lids = _blinks(rng, seconds)
    found = []
    for t in range(frames):
        smile = float(np.clip(mood + 0.5 * wide[t], -0.35, 1.1))
        pucker = float(np.clip(round_[t], 0, 1)) * (0.3 + 0.7 * open_[t]) * (smile < 0.6)
        lid = float(np.clip(lids[t] + 0.18 * max(smile, 0), -0.1, 1))
        lift = 0.75 * brow[t]
        found.append(
            Face(
                jaw=float(17 * open_[t]),
                apart=float(np.clip(5 * open_[t], 0, 1)),
                smile=smile * (1 - 0.35 * open_[t]),
                pucker=pucker,
                brows=(float(lift + tilt[t]), float(lift - tilt[t])),
                frown=float(frown[t] * (lift < 0.2)),
                lids=(lid, lid),
                gaze=(float(gaze_x[t] - 0.3 * turn_most * yaw[t]), float(gaze_y[t])),
                yaw=float(turn_most * yaw[t]),
                pitch=float(0.45 * turn_most * pitch[t]),
                roll=float(0.35 * turn_most * roll[t]),
                shift=tuple(float(v) for v in shift[t]),
            )
        )
    return found


def _wander(rng: np.random.Generator, seconds: Array, rate: float) -> Array:
    """A smooth random path [T] within about -1 to 1; `rate` in swings per second."""
    out = np.zeros_like(seconds)
    for share, factor in ((0.75, 0.6), (0.45, 1.3), (0.2, 2.3)):
        phase, speed = rng.uniform(0, 2 * np.pi), rate * factor * rng.uniform(0.8, 1.2)
        out += share * np.sin(2 * np.pi * speed * seconds + phase)
    return np.clip(out, -1.15, 1.15)


def _syllables(rng: np.random.Generator, seconds: Array) -> Array:
    """Jaw opening [T] from 0 to 1: humps of speech with pauses."""
    out = np.zeros_like(seconds)
    at = -rng.uniform(0, 0.3)
    while at < seconds[-1]:
        length, height = rng.uniform(0.18, 0.36), rng.uniform(0.25, 1.0)
        out = np.maximum(out, height * np.sin(np.pi * np.clip((seconds - at) / length, 0, 1)) ** 2)
        at += length * rng.uniform(0.75, 1.0) + (rng.uniform(0.1, 0.4) if rng.random() < 0.2 else 0)
    return out


def _blinks(rng: np.random.Generator, seconds: Array) -> Array:
    """Closedness of the lids [T] from 0 to 1."""
    out = np.zeros_like(seconds)
    at = rng.uniform(0.1, 1.2)
    while at < seconds[-1] + 0.2:
        out = np.maximum(out, np.clip(1.35 - np.abs(seconds - at) / 0.11, 0, 1))
        at += rng.uniform(0.8, 3.0)
    return out
