"""Files that are either whole or not there, and the order of their names."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gfla_video.utils.errors import UserError


def natural_order(name: str) -> list[tuple[bool, int, str]]:
    """Key to sort file names by, numbers by their value: ``2.png`` comes before ``10.png``."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def ensure_writable_folder(folder: Path | str) -> Path:
    """Make ``folder`` (with parents) and prove that it can be written.

    Raises:
        UserError: the folder cannot be made or written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"{folder}: the output folder cannot be written ({reason}); choose another one"
        ) from error


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary name beside ``path`` (same suffix) and rename it to ``path`` at the end.

    On an error the temporary file is removed and an older ``path`` stays as it was.

    Raises:
        UserError: the folder cannot be made or written, or ``path`` is a folder itself.
    """
    path = Path(path)
    ensure_writable_folder(path.parent)
    if path.is_dir():
        raise UserError(f"{path}: is a folder, give the result the name of a file")
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb") as handle:  # the bytes must be on disk before the name is
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path | str, content: Any) -> None:
    """Write ``content`` as indented JSON, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
