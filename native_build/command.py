"""The build command of setup.py: each library by itself, and the record of what came out."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from setuptools import Extension
from setuptools.command.build_ext import build_ext

from native_build.compilers import CannotBuildError
from native_build.library import CSRC, ROOT, build_library
from native_build.record import NAMES, PACKAGE, RECORD, Entry, check_requested, sentence


def extensions() -> list[Extension]:
    """One extension per library, made without torch; sources relative to setup.py."""
    sources = {"cpu": ["*.cpp", "cpu/*.cpp"], "cuda": ["cuda/*.cu", "cuda/*.cpp"]}
    return [
        Extension(
            f"{PACKAGE}._native_{name}",
            sorted(
                path.relative_to(ROOT).as_posix()
                for pattern in patterns
                for path in (ROOT / CSRC).glob(pattern)
            ),
        )
        for name, patterns in sources.items()
    ]


class BuildNative(build_ext):
    """``build_ext`` that builds each library by itself and records what came out.

    Objects stay in ``build/native/<library>-<torch version>``: a second build is incremental
    (ninja follows the headers), a new torch starts afresh.
    """

    def run(self) -> None:
        """Build what is asked for and possible; write the record beside the libraries."""
        folder = Path(self.get_ext_fullpath(f"{PACKAGE}._native_cpu")).resolve().parent
        folder.mkdir(parents=True, exist_ok=True)
        record: dict[str, Entry] = {}
        built: list[Path] = []
        for name, extension in zip(NAMES, self.extensions, strict=True):
            entry: Entry = {"built": False, "torch": "", "reason": ""}
            try:
                check_requested(name)
                if name == "cuda" and not built:
                    raise CannotBuildError("the CPU library, which defines the op, was not built")
                library = build_library(name, extension, entry)
                check_loads([*built, library])
            except CannotBuildError as problem:
                entry["reason"] = str(problem)
            else:
                entry["built"] = True
                built.append(publish(library, folder))
            record[name] = entry
        for stale in set(folder.glob("_native_*.so")) - set(built):
            stale.unlink()
        self.made = [folder / RECORD, *built]
        partial = folder / (RECORD + ".partial")
        partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        partial.replace(folder / RECORD)
        print(f"gfla_video: {sentence(record)}")

    def get_outputs(self) -> list[str]:
        """Files of the build folder that were made (none before the command ran)."""
        folder = Path(self.build_lib, *PACKAGE.split("."))
        return [str(folder / path.name) for path in getattr(self, "made", [])]

    def get_output_mapping(self) -> dict[str, str]:
        """Where an in-place build has put what a build folder would hold."""
        made = getattr(self, "made", []) if self.inplace else []
        return dict(zip(self.get_outputs(), map(str, made), strict=True)) if made else {}


def check_loads(libraries: Sequence[Path]) -> None:
    """Load the libraries in a process of their own: a symbol may be missing although all linked."""
    code = "import sys, torch\nfor path in sys.argv[1:]: torch.ops.load_library(path)"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, libraries)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        first = re.search(r"^\w*Error: .*$", done.stderr, re.MULTILINE)  # torch wraps the loader's
        said = first.group() if first else f"exit status {done.returncode}"
        raise CannotBuildError(f"it was built but cannot be loaded: {said[:300]}")


def publish(library: Path, folder: Path) -> Path:
    """Copy a library to the package in one step: a process that uses the old one keeps it whole."""
    partial = folder / (library.name + ".partial")
    shutil.copy2(library, partial)
    partial.replace(folder / library.name)
    return folder / library.name
