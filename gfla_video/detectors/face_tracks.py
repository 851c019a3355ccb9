"""One face through a video: which of several, frames without one, and jitter."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from gfla_video.detectors.faces import NUM_POINTS, face_sizes

_NAMED = 5  # runs of frames that a sentence names
_REACH = 3.0  # standard deviations of the smoothing kernel
_STILL = 0.008  # of a face's size: deviations up to about this are jitter, not motion


def follow_one_face(detections: Iterable[np.ndarray]) -> tuple[np.ndarray, list[str]]:
    """Follow one face: the largest of the first frame that has one, then the nearest each time.

    Args:
        detections: per frame, float32 ``[N, 68, 2]``, the largest face first; read one at a time.

    Returns:
        Landmarks ``[T, 68, 2]`` float32, NaN in frames without a face, and sentences about
        frames with several faces and frames with none.
    """
    track: list[np.ndarray] = []
    several, missing = [], []
    last: np.ndarray | None = None
    for index, faces in enumerate(detections):
        if not len(faces):
            missing.append(index)
            track.append(np.full((NUM_POINTS, 2), np.nan, np.float32))
            continue
        if len(faces) > 1:
            several.append(index)
        if last is None:
            chosen = 0
        else:
            away = np.linalg.norm(faces.mean(axis=1) - last.mean(axis=0), axis=-1)
            chosen = int(away.argmin())
        last = np.asarray(faces[chosen], np.float32)
        track.append(last)
    if not track:
        return np.zeros((0, NUM_POINTS, 2), np.float32), []
    landmarks = np.stack(track)
    notes = []
    if several:
        notes.append(
            f"{len(several)} of {len(track)} frames show several faces, the one that is largest "
            f"in frame {_first_found(landmarks)} is followed"
        )
    if missing:
        notes.append(f"{len(missing)} of {len(track)} frames have no face ({_runs(missing)})")
    return landmarks, notes


def found_frames(landmarks: np.ndarray) -> np.ndarray:
    """Which frames of ``[T, 68, 2]`` have a face: bool ``[T]``."""
    return np.isfinite(landmarks).all(axis=(1, 2))


def fill_missing(landmarks: np.ndarray, mode: str = "hold") -> np.ndarray:
    """Give frames without a face the landmarks of their neighbours.

    Args:
        landmarks: ``[T, 68, 2]``, NaN where there is no face.
        mode: ``hold`` repeats the face before (frames before the first face get the first one),
            ``interpolate`` goes in a straight line from the face before to the one after.

    Returns:
        float32 ``[T, 68, 2]`` without NaN.

    Raises:
        ValueError: an unknown mode, or no frame has a face.
    """
    if mode not in ("hold", "interpolate"):
        raise ValueError(f"mode must be hold or interpolate, not {mode!r}")
    found = np.flatnonzero(found_frames(landmarks))
    if not len(found):
        raise ValueError("no frame has a face")
    times = np.arange(len(landmarks))
    after = np.searchsorted(found, times, side="right")
    before = found[np.maximum(after - 1, 0)]
    if mode == "hold":
        return landmarks[before].astype(np.float32)
    later = found[np.minimum(after, len(found) - 1)]
    gap = np.maximum(later - before, 1)
    part = np.clip((times - before) / gap, 0, 1)[:, None, None]
    return (landmarks[before] * (1 - part) + landmarks[later] * part).astype(np.float32)


def smooth(landmarks: np.ndarray, strength: float) -> np.ndarray:
    """Take the jitter out of landmarks, and leave their motion.

    A Gaussian over time gives a steady path. Each point goes to it as far as it deviates by no
    more than jitter does; a point that deviates more is moving (a blink, a word) and stays.

    Args:
        landmarks: ``[T, 68, 2]``; frames with NaN stay NaN and count for nothing.
        strength: standard deviation of the Gaussian in frames; 0 = unchanged.

    Returns:
        float32 ``[T, 68, 2]``.

    Raises:
        ValueError: a negative strength.
    """
    if strength < 0:
        raise ValueError(f"the strength of smoothing cannot be negative, got {strength}")
    found = found_frames(landmarks)
    if strength == 0 or found.sum() < 2:
        return np.asarray(landmarks, np.float32).copy()
    values = np.where(found[:, None, None], landmarks, 0).astype(np.float64)
    reach = max(1, int(np.ceil(_REACH * strength)))
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / strength) ** 2)
    total, weight = np.zeros_like(values), np.zeros(len(values))
    for offset, value in zip(offsets, kernel, strict=True):
        if abs(offset) >= len(values):
            continue
        # Only pairs that lie symmetrically in the clip: a one-sided mean would lag at its ends.
        to = slice(abs(offset), len(values) - abs(offset))
        source = slice(to.start + offset, to.stop + offset)
        opposite = slice(to.start - offset, to.stop - offset)
        both = found[source] & found[opposite]
        total[to] += value * both[:, None, None] * values[source]
        weight[to] += value * both
    steady = total / np.maximum(weight, 1e-12)[:, None, None]
    still = _STILL * max(strength, 1.0) * float(np.median(face_sizes(landmarks[found])))
    moved = ((values - steady) ** 2).sum(axis=-1, keepdims=True)
    kept = moved / (moved + still**2)
    result = steady + (values - steady) * kept
    result[~found] = np.nan
    return result.astype(np.float32)


def find_jumps(
    landmarks: np.ndarray, distance: float = 0.5, growth: float = 1.5, gap: int = 10
) -> list[int]:
    """Frames at which a followed face is suddenly another one: a scene cut, another person.

    Args:
        landmarks: ``[T, 68, 2]``, NaN where there is no face.
        distance: how far its middle may go from one frame to the next, in parts of its size;
            over a gap of n frames, the square root of n times as far.
        growth: how much larger or smaller it may become, likewise.
        gap: after this many frames without a face it may reappear anywhere.

    Returns:
        Indices of the first frames after a jump.
    """
    found = np.flatnonzero(found_frames(landmarks))
    jumps = []
    for before, now in pairwise(found):
        steps = now - before
        if steps > gap:
            continue
        old, new = landmarks[before], landmarks[now]
        sizes = face_sizes(old), face_sizes(new)
        away = float(np.linalg.norm(new.mean(axis=0) - old.mean(axis=0)))
        ratio = max(sizes) / max(min(sizes), 1e-6)
        reach = float(np.sqrt(steps))
        if away > distance * max(sizes) * reach or ratio > growth**reach:
            jumps.append(int(now))
    return jumps


def _first_found(landmarks: np.ndarray) -> int:
    return int(np.flatnonzero(found_frames(landmarks))[0])


def _runs(frames: list[int]) -> str:
    """``3, 7-9`` for [3, 7, 8, 9]; only the first few runs."""
    known = set(frames)
    starts = [index for index in frames if index - 1 not in known]
    ends = [index for index in frames if index + 1 not in known]
    runs = [str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True)]
    return ", ".join(runs[:_NAMED]) + (", ..." if len(runs) > _NAMED else "")
