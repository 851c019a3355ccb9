"""The base of the datasets: keys, reproducible randomness, and broken files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.utils.data import DataLoader

from gfla_video.datasets import base
from gfla_video.datasets.base import TransferDataset
from gfla_video.datasets.images import BrokenImageError
from gfla_video.datasets.sampler import ResumableInfiniteSampler, SampleKey
from gfla_video.utils.errors import UserError


class Letters(TransferDataset):
    """Ten samples; the files of some cannot be read."""

    def __init__(self, broken: dict[int, str] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.broken = broken or {}

    def __len__(self) -> int:
        return 10

    def load(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        if index in self.broken:
            raise BrokenImageError(f"{self.broken[index]}: broken", self.broken[index])
        return {"index": index, "drawn": rng.random()}


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(base, "print_log", lambda message, **_: lines.append(message))
    return lines


def test_keys() -> None:
    letters = Letters()
    assert letters[3]["index"] == letters[np.int64(3)]["index"] == 3
    assert letters[-1]["index"] == 9
    assert letters[3] == letters[SampleKey(3, 0)] == letters[(3, 0)]
    with pytest.raises(IndexError):
        letters[10]


def test_randomness_comes_from_seed_pass_and_index() -> None:
    drawn = {
        Letters(seed=seed)[SampleKey(i, e)]["drawn"]
        for seed in (0, 1)
        for i in (0, 1)
        for e in (0, 1)
    }
    assert len(drawn) == 8
    assert Letters(seed=1)[SampleKey(1, 1)] == Letters(seed=1)[SampleKey(1, 1)]


def test_the_first_broken_file_is_an_error_unless_allowed(said: list[str]) -> None:
    with pytest.raises(BrokenImageError, match=r"a\.png: broken"):
        Letters({2: "a.png"})[2]
    assert not said


def test_a_broken_file_is_named_once_and_replaced(said: list[str]) -> None:
    letters = Letters({2: "a.png", 3: "a.png", 4: "b.png"}, skip_broken=2)
    samples = [letters[index]["index"] for index in range(10)]
    assert len(said) == 2
    assert "a.png" in said[0]
    assert "b.png" in said[1]
    assert letters.broken_count == 2
    assert not {2, 3, 4} & set(samples)
    assert samples[5:] == [5, 6, 7, 8, 9]
    again = Letters(letters.broken, skip_broken=2)
    assert [again[index]["index"] for index in reversed(range(10))] == samples[::-1]


def test_one_more_than_allowed_is_an_error(said: list[str]) -> None:
    letters = Letters({2: "a.png", 3: "b.png"}, skip_broken=1)
    letters[2]
    with pytest.raises(
        UserError, match=r"more than 1 images are broken \(skip_broken\), the last: b"
    ):
        letters[3]
    assert len(said) == 1


def test_nothing_readable_ends(said: list[str]) -> None:
    letters = Letters(dict.fromkeys(range(10), "one.png"), skip_broken=1)
    with pytest.raises(UserError, match="no readable sample"):
        letters[0]
    assert len(said) == 1


def test_workers_count_together_and_agree() -> None:
    letters = Letters({2: "a.png", 5: "b.png", 6: "b.png"}, skip_broken=2)

    def indices(workers: int) -> list[int]:
        sampler = ResumableInfiniteSampler(letters, seed=0)
        loader = iter(DataLoader(letters, 2, sampler=sampler, num_workers=workers))
        return [int(index) for _ in range(10) for index in next(loader)["index"]]

    with_workers = indices(2)
    assert letters.broken_count == 2
    assert indices(0) == with_workers


def test_skip_broken_is_a_count(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="skip_broken must be 0 or more"):
        Letters(skip_broken=-1)
