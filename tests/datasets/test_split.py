"""Persons are divided by their names alone."""

from __future__ import annotations

import pytest

from gfla_video.datasets import IdSplit
from gfla_video.utils.errors import UserError

NAMES = [f"person{i}" for i in range(400)]


def test_parts_complement_each_other() -> None:
    train, test = IdSplit(0.7, "train"), IdSplit(0.7, "test")
    assert all(train.holds(name) != test.holds(name) for name in NAMES)
    assert 0.6 < sum(map(train.holds, NAMES)) / len(NAMES) < 0.8
    assert all(IdSplit(0.8, "train").holds(name) for name in NAMES if train.holds(name))
    other = IdSplit(0.7, "train", seed=1)
    assert any(train.holds(name) != other.holds(name) for name in NAMES)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fraction": 0.5, "part": "val"}, "split.part must be 'train' or 'test', got 'val'"),
        ({"fraction": 0.0, "part": "train"}, "split.fraction must lie between 0 and 1, got 0.0"),
        ({"fraction": 0.5, "part": "train", "sed": 1}, "split.sed: there is no such key"),
        ({"part": "train"}, "split: .*fraction"),
    ],
)
def test_wrong_values(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        IdSplit.read(values)
