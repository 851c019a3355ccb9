"""A quiet console: every record goes to the log file, few to the screen."""

from __future__ import annotations

import logging
import re

_FLAG = "on_console"
# What MMEngine warns of and is meant so: registries without a child of our scope (the parent is
# used), datasets without class names, stages without a learning-rate schedule, its own old parts.
_NOISE = re.compile(
    r"Failed to search registry with scope|Dataset \w+ has no metainfo|"
    r'"FileClient" will be deprecated|"HardDiskBackend" is the alias'
)


def say(logger: logging.Logger, text: str) -> None:
    """Log ``text`` and show it on the console too."""
    logger.info(text, extra={_FLAG: True})


def quiet_console(logger: logging.Logger) -> None:
    """Let the console show warnings and what :func:`say` says, as plain lines."""
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(
            handler, logging.FileHandler
        ):
            handler.addFilter(_wanted)
            handler.setFormatter(_PlainLine())


def _wanted(record: logging.LogRecord) -> bool:
    if getattr(record, _FLAG, False):
        return True
    return record.levelno >= logging.WARNING and not _NOISE.match(record.getMessage())


class _PlainLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        level = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        return level + record.getMessage()
