"""Errors of a data loader's worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gfla_video.utils.errors import UserError


@contextmanager
def plain_worker_errors() -> Iterator[None]:
    """Give a :class:`UserError` that was raised in a worker process back as its one sentence.

    A data loader raises it again with the worker's whole traceback as its text, whose last line is
    ``package.module.SomeError: the sentence``.
    """
    try:
        yield
    except UserError as error:
        text = str(error)
        if "Original Traceback" not in text:
            raise
        raise UserError(text.strip().splitlines()[-1].partition(": ")[2]) from None
