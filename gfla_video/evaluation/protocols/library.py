"""Protocols by name: the built-in ones, and those of configs and Python files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.config.utils import ConfigParsingError

from gfla_video.evaluation.protocols.builtin import BUILTIN
from gfla_video.evaluation.protocols.protocol import Protocol
from gfla_video.utils.errors import UserError
from gfla_video.utils.options import read_options

_UNREADABLE = (  # what running a config raises
    *(ConfigParsingError, SyntaxError, NameError, ImportError, AttributeError, LookupError),
    *(TypeError, ValueError, ArithmeticError, OSError, RuntimeError, AssertionError),
)


def find_protocols(names: Sequence[str | Protocol], own: Any = None) -> list[Protocol]:
    """Protocols by name, each once.

    Args:
        names: of a built-in protocol or of one of ``own``; the path of a Python file with
            ``protocol = dict(...)`` (or a list of them), which gives all that are in it; or a
            protocol itself.
        own: what a config's ``protocol`` holds: a dict of :class:`Protocol`'s values, with
            ``base="..."`` for the values of another one, or a list of such dicts.

    Raises:
        UserError: no protocol of that name, or one that is not well made.
    """
    known = {protocol.name: protocol for protocol in (*BUILTIN, *_own(own, "protocol"))}
    found: dict[str, Protocol] = {}
    for name in names:
        if isinstance(name, Protocol):
            chosen = [name]
        elif name.endswith(".py"):
            chosen = _of_file(Path(name))
        elif name in known:
            chosen = [known[name]]
        else:
            raise UserError(
                f"--protocol {name}: there is no such protocol, choose of {', '.join(known)}, "
                "or give the path of a Python file that defines one"
            )
        for protocol in chosen:
            if found.setdefault(protocol.name, protocol).digest != protocol.digest:
                raise UserError(f"--protocol: two protocols are called {protocol.name}, rename one")
    return list(found.values())


def read_protocol(values: Mapping[str, Any], label: str = "protocol") -> Protocol:
    """A protocol from plain values, such as :meth:`Protocol.settings` gives.

    Args:
        values: with ``base``, the name of a built-in protocol, only what differs from it; name and
            version are needed all the same.
        label: where the values stand, for errors.

    Raises:
        UserError: a value is missing, unknown or not possible.
    """
    given = {key: value for key, value in values.items() if key != "digest"}
    base = given.pop("base", None)
    known = {protocol.name: protocol for protocol in BUILTIN}
    for key in ("name", "version"):
        if key not in given:
            raise UserError(f"{label}: needs a {key} of its own")
    if given["name"] in known:
        raise UserError(f"{label}.name: {given['name']} is built in, take a name of your own")
    if base is None:
        given.setdefault("metrics", ())  # which the protocol refuses by its name
        given.setdefault("source", "the config itself")
        return read_options(Protocol, given, label)
    if base not in known:
        raise UserError(f"{label}.base: must be one of {', '.join(known)}, not {base!r}")
    inherited = known[base].settings()
    if "generated" in given and "reference" not in given:
        inherited["reference"] = None  # the same steps as the generated pictures'
    given.setdefault("source", f"{known[base].title}, changed")
    return read_options(Protocol, {**inherited, **given}, label)


def list_protocols() -> str:
    """The built-in protocols for people: title, size, metrics, source."""
    return "\n".join(_described(protocol) for protocol in BUILTIN)


def _described(protocol: Protocol) -> str:
    size = "any size" if protocol.size is None else f"{protocol.size[0]}x{protocol.size[1]}"
    count = "any number of" if protocol.expected_count is None else f"{protocol.expected_count:,}"
    weights = ", ".join(protocol.weights) or "none"
    metrics = ", ".join(str(metric.get("name") or metric["type"]) for metric in protocol.metrics)
    return "\n".join(
        [
            f"{protocol.title}: {size}, {count} pictures, as {protocol.file}",
            f"    metrics: {metrics}",
            f"    weights: {weights}",
            f"    source: {protocol.source}",
        ]
    )


def _own(values: Any, label: str) -> Iterable[Protocol]:
    """The protocols of a config's value: nothing, a dict, or a list of dicts."""
    if values is None:
        return []
    several = values if isinstance(values, (list, tuple)) else [values]
    if not all(isinstance(one, (Mapping, Protocol)) for one in several):
        raise UserError(f"{label}: must be a dict of a protocol's values, or a list of them")
    return [one if isinstance(one, Protocol) else read_protocol(one, label) for one in several]


def _of_file(path: Path) -> list[Protocol]:
    if not path.is_file():
        raise UserError(f"--protocol {path}: there is no such file")
    try:
        read = Config.fromfile(path, lazy_import=False, format_python_code=False)
        values = read.get("protocol")
    except _UNREADABLE as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise UserError(f"--protocol {path}: is not a readable config ({why})") from error
    found = list(_own(values, f"{path}: protocol"))
    if not found:
        raise UserError(f"--protocol {path}: sets no 'protocol = dict(name=..., ...)'")
    return found
