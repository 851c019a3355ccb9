"""A progress bar that is also readable in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

T = TypeVar("T")
_WIDTH = 28
_MIN_SECONDS = 0.2


def progress(
    iterable: Iterable[T], label: str, total: int | None = None, stream: TextIO | None = None
) -> Iterator[T]:
    """Yield from ``iterable`` and show how far it is.

    Args:
        iterable: what to go through.
        label: what is being done.
        total: number of items; taken from ``len`` where there is one, else only a count is shown.
        stream: where to print, standard error by default. A terminal gets one bar that is
            redrawn, a file gets a line each tenth.
    """
    stream = stream or sys.stderr
    if total is None and hasattr(iterable, "__len__"):
        total = len(iterable)  # type: ignore[arg-type]
    live = stream.isatty()
    start = shown = time.monotonic()
    done, tenth = 0, 0
    for item in iterable:
        yield item
        done += 1
        now = time.monotonic()
        last = done == total
        if live and (last or now - shown > _MIN_SECONDS):
            shown = now
            stream.write("\r" + _line(label, done, total, now - start))
            stream.flush()
        elif not live and total and (last or done * 10 // total > tenth):
            tenth = done * 10 // total
            stream.write(_line(label, done, total, now - start) + "\n")
            stream.flush()
    if live and done:
        stream.write("\n")
    elif not live and not total:
        stream.write(_line(label, done, None, time.monotonic() - start) + "\n")


def _line(label: str, done: int, total: int | None, seconds: float) -> str:
    rate = done / seconds if seconds > 0 else 0.0
    if not total:
        return f"{label}: {done} done, {rate:.1f}/s"
    filled = _WIDTH * done // total
    bar = "#" * filled + "-" * (_WIDTH - filled)
    left = (total - done) / rate if rate else 0.0
    return f"{label} [{bar}] {done}/{total}  {rate:.1f}/s  {clock(seconds)}<{clock(left)}"


def clock(seconds: float) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``."""
    whole = int(round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"
