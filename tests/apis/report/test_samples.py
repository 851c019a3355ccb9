"""Which samples a report keeps."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from gfla_video.apis.report import ReportSamples, SampleKeeper


def panels(value: int = 0) -> dict[str, np.ndarray]:
    return {"result": np.full((4, 4, 3), value, np.uint8)}


def names(samples: ReportSamples) -> tuple[list[str], list[str]]:
    return [s.name for s in samples.best], [s.name for s in samples.worst]


@pytest.mark.parametrize("higher_is_better", [False, True])
def test_the_best_and_the_worst_of_many(higher_is_better: bool) -> None:
    keeper = SampleKeeper(best=3, worst=2, higher_is_better=higher_is_better)
    scores = list(range(100))
    random.shuffle(scores)
    for score in scores:
        keeper.add(f"s{score}", score / 10, panels(score))
    samples = keeper.samples()
    low, high = ["s0", "s1", "s2"], ["s99", "s98", "s97"]
    best, worst = (high, low[:2]) if higher_is_better else (low, high[:2])
    assert names(samples) == (best, worst)
    assert samples.count == 100
    assert samples.best[0].panels["result"][0, 0, 0] == int(best[0][1:])
    assert samples.best[0].score == int(best[0][1:]) / 10


def test_few_samples_are_in_one_list_each() -> None:
    keeper = SampleKeeper(best=4, worst=4)
    for score in (0.3, 0.1, 0.2):
        keeper.add(str(score), score, panels())
    assert names(keeper.samples()) == (["0.1", "0.2"], ["0.3"])
    assert names(SampleKeeper().samples()) == ([], [])
    for score in (0.5, 0.4, 0.6, 0.7, 0.8):
        keeper.add(str(score), score, panels())
    best, worst = names(keeper.samples())
    assert (best, worst) == (["0.1", "0.2", "0.3", "0.4"], ["0.8", "0.7", "0.6", "0.5"])


def test_panels_are_made_only_for_what_is_kept() -> None:
    made: list[int] = []

    def make(number: int) -> dict[str, np.ndarray]:
        made.append(number)
        return panels(number)

    keeper = SampleKeeper(best=1, worst=1)
    for number, score in enumerate([5.0, 4.0, 4.5, 4.7, 6.0, math.nan, math.inf]):
        keeper.add(str(number), score, lambda number=number: make(number))
    assert made == [0, 1, 4]
    assert names(keeper.samples()) == (["1"], ["4"])
    assert keeper.samples().count == 7


def test_equal_scores_and_none_wanted() -> None:
    keeper = SampleKeeper(best=2, worst=0)
    for number in range(5):
        keeper.add(str(number), 1.0, panels())
    assert names(keeper.samples()) == (["0", "1"], [])
    with pytest.raises(ValueError, match="cannot keep -1 best"):
        SampleKeeper(best=-1)


def test_clips_are_cut_and_copied() -> None:
    keeper = SampleKeeper(frames=3)
    clip = np.zeros((10, 4, 4, 3), np.uint8)
    keeper.add("clip", 1.0, {"result": clip})
    clip[:] = 9
    (kept,) = keeper.samples().best
    assert kept.panels["result"].shape == (3, 4, 4, 3)
    assert kept.panels["result"].base is None
    assert kept.panels["result"].max() == 0
