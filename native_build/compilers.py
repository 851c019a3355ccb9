"""Which C++ compiler and CUDA toolkit the build can use, and for which GPUs. Imports no torch."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# What is compiled without a visible GPU and without TORCH_CUDA_ARCH_LIST: Turing to Blackwell, as
# far as nvcc knows them, and PTX of the last one for what comes later.
DEFAULT_ARCHITECTURES = ((7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0))

Capability = tuple[int, int]


class CannotBuildError(Exception):
    """Why a library is not built, as the end of a sentence."""


class Compiler(NamedTuple):
    """A C++ compiler that works."""

    command: tuple[str, ...]
    c_command: tuple[str, ...]
    version: str
    openmp: bool  # can use the OpenMP library that torch has loaded

    def environment(self, before: Mapping[str, str]) -> dict[str, str]:
        """``CC`` and ``CXX`` for the build (Python may have been built with others)."""
        chosen = {"CXX": shlex.join(self.command), "CC": shlex.join(self.c_command)}
        return {name: before.get(name) or value for name, value in chosen.items()}


class Toolkit(NamedTuple):
    """A CUDA toolkit with a working nvcc."""

    home: Path
    version: str
    supported: tuple[Capability, ...]


def _run(command: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a compiler; one that cannot be started counts as failed."""
    try:
        return subprocess.run(
            list(command), input=text, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return subprocess.CompletedProcess(list(command), 127, "", str(problem))


def _command(given: str, candidates: Sequence[str]) -> tuple[str, ...]:
    if given:
        return tuple(shlex.split(given))
    return next(((name,) for name in candidates if shutil.which(name)), ())


def find_compiler(environment: Mapping[str, str]) -> Compiler:
    """The compiler that ``CXX`` names, else g++, c++ or clang++, proved on an empty program.

    Raises:
        CannotBuildError: there is none, or it does not work.
    """
    command = _command(environment.get("CXX", ""), ("g++", "c++", "clang++"))
    c_command = _command(environment.get("CC", ""), ("gcc", "cc", "clang"))
    if not command:
        raise CannotBuildError("no C++ compiler was found (g++, c++, clang++ or CXX)")
    for tried in (command, c_command or command):
        done = _run(
            [*tried, "-x", "c++", "-c", "-o", os.devnull, "-"], "int main() { return 0; }\n"
        )
        if done.returncode != 0:
            said = next(iter(done.stderr.strip().splitlines()), f"exit status {done.returncode}")
            raise CannotBuildError(
                f"the C++ compiler {shlex.join(tried)} does not work ({said[:120]})"
            )
    macros = _run([*command, "-x", "c++", "-dM", "-E", "-"]).stdout
    version = next(iter(_run([*command, "--version"]).stdout.splitlines()), shlex.join(command))
    # torch's wheels carry GCC's OpenMP library; clang calls functions that it does not have.
    openmp = sys.platform == "linux" and "__GNUC__" in macros and "__clang__" not in macros
    return Compiler(command, c_command or command, version, openmp)


def find_toolkit(environment: Mapping[str, str], torch_cuda: str | None = "") -> Toolkit:
    """The CUDA toolkit: ``CUDA_HOME`` or ``CUDA_PATH``, the one of nvcc, the usual folder.

    Args:
        environment: the process's.
        torch_cuda: CUDA version that torch was built with; None for a torch without CUDA, an empty
            string for no check.

    Raises:
        CannotBuildError: there is none, or it does not fit torch.
    """
    if torch_cuda is None:
        raise CannotBuildError("the installed torch has no CUDA")
    given = environment.get("CUDA_HOME") or environment.get("CUDA_PATH")
    on_path = shutil.which("nvcc", path=environment.get("PATH"))
    if given:
        home = Path(given)
    elif on_path:
        home = _home_of(on_path)
    else:
        home = Path("/usr/local/cuda")
    nvcc = home / "bin" / "nvcc"
    if not nvcc.is_file():
        where = f": {nvcc} is missing" if given else " (nvcc, CUDA_HOME)"
        raise CannotBuildError(f"no CUDA toolkit was found{where}")
    release = re.search(r"release (\d+\.\d+)", _run([str(nvcc), "--version"]).stdout)
    if release is None:
        raise CannotBuildError(f"{nvcc} does not work")
    version = release.group(1)
    if torch_cuda and version.split(".")[0] != torch_cuda.split(".")[0]:
        raise CannotBuildError(
            f"the CUDA toolkit {home} is {version}, but torch was built with CUDA {torch_cuda}: "
            "their first numbers must agree (CUDA_HOME names another toolkit)"
        )
    listed = _run([str(nvcc), "--list-gpu-arch"]).stdout
    found = {divmod(int(number), 10) for number in re.findall(r"compute_(\d+)\b", listed)}
    return Toolkit(home, version, tuple(sorted(found)))


def _home_of(nvcc: str) -> Path:
    """The folder that an nvcc belongs to, also where a script on the path calls it."""
    said = _run([nvcc, "--dryrun", "-c", "-x", "cu", os.devnull, "-o", os.devnull]).stderr
    here = re.search(r"^#\$ _HERE_=(.+)$", said, re.MULTILINE)
    folder = Path(here.group(1).strip()) if here else Path(nvcc).resolve().parent
    return folder.parent


def choose_architectures(
    wanted: str, devices: Sequence[Capability], supported: Sequence[Capability]
) -> str:
    """GPU architectures to compile for, such as ``8.0;9.0+PTX``.

    Args:
        wanted: ``TORCH_CUDA_ARCH_LIST``, taken as it is; empty and ``native`` leave the choice.
        devices: capabilities of the visible GPUs.
        supported: capabilities that nvcc knows.

    Returns:
        The visible GPUs' own, else :data:`DEFAULT_ARCHITECTURES`, as far as nvcc knows them; a GPU
        that is newer than nvcc gets the newest older one. The last one brings PTX.

    Raises:
        CannotBuildError: nvcc knows none of them.
    """
    if wanted and wanted != "native":
        return wanted
    if devices:
        chosen = {max((s for s in supported if s <= device), default=None) for device in devices}
    else:
        chosen = set(DEFAULT_ARCHITECTURES) & set(supported)
    known = sorted(one for one in chosen if one is not None)
    if not known:
        raise CannotBuildError("nvcc knows none of the GPUs' architectures")
    return ";".join(f"{major}.{minor}" for major, minor in known) + "+PTX"


def gencode_flags(architectures: str) -> list[str]:
    """nvcc's flags for what :func:`choose_architectures` chose."""
    flags = []
    for one in architectures.split(";"):
        number = one.removesuffix("+PTX").replace(".", "")
        flags.append(f"-gencode=arch=compute_{number},code=sm_{number}")
        if one.endswith("+PTX"):
            flags.append(f"-gencode=arch=compute_{number},code=compute_{number}")
    return flags


def pip_cuda_folders(site_packages: Path) -> tuple[list[str], list[str]]:
    """Header and library folders of NVIDIA's pip packages beside torch.

    CUDA 13 has one folder (``nvidia/cu13``), CUDA 12 one per library (``nvidia/cublas``, ...).
    """
    roots = sorted(path for path in site_packages.glob("nvidia/*") if path.is_dir())
    includes = [str(root / "include") for root in roots if (root / "include").is_dir()]
    libraries = [str(root / "lib") for root in roots if (root / "lib").is_dir()]
    return includes, libraries
