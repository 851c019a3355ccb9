"""The track of one face through a video: frames without it, jitter, and jumps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from gfla_video.detectors.faces import face_sizes

DISTANCE = 0.5  # of its size that a face may move from one frame to the next
GROWTH = 1.5  # times as large that it may become
_REACH = 3.0  # standard deviations of the smoothing kernel
_STILL = 0.008  # of a face's size: deviations up to about this are jitter, not motion


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


def distance_moved(old: np.ndarray, new: np.ndarray) -> float:
    """How far the middle of ``[68, 2]`` moved, in parts of the face's size (the larger one)."""
    size = max(float(face_sizes(old)), float(face_sizes(new)), 1e-6)
    return float(np.linalg.norm(new.mean(axis=0) - old.mean(axis=0))) / size


def within_reach(
    old: np.ndarray, new: np.ndarray, steps: int, distance: float = DISTANCE, growth: float = GROWTH
) -> bool:
    """Whether a face may have come from one place and size to another.

    Args:
        old: ``[68, 2]``.
        new: ``[68, 2]``.
        steps: frames from the one to the other.
        distance: how far its middle may go from one frame to the next, in parts of its size;
            over n frames, the square root of n times as far.
        growth: how much larger or smaller it may become, likewise.
    """
    sizes = sorted([float(face_sizes(old)), float(face_sizes(new))])
    reach = float(np.sqrt(steps))
    ratio = sizes[1] / max(sizes[0], 1e-6)
    return distance_moved(old, new) <= distance * reach and ratio <= growth**reach


def find_jumps(
    landmarks: np.ndarray, distance: float = DISTANCE, growth: float = GROWTH, gap: int = 10
) -> list[int]:
    """Frames at which a followed face is suddenly another one: a scene cut, another person.

    Args:
        landmarks: ``[T, 68, 2]``, NaN where there is no face.
        distance: see :func:`within_reach`.
        growth: see :func:`within_reach`.
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
        if not within_reach(landmarks[before], landmarks[now], steps, distance, growth):
            jumps.append(int(now))
    return jumps
