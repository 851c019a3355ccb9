"""The best and the worst samples of an evaluation, kept in bounded memory."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from gfla_video.visualization import Picture

Panels = Mapping[str, Picture]


@dataclass(frozen=True)
class KeptSample:
    """One sample of a report.

    Attributes:
        name: of the sample.
        score: what it was kept for.
        panels: by title; pictures uint8 ``[H, W, 3]``, or clips ``[T, H, W, 3]``.
    """

    name: str
    score: float
    panels: dict[str, Picture]


@dataclass(frozen=True)
class ReportSamples:
    """What a report shows of the single samples.

    Attributes:
        score: the name of what they were ordered by.
        best: the best first.
        worst: the worst first; no sample is in both.
        count: how many were looked at.
    """

    score: str
    best: tuple[KeptSample, ...]
    worst: tuple[KeptSample, ...]
    count: int


class SampleKeeper:
    """Keeps the best and the worst samples by a score, never more than these.

    Args:
        best: how many of the best.
        worst: how many of the worst.
        score: the score's name, for people.
        higher_is_better: what "best" means.
        frames: of a clip no more than so many frames are kept, from its beginning; at 256x256 with
            8 moving panels, 24 of them take 38 MB.

    Raises:
        ValueError: a number below 0, or no frames.
    """

    def __init__(
        self,
        best: int = 8,
        worst: int = 8,
        score: str = "l1",
        higher_is_better: bool = False,
        frames: int = 24,
    ) -> None:
        if min(best, worst) < 0 or frames < 1:
            raise ValueError(f"cannot keep {best} best, {worst} worst samples, {frames} frames")
        self.best = best
        self.worst = worst
        self.score = score
        self.higher_is_better = higher_is_better
        self.frames = frames
        self.count = 0
        # by "badness", the smallest first: the score, or its negative where higher is better
        self._least: list[tuple[float, int, KeptSample]] = []
        self._most: list[tuple[float, int, KeptSample]] = []

    def add(self, name: str, score: float, panels: Panels | Callable[[], Panels]) -> None:
        """Look at one sample.

        Args:
            name: of the sample.
            score: one that is not finite is counted, but never kept.
            panels: title to uint8 ``[H, W, 3]``, or ``[T, H, W, 3]`` of a clip; or a function that
                makes them, called only where the sample is kept.
        """
        self.count += 1
        if not math.isfinite(score):
            return
        badness = -score if self.higher_is_better else score
        good = len(self._least) < self.best or (self.best and badness < self._least[-1][0])
        bad = len(self._most) < self.worst or (self.worst and badness > self._most[0][0])
        if not good and not bad:
            return
        made = panels() if callable(panels) else panels
        # copies: a kept frame must not hold a whole clip, or a caller's buffer
        kept = KeptSample(name, score, {title: self._cut(p) for title, p in made.items()})
        entry = (badness, self.count, kept)  # the count keeps equals in order
        if good:
            bisect.insort(self._least, entry)
            del self._least[self.best :]
        if bad:
            bisect.insort(self._most, entry)
            del self._most[: max(0, len(self._most) - self.worst)]

    def _cut(self, picture: Picture) -> Picture:
        return np.array(picture[: self.frames] if picture.ndim == 4 else picture)

    def samples(self) -> ReportSamples:
        """What is kept now; of few samples each is in one of the lists, by their proportion."""
        every = sorted({entry[1]: entry for entry in (*self._least, *self._most)}.values())
        best, worst = self.best, self.worst
        if len(every) < best + worst:
            best = math.ceil(len(every) * best / (best + worst))
            worst = len(every) - best
        ordered = [sample for _, _, sample in every]
        return ReportSamples(
            self.score,
            tuple(ordered[:best]),
            tuple(reversed(ordered[len(ordered) - worst :])),
            self.count,
        )
