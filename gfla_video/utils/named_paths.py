"""``NAME=PATH`` on command lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gfla_video.utils.errors import UserError


def named_paths(texts: Sequence[str], option: str) -> dict[str, str]:
    """Paths by name, in their order.

    One without a name is called after its file or folder, and where several have that name after
    the folder above too: ``full/seed0`` and ``other/seed0``.

    Args:
        texts: ``NAME=PATH`` or ``PATH``.
        option: of the command line, for the message.

    Raises:
        UserError: an empty name or path, or a name that is given twice.
    """
    stems = [Path(text).stem for text in texts if "=" not in text]
    found: dict[str, str] = {}
    for text in texts:
        name, sign, path = text.partition("=")
        if not sign:
            name, path = Path(text).stem, text
            if stems.count(name) > 1:
                name = f"{Path(text).parent.name}/{name}"
        if not name or not path:
            raise UserError(f"{option} {text}: write NAME=PATH, such as mine=work_dirs/mine")
        if found.get(name) == path:
            raise UserError(f"{option} {text}: is given twice")
        if name in found:
            raise UserError(
                f"{option} {text}: the name '{name}' is taken by {found[name]}, write NAME=PATH "
                "with another one"
            )
        found[name] = path
    return found
