"""Plain values of a config as a checked dataclass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from gfla_video.utils.errors import UserError

T = TypeVar("T")


def read_options(kind: type[T], values: T | Mapping[str, Any], label: str) -> T:
    """Make dataclass ``kind`` from plain values of a config; one that is made already is returned.

    Args:
        kind: the dataclass.
        values: its fields by name, or an instance.
        label: name of the option in the config, for the errors.

    Raises:
        UserError: a key is unknown, or one without a default is missing.
    """
    if isinstance(values, kind):
        return values
    names = [item.name for item in fields(kind)]  # type: ignore[arg-type]
    given = dict(values)  # type: ignore[call-overload]
    unknown = [key for key in given if key not in names]
    if unknown:
        raise UserError(f"{label}.{unknown[0]}: there is no such key, only {', '.join(names)}")
    try:
        return kind(**given)
    except TypeError as error:
        raise UserError(f"{label}: {error}") from error
