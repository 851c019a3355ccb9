"""Sentences for the user that are worth saying once."""

from __future__ import annotations

import functools
import sys


@functools.cache
def say_once(sentence: str) -> None:
    """Print a sentence on standard error, the first time only in this process."""
    print(f"note: {sentence}", file=sys.stderr, flush=True)
