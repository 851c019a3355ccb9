"""The options that a driver declares, by name, as a checked dataclass."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from gfla_video.utils.errors import UserError

T = TypeVar("T")


def read_driver_options(
    kind: type[T], values: Mapping[str, Any], choices: Mapping[str, Collection[str]], driver: str
) -> T:
    """Make dataclass ``kind`` of a driver's options.

    Args:
        kind: the dataclass; every field has a default.
        values: options by name, dashes as underscores.
        choices: the values that an option may have, for those that have few.
        driver: name of the driver, for the errors.

    Raises:
        UserError: an unknown option, with the nearest name, or an unknown value.
    """
    known = [item.name for item in fields(kind)]  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known)}"
            raise UserError(f"{driver} has no option {name}; {hint}")
    checked = kind(**values)
    for name, allowed in choices.items():
        value = getattr(checked, name)
        if value not in allowed:
            raise UserError(f"{driver}: {name} is {' or '.join(allowed)}, not {value!r}")
    return checked
