"""Following one of several faces through a video, and never another one without saying so."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from gfla_video.detectors.face_tracks import distance_moved, within_reach
from gfla_video.detectors.faces import NUM_POINTS

_NAMED = 5  # runs of frames that a sentence names
_BESIDE = 0.5  # of a face's size: what is nearer to a face is that face, found twice


def follow_one_face(
    detections: Iterable[np.ndarray],
    gap: int = 25,
    is_cut: Callable[[int], bool] | None = None,
) -> tuple[np.ndarray, list[str]]:
    """Follow one face: the largest of the first frame that has one, then the same each time.

    The same is the nearest within the reach of :func:`find_jumps`, unless it goes on from where
    somebody else was seen. Where there is none the frame has no face, however many others it
    shows. After a long gap or a cut nobody knows who is who: the largest is followed anew.

    Args:
        detections: per frame, float32 ``[N, 68, 2]``, the largest face first; read one at a time.
        gap: after more than so many frames from one sight of the face to the next it is lost;
            about a second.
        is_cut: asked once a frame was read, by its index: whether the picture is another scene's.

    Returns:
        Landmarks ``[T, 68, 2]`` float32, NaN in frames without the face, and sentences about
        frames with several faces, with none, with others only, and where it was taken anew.
    """
    track: list[np.ndarray] = []
    several, missing, others = [], [], []
    follower = _Follower(gap)
    for index, faces in enumerate(detections):
        if is_cut is not None and is_cut(index):
            follower.forget()
        chosen = follower.choose(index, faces)
        if not len(faces):
            missing.append(index)
        elif chosen is None:
            others.append(index)
        if len(faces) > 1:
            several.append(index)
        nobody = np.full((NUM_POINTS, 2), np.nan, np.float32)
        track.append(nobody if chosen is None else np.asarray(faces[chosen], np.float32))
    if not track:
        return np.zeros((0, NUM_POINTS, 2), np.float32), []
    notes = []
    if several:
        notes.append(
            f"{len(several)} of {len(track)} frames show several faces, the one that is largest "
            f"in frame {follower.taken[0]} is followed"
        )
    if missing:
        notes.append(f"{len(missing)} of {len(track)} frames have no face ({_runs(missing)})")
    if others:
        notes.append(
            f"{len(others)} of {len(track)} frames show other faces than the one that is "
            f"followed ({_runs(others)})"
        )
    if follower.taken[1:]:
        notes.append(
            f"the largest face is followed anew from frame {_runs(follower.taken[1:])} on, after "
            f"a cut or more than {gap} frames without the one before: it may be another person"
        )
    return np.stack(track), notes


@dataclass
class _Follower:
    """Which face is the one that is followed.

    Attributes:
        gap: see :func:`follow_one_face`.
        taken: frames in which the largest face was taken.
        last: the followed face where it was seen last; None = the next one is to be taken.
        seen: frame of ``last``.
        others: the other faces where they were seen last, and when.
    """

    gap: int
    taken: list[int] = field(default_factory=list)
    last: np.ndarray | None = None
    seen: int = 0
    others: list[tuple[int, np.ndarray]] = field(default_factory=list)

    def forget(self) -> None:
        """The next frame has nothing to do with those before."""
        self.last, self.others = None, []

    def choose(self, index: int, faces: np.ndarray) -> int | None:
        """Number of the followed face among those of a frame, None where it is not there."""
        if index - self.seen > self.gap:
            self.forget()
        if not len(faces):
            return None
        claimed = self._claimed(faces)
        others = [i in claimed or self._is_other(face) for i, face in enumerate(faces)]
        if self.last is None:
            chosen: int | None = 0
            self.taken.append(index)
        else:
            chosen = self._nearest(index - self.seen, faces, others)
        if chosen is not None:
            self.last, self.seen = faces[chosen], index
        assert self.last is not None
        beside = [
            face
            for number, (face, is_other) in enumerate(zip(faces, others, strict=True))
            if number != chosen and (is_other or not _is_at(self.last, face))
        ]
        self._note(index, beside, chosen is not None)
        return chosen

    def _nearest(self, steps: int, faces: np.ndarray, others: list[bool]) -> int | None:
        assert self.last is not None
        near = {
            number: _pixels(self.last, face)
            for number, (face, is_other) in enumerate(zip(faces, others, strict=True))
            if not is_other and within_reach(self.last, face, steps)
        }
        return min(near, key=near.__getitem__) if near else None

    def _claimed(self, faces: np.ndarray) -> set[int]:
        """Faces that go on from others seen since the followed one was: they may pass over it."""
        claimed = set()
        for when, other in self.others:
            nearest = min(range(len(faces)), key=lambda i: _pixels(other, faces[i]))
            if when > self.seen and _is_at(other, faces[nearest]):
                claimed.add(nearest)
        return claimed

    def _is_other(self, face: np.ndarray) -> bool:
        """Whether it lies nearer to one of the others than to the followed face."""
        if self.last is None:
            return False
        own = _pixels(self.last, face)
        return any(_pixels(other, face) < own for _, other in self.others)

    def _note(self, index: int, beside: list[np.ndarray], is_seen: bool) -> None:
        """Keep where the others are now; one that is missed for some frames stays where it was."""
        assert self.last is not None
        kept = [
            (when, other)
            for when, other in self.others
            if index - when <= self.gap
            and not any(_is_at(other, face) for face in beside)
            and not (is_seen and _is_at(self.last, other))
        ]
        self.others = kept + [(index, face) for face in beside]


def _is_at(face: np.ndarray, other: np.ndarray) -> bool:
    return distance_moved(face, other) <= _BESIDE


def _pixels(face: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(face.mean(axis=0) - other.mean(axis=0)))


def _runs(frames: list[int]) -> str:
    """``3, 7-9`` for [3, 7, 8, 9]; only the first few runs."""
    known = set(frames)
    starts = [index for index in frames if index - 1 not in known]
    ends = [index for index in frames if index + 1 not in known]
    runs = [str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True)]
    return ", ".join(runs[:_NAMED]) + (", ..." if len(runs) > _NAMED else "")
