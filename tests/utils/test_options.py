"""Plain values of a config become a checked dataclass."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gfla_video.utils.errors import UserError
from gfla_video.utils.options import read_options


@dataclass(frozen=True)
class Range:
    low: float
    high: float = 1.0


def test_values_and_instances() -> None:
    assert read_options(Range, {"low": 0.5}, "range") == Range(0.5, 1.0)
    made = Range(0.0)
    assert read_options(Range, made, "range") is made


def test_wrong_keys() -> None:
    with pytest.raises(UserError, match="range.top: there is no such key, only low, high"):
        read_options(Range, {"low": 0.0, "top": 1.0}, "range")
    with pytest.raises(UserError, match="range: .*low"):
        read_options(Range, {"high": 1.0}, "range")
