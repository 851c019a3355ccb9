"""What every command-line tool shares: one sentence and a non-zero exit for bad input."""

from __future__ import annotations

import sys
from collections.abc import Callable

from gfla_video.utils.errors import UserError

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


def sentence(error: UserError) -> str:
    """The sentence of an error, also of one that a data-loader process passed on.

    PyTorch raises such an error again with the whole traceback as its text; the last line of that
    holds the sentence behind the exception's name.
    """
    text = str(error).strip()
    if "Original Traceback" not in text:
        return text
    return text.splitlines()[-1].split(": ", 1)[-1]


def run(main: Callable[[], None]) -> None:
    """Run a tool's ``main``; end with status 2 on a :class:`UserError`, 130 on Ctrl-C."""
    try:
        main()
    except UserError as error:
        print(f"error: {sentence(error)}", file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
