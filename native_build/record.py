"""The build record: what was asked for, what was built, and why the rest was not."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from native_build.compilers import CannotBuildError, find_compiler, find_toolkit

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "gfla_video.ops"
RECORD = "_native_build.json"
NAMES = ("cpu", "cuda")
CHOICES = {"none": (), "cpu": ("cpu",), "cuda": NAMES, "all": NAMES}

Entry = dict[str, Any]


def check_requested(name: str) -> None:
    """Raise where ``GFLA_BUILD`` or the system leaves a library out."""
    choice = os.environ.get("GFLA_BUILD", "") or "all"
    if choice not in CHOICES:
        raise CannotBuildError(f"GFLA_BUILD={choice}: choose {', '.join(CHOICES)}")
    if name not in CHOICES[choice]:
        raise CannotBuildError(f"GFLA_BUILD={choice} leaves it out")
    if sys.platform == "win32":
        raise CannotBuildError("it is built on Linux and macOS only")


def sentence(record: Mapping[str, Entry]) -> str:
    """What was built, in one sentence."""
    built = [name.upper() for name in NAMES if record[name]["built"]]
    missing = [
        f"the {name.upper()} library was not built: {record[name]['reason']}"
        for name in NAMES
        if not record[name]["built"]
    ]
    if len(missing) == len(NAMES):
        return f"no native library was built, plain torch serves: {record['cpu']['reason']}"
    done = f"built the native {' and '.join(built)} librar{'ies' if len(built) > 1 else 'y'}"
    return "; ".join([f"{done} for torch {record['cpu']['torch']}", *missing])


def lacking(record: Mapping[str, Entry]) -> list[str]:
    """Libraries that this machine could build (its compilers work) but that are not there."""
    found = []
    for name in NAMES:
        entry = record[name]
        try:
            check_requested(name)
            find_compiler(os.environ)
            if name == "cuda":
                find_toolkit(os.environ)
        except CannotBuildError:
            continue
        if not entry["built"] or entry["torch"].split("+")[0] != version("torch").split("+")[0]:
            found.append(f"{name}: {entry['reason'] or 'built for torch ' + entry['torch']}")
    return found


def gone(record: Mapping[str, Entry], folder: Path) -> list[str]:
    """Libraries that were built and are not there any more; the record is told so."""
    names = [name for name in NAMES if record[name]["built"]]
    lost = [name for name in names if not list(folder.glob(f"_native_{name}.*"))]
    for name in lost:
        record[name].update(built=False, reason="it was built, but its file is gone")
    return lost


def main() -> int:
    """Say what the record of this checkout tells.

    ``--require`` insists on what this machine can build, ``--intact`` on what was built.
    """
    path = ROOT.joinpath(*PACKAGE.split(".")) / RECORD
    if not path.is_file():
        print(f"no native library was built: {path} is missing (run tools/setup.sh)")
        return int("--require" in sys.argv)
    record = json.loads(path.read_text(encoding="utf-8"))
    lost = gone(record, path.parent)
    print(sentence(record))
    if "--intact" in sys.argv:
        return int(bool(lost))
    missing = lacking(record) if "--require" in sys.argv else []
    for line in missing:
        print(f"error: this machine has the compiler, but its library is not there: {line}")
    return int(bool(missing))
