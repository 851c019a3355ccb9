"""Exact frame rates."""

from __future__ import annotations

from fractions import Fraction
from numbers import Rational

from gfla_video.utils.errors import UserError

DEFAULT_FPS = Fraction(25)
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


def chosen_fps(said: Fraction | None, given: object, report: list[str]) -> Fraction:
    """The frame rate of ``--fps`` where it is given, else the file's own, else 25.

    Args:
        said: by the file, None where it says nothing.
        given: of ``--fps``, None where it was not passed.
        report: gets a sentence where something is replaced or assumed.

    Raises:
        UserError: ``given`` is no frame rate.
    """
    if given is not None:
        fps = parse_fps(given)
        if said is not None and said != fps:
            report.append(f"--fps {fps} replaces the file's own {said}")
        return fps
    if said is None:
        report.append(f"{DEFAULT_FPS} frames per second taken, as the file says none (see --fps)")
        return DEFAULT_FPS
    return said
