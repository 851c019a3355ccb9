"""Frame rates as exact fractions."""

from fractions import Fraction

import pytest

from gfla_video.utils.errors import UserError
from gfla_video.utils.frame_rate import parse_fps


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (25, Fraction(25)),
        (12.5, Fraction(25, 2)),
        ("30000/1001", Fraction(30000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        (23.976, Fraction(24000, 1001)),
        (59.94005994, Fraction(60000, 1001)),
        ("2997/100", Fraction(2997, 100)),
        (7.3, Fraction(73, 10)),
    ],
)
def test_values(value: object, expected: Fraction) -> None:
    assert parse_fps(value) == expected


@pytest.mark.parametrize("value", ["fast", 0, -3, "1/0", float("nan"), float("inf"), None, [1]])
def test_nonsense_is_one_sentence(value: object) -> None:
    with pytest.raises(UserError, match="frame rate"):
        parse_fps(value)
