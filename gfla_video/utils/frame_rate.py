"""Exact frame rates."""

from __future__ import annotations

from fractions import Fraction
from numbers import Rational

from gfla_video.utils.errors import UserError

_NTSC = Fraction(1000, 1001)
_NTSC_SLACK = 0.006


def parse_fps(value: object, where: str = "--fps") -> Fraction:
    """Turn a frame rate into an exact fraction.

    Args:
        value: a number, or text such as ``25``, ``29.97`` or ``30000/1001``. Decimal spellings of
            the broadcast rates (23.976, 29.97, 59.94) mean n * 1000/1001 and become that.
        where: named in the error.

    Raises:
        UserError: not a positive number.
    """
    try:
        if isinstance(value, (Rational, str)):
            rate = Fraction(value)
        else:
            rate = Fraction(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError) as error:
        raise UserError(
            f"{where}: {value!r} is no frame rate, pass a number or a fraction such as 30000/1001"
        ) from error
    if rate <= 0 or rate > 1000:
        raise UserError(f"{where}: a frame rate lies between 0 and 1000, not {value!r}")
    if rate.denominator == 1 or (isinstance(value, (Fraction, str)) and "/" in str(value)):
        return rate
    broadcast = round(rate / _NTSC) * _NTSC
    if broadcast > 0 and abs(float(broadcast - rate)) < _NTSC_SLACK:
        return broadcast
    return rate.limit_denominator(10_000)
