"""What every command-line tool shares: one sentence and a non-zero exit for bad input."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable

from gfla_video.utils.errors import UserError

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # names of glibc's malloc.h


def prepare_process() -> None:
    """Settings of the process that make small networks on few cores fast; before torch is loaded.

    Threads that wait spin briefly, not for long (another process may need the core) and not never
    (waking up costs more than a small layer). Freed memory is kept.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    keep_freed_memory()


def keep_freed_memory() -> None:
    """On Linux: giving every activation back to the system costs a sixth of a training step."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_MMAP_MAX, 0)
            mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def run(main: Callable[[], None], prepare: bool = True) -> None:
    """Run a tool's ``main``; end with status 2 on a :class:`UserError`, 130 on Ctrl-C.

    Args:
        main: of the tool.
        prepare: whether :func:`prepare_process` comes first.
    """
    if prepare:
        prepare_process()
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
