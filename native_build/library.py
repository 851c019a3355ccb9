"""Compiles and links one library with torch's own build command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from setuptools import Distribution, Extension
from setuptools.errors import BaseError

from native_build.compilers import (
    CannotBuildError,
    Compiler,
    Toolkit,
    choose_architectures,
    find_compiler,
    find_toolkit,
    gencode_flags,
    pip_cuda_folders,
)
from native_build.record import ROOT, Entry

CSRC = "gfla_video/ops/csrc"


def build_library(name: str, extension: Extension, entry: Entry) -> Path:
    """Compile and link one library; ``entry`` of the record gets torch and the compiler's name."""
    try:
        entry["torch"] = version("torch")  # quickly, before the compilers are looked at
    except PackageNotFoundError as problem:
        raise CannotBuildError(
            "there is no torch in the build's environment: "
            "install torch first, then this with --no-build-isolation"
        ) from problem
    if not extension.sources:
        raise CannotBuildError(f"its sources are missing in {CSRC}")
    compiler = find_compiler(os.environ)
    entry["compiler"] = compiler.version
    try:
        import torch
    except (ImportError, OSError) as problem:
        raise CannotBuildError(f"torch cannot be imported by the build ({problem})") from problem
    entry["torch"] = str(torch.__version__)
    environment = compiler.environment(os.environ)
    if name == "cuda":
        toolkit = find_toolkit(os.environ, torch.version.cuda)
        entry["compiler"] = f"nvcc {toolkit.version}"
        entry["architectures"] = architectures(toolkit)
        environment["CUDA_HOME"] = str(toolkit.home)
        configured = cuda_extension(extension, toolkit, entry["architectures"])
    else:
        configured = cpu_extension(extension, compiler)
        if not compiler.openmp:
            entry["note"] = f"one thread only: {compiler.command[0]} has no OpenMP of torch's kind"
    scratch = ROOT / "build" / "native" / f"{name}-{torch.__version__}-{sysconfig.get_platform()}"
    return run_build(configured, scratch, environment)


def architectures(toolkit: Toolkit) -> str:
    """GPU architectures to compile for, in the words of ``TORCH_CUDA_ARCH_LIST``."""
    import torch

    visible = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    devices = [torch.cuda.get_device_capability(index) for index in visible]
    return choose_architectures(
        os.environ.get("TORCH_CUDA_ARCH_LIST", ""), devices, toolkit.supported
    )


def cpu_extension(extension: Extension, compiler: Compiler) -> Extension:
    """torch's C++ extension without Python's part of torch.

    OpenMP when compiling only: its symbols then come from the libgomp that torch itself has
    loaded. A second OpenMP library would bring a second pool of threads for the same cores.
    """
    from torch.utils.cpp_extension import CppExtension

    flags = ["-O3", "-g0", "-fvisibility=hidden", *(["-fopenmp"] if compiler.openmp else [])]
    made = CppExtension(
        extension.name,
        list(extension.sources),
        include_dirs=[str(ROOT / CSRC)],
        extra_compile_args={"cxx": flags},
    )
    made.libraries.remove("torch_python")
    return made


def cuda_extension(extension: Extension, toolkit: Toolkit, chosen: str) -> Extension:
    """torch's CUDA extension, with the headers and libraries of NVIDIA's pip packages."""
    import torch
    from torch.utils import cpp_extension

    # torch guesses the folder when it is imported, wrongly where nvcc on the path is a script.
    cpp_extension.CUDA_HOME = str(toolkit.home)
    files = sum(source.endswith(".cu") for source in extension.sources)
    flags = ["-O3", "--expt-relaxed-constexpr", f"--threads={max(1, jobs() // max(1, files))}"]
    if not os.environ.get("TORCH_CUDA_ARCH_LIST"):  # else torch reads it: it knows names as well
        flags += gencode_flags(chosen)
    made = cpp_extension.CUDAExtension(
        extension.name,
        list(extension.sources),
        include_dirs=[str(ROOT / CSRC)],
        extra_compile_args={"cxx": ["-O3", "-g0", "-fvisibility=hidden"], "nvcc": flags},
    )
    includes, libraries = pip_cuda_folders(Path(torch.__file__).parent.parent)
    made.include_dirs += includes  # after the toolkit's own, which fit its nvcc
    made.library_dirs += libraries
    made.libraries.remove("torch_python")
    return made


def jobs() -> int:
    """Compilers to run at once: ``MAX_JOBS``, else the processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    wanted = os.environ.get("MAX_JOBS", "")
    return int(wanted) if wanted.isdigit() and int(wanted) > 0 else cores


def run_build(extension: Extension, scratch: Path, environment: Mapping[str, str]) -> Path:
    """Run torch's build command for one extension in ``scratch`` and give the library's path."""
    from torch.utils.cpp_extension import BuildExtension, is_ninja_available

    scratch.mkdir(parents=True, exist_ok=True)
    log = scratch / "build.log"
    before = dict(os.environ)
    os.environ.update(environment)
    os.environ["MAX_JOBS"] = str(jobs())
    # ninja of this environment, also where the environment is not activated
    os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), before.get("PATH", "")])
    try:
        with _output_to(log):
            command = BuildExtension(
                Distribution({"name": "gfla_video", "ext_modules": [extension]}),
                no_python_abi_suffix=True,
                use_ninja=is_ninja_available(),
            )
            command.build_lib = str(scratch / "lib")
            command.build_temp = str(scratch / "objects")
            command.force = True  # the library is always linked anew, objects only where stale
            command.ensure_finalized()
            command.run()
            library = Path(command.get_ext_fullpath(extension.name))
    except (BaseError, RuntimeError, OSError, ValueError, subprocess.SubprocessError) as problem:
        raise CannotBuildError(f"{first_error(log, str(problem))} (all of it: {log})") from problem
    finally:
        os.environ.clear()
        os.environ.update(before)
    return library


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Send what this process and its children print to a file, and show it at the end."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, descriptor in enumerate(kept, 1):
                os.dup2(descriptor, number)
                os.close(descriptor)
            sys.stdout.write(log.read_text(encoding="utf-8", errors="replace"))
            sys.stdout.flush()


def first_error(log: Path, otherwise: str) -> str:
    """The first line of a log that tells of an error; else ``otherwise``'s first line."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    found = re.search(r"^.*(?:\berror\b(?!s)|undefined reference|cannot find -l).*$", text, re.M)
    line = found.group() if found else next(iter(otherwise.splitlines()), "it failed")
    line = line.strip().replace(f"{ROOT}{os.sep}", "")
    return line if len(line) <= 200 else line[:199] + "…"
