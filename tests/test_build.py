"""The native build: what it makes, and that its failures leave a working package."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from setuptools import Extension

from gfla_video.ops.native import build_record, find_library
from native_build.compilers import (
    DEFAULT_ARCHITECTURES,
    CannotBuildError,
    choose_architectures,
    find_compiler,
    find_toolkit,
    gencode_flags,
    pip_cuda_folders,
)
from native_build.library import run_build
from native_build.record import gone, lacking, sentence

needs_library = pytest.mark.skipif(find_library("cpu") is None, reason="no CPU library was built")
NO_COMPILER = {"CC": "/bin/false", "CXX": "/bin/false"}


def run(
    *arguments: str, cwd: Path, success: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own that sees the package in ``cwd`` first."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(cwd), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == success, done.stdout + done.stderr
    return done


@pytest.fixture
def checkout(tmp_path: Path, repo_root: Path) -> Path:
    """What a build needs, copied, with nothing built in it."""
    tree = tmp_path / "tree"
    built = shutil.ignore_patterns("*.so", "_native_build.json", "__pycache__")
    for folder in ("gfla_video", "native_build"):
        shutil.copytree(repo_root / folder, tree / folder, ignore=built)
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md"):
        shutil.copy(repo_root / name, tree / name)
    for name in ("LICENSE", "LICENSES.md"):
        shutil.copy(repo_root / name, tree / name)
    return tree


USE = """
import json, warnings
import torch
import gfla_video.ops as ops
warnings.simplefilter("ignore")
source = torch.arange(12.0).view(1, 1, 3, 4)
base = torch.zeros(1, 2, 1, 1, dtype=torch.int32)
out = ops.windowed_gather(source, torch.ones(1, 4, 1, 1), base)
print(json.dumps([ops.__file__, out.item(), *ops.backend_for(source)]))
"""


def test_without_a_compiler_the_wheel_works(checkout: Path, tmp_path: Path) -> None:
    hook = "import setuptools.build_meta as b; b.build_wheel('..')"
    said = run("-c", hook, cwd=checkout, **NO_COMPILER)
    reason = "the C++ compiler /bin/false does not work (exit status 1)"
    told = [line for line in said.stdout.splitlines() if line.startswith("gfla_video: ")]
    assert told == [f"gfla_video: no native library was built, plain torch serves: {reason}"]
    assert "Traceback" not in said.stdout + said.stderr
    site = tmp_path / "site"
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(site)
        assert not [n for n in wheel.namelist() if "csrc" in n or n.startswith("native_build")]
    record = json.loads((site / "gfla_video/ops/_native_build.json").read_text())
    assert [record[name]["built"] for name in ("cpu", "cuda")] == [False, False]
    assert record["cpu"]["reason"] == reason
    where, value, name, why = json.loads(run("-c", USE, cwd=site).stdout)
    assert Path(where).is_relative_to(site)
    assert (value, name, why) == (0 + 1 + 4 + 5, "reference", reason)


def test_a_new_build_takes_old_libraries_away(checkout: Path) -> None:
    """GFLA_BUILD=none, and nothing of an earlier build is left to be loaded."""
    ops = checkout / "gfla_video" / "ops"
    for old in ("_native_cpu.so", "_native_cuda.so", "_native_build.json"):
        (ops / old).write_text("old")
    run("setup.py", "-q", "build_ext", "--inplace", cwd=checkout, GFLA_BUILD="none")
    assert not list(ops.glob("*.so"))
    record = json.loads((ops / "_native_build.json").read_text())
    assert record["cuda"]["reason"] == "GFLA_BUILD=none leaves it out"
    run("setup.py", "-q", "build_ext", "--inplace", cwd=checkout, GFLA_BUILD="gpu")
    said = run("-m", "native_build", cwd=checkout).stdout
    assert "GFLA_BUILD=gpu: choose none, cpu, cuda, all" in said


def test_the_source_distribution_holds_what_a_build_needs(checkout: Path) -> None:
    (checkout / "gfla_video" / "ops" / "_native_cpu.so").write_text("built")
    run("setup.py", "-q", "egg_info", cwd=checkout)
    listed = next(checkout.glob("*.egg-info")).joinpath("SOURCES.txt").read_text().splitlines()
    sources = [p for p in (checkout / "gfla_video/ops/csrc").rglob("*") if p.is_file()]
    missing = {p.relative_to(checkout).as_posix() for p in sources} - set(listed)
    assert sources
    assert not missing
    assert "native_build/command.py" in listed
    assert not [name for name in listed if name.endswith((".so", "_native_build.json"))]


IMPORT_ALL = """
import importlib, pathlib, sys
for name in ("gfla_video", *(f"gfla_video.{part}" for part in sys.argv[1:])):
    importlib.import_module(name)
maps = pathlib.Path("/proc/self/maps")
loaded = "_native_" in maps.read_text() if maps.exists() else False
import torch
print(loaded, hasattr(torch.ops.gfla_video, "windowed_gather"), "native_build" in sys.modules)
"""
PARTS = ("ops", "components.attention", "models", "apis", "apis.check_install", "apis.training")


def test_importing_never_touches_the_library(checkout: Path) -> None:
    """A broken library is noticed at first use, with a reason, and the reference serves."""
    ops = checkout / "gfla_video" / "ops"
    (ops / "_native_cpu.so").write_text("no library")
    said = run("-W", "error::RuntimeWarning", "-c", IMPORT_ALL, "ops", cwd=checkout)
    assert said.stdout.split() == ["False", "False", "False"]
    _, value, name, why = json.loads(run("-c", USE, cwd=checkout).stdout)
    assert (value, name) == (10, "reference")
    assert "_native_cpu.so could not be loaded" in why


@needs_library
def test_importing_does_not_load_a_good_library(repo_root: Path) -> None:
    said = run("-c", IMPORT_ALL, *PARTS, cwd=repo_root)
    assert said.stdout.split() == ["False", "False", "False"]


THREADS = """
import os, pathlib, torch
from gfla_video.ops import load_native
assert load_native("cpu") == ""
torch.set_num_threads(2)
source = torch.ones(1, 8, 64, 64)
weights = torch.ones(1, 4, 64, 64)
base = torch.zeros(1, 2, 64, 64, dtype=torch.int32)
before = len(os.listdir("/proc/self/task"))
torch.ops.gfla_video.windowed_gather(source, weights, base)
after = len(os.listdir("/proc/self/task"))
maps = pathlib.Path("/proc/self/maps").read_text().split()
print(after - before, len({word for word in maps if "libgomp" in word or "libomp" in word}))
"""


@needs_library
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_library_shares_torch_s_threads(repo_root: Path) -> None:
    """Two threads serve the op, and one OpenMP library serves the process."""
    started, libraries = map(int, run("-c", THREADS, cwd=repo_root).stdout.split())
    if build_record().get("cpu", {}).get("note"):
        pytest.skip("built by a compiler without torch's OpenMP")
    assert (started, libraries) == (1, 1)


@needs_library
@pytest.mark.skipif(shutil.which("readelf") is None, reason="needs readelf")
def test_the_library_brings_no_openmp_and_no_python() -> None:
    dynamic = subprocess.run(
        ["readelf", "-d", str(find_library("cpu"))], capture_output=True, text=True, check=True
    )
    needed = [line for line in dynamic.stdout.splitlines() if "NEEDED" in line]
    assert any("libtorch_cpu" in line for line in needed)
    assert not [line for line in needed if "omp" in line or "python" in line]
    assert "RUNPATH" not in dynamic.stdout
    assert "RPATH" not in dynamic.stdout


def compiler_works() -> bool:
    try:
        find_compiler(os.environ)
    except CannotBuildError:
        return False
    return True


@pytest.mark.skipif(not compiler_works(), reason="no C++ compiler")
def test_build_and_failure_of_one_library(tmp_path: Path) -> None:
    source = tmp_path / "answer.cpp"
    extension = Extension("answer", [str(source)])
    extension.extra_compile_args = {"cxx": ["-O0"]}
    source.write_text('extern "C" int answer() { return 42; }\n')
    environment = find_compiler(os.environ).environment(os.environ)
    before = dict(os.environ)
    library = run_build(extension, tmp_path / "work", environment)
    assert library.name == "answer.so"
    assert ctypes.CDLL(str(library)).answer() == 42
    source.write_text('extern "C" int answer() { return nothing; }\n')
    with pytest.raises(CannotBuildError, match=r"answer\.cpp:1:.* error: .*nothing.*build\.log"):
        run_build(extension, tmp_path / "work", environment)
    assert dict(os.environ) == before


def nvcc(folder: Path, release: str, known: str) -> Path:
    """A stand-in that answers the questions that the build asks."""
    script = folder / "bin" / "nvcc"
    script.parent.mkdir(parents=True)
    script.write_text(
        '#!/bin/sh\ncase "$1" in\n'
        f'--version) echo "Cuda compilation tools, release {release}, V{release}.88" ;;\n'
        f'--list-gpu-arch) printf "compute_%s\\n" {known} ;;\n'
        f'--dryrun) echo "#$ _HERE_={script.parent}" >&2 ;;\nesac\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


def test_the_toolkit_is_found_and_compared_with_torch(tmp_path: Path) -> None:
    home = tmp_path / "cuda"
    nvcc(home, "12.4", "50 75 80 86 89 90")
    given = {"CUDA_HOME": str(home), "PATH": os.environ["PATH"]}
    found = find_toolkit(given, "12.6")
    assert (found.home, found.version, found.supported[-1]) == (home, "12.4", (9, 0))
    with pytest.raises(CannotBuildError, match="is 12.4, but torch was built with CUDA 13.0"):
        find_toolkit(given, "13.0")
    with pytest.raises(CannotBuildError, match="the installed torch has no CUDA"):
        find_toolkit(given, None)
    with pytest.raises(
        CannotBuildError, match="no CUDA toolkit was found: .*none.bin.nvcc is miss"
    ):
        find_toolkit({"CUDA_HOME": str(tmp_path / "none")}, "13.0")
    wrapper = tmp_path / "path" / "nvcc"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {home}/bin/nvcc "$@"\n')
    wrapper.chmod(0o755)
    on_path = {"PATH": f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}"}
    assert find_toolkit(on_path, "12.6").home == home


SUPPORTED = [(7, 5), (8, 0), (8, 6), (8, 9), (9, 0)]


def test_architectures() -> None:
    assert choose_architectures("8.0;9.0+PTX", [(7, 5)], SUPPORTED) == "8.0;9.0+PTX"
    assert choose_architectures("", [], SUPPORTED) == "7.5;8.0;8.6;8.9;9.0+PTX"
    assert choose_architectures("", [], DEFAULT_ARCHITECTURES).endswith("9.0;10.0;12.0+PTX")
    assert choose_architectures("native", [(9, 0), (8, 0), (9, 0)], SUPPORTED) == "8.0;9.0+PTX"
    assert choose_architectures("", [(12, 0)], SUPPORTED) == "9.0+PTX"  # newer than nvcc
    with pytest.raises(CannotBuildError, match="none of the GPUs"):
        choose_architectures("", [(6, 1)], SUPPORTED)
    assert gencode_flags("7.5;12.0+PTX") == [
        "-gencode=arch=compute_75,code=sm_75",
        "-gencode=arch=compute_120,code=sm_120",
        "-gencode=arch=compute_120,code=compute_120",
    ]


@pytest.mark.parametrize("names", [("cu13",), ("cublas", "cusparse")])
def test_headers_of_the_pip_packages(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in (*names, "empty"):
        (tmp_path / "nvidia" / name).mkdir(parents=True)
    for name in names:
        (tmp_path / "nvidia" / name / "include").mkdir()
        (tmp_path / "nvidia" / name / "lib").mkdir()
    includes, libraries = pip_cuda_folders(tmp_path)
    assert includes == [str(tmp_path / "nvidia" / name / "include") for name in names]
    assert libraries == [str(tmp_path / "nvidia" / name / "lib") for name in names]


def test_the_sentence_and_what_is_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = {"built": True, "torch": torch.__version__, "reason": ""}
    cuda = {"built": False, "torch": torch.__version__, "reason": "no toolkit"}
    assert sentence({"cpu": cpu, "cuda": cuda}) == (
        f"built the native CPU library for torch {torch.__version__}; "
        "the CUDA library was not built: no toolkit"
    )
    assert "CPU and CUDA libraries" in sentence({"cpu": cpu, "cuda": cpu})
    monkeypatch.setenv("GFLA_BUILD", "cpu")
    monkeypatch.setenv("CXX", "/bin/false")
    broken = {"cpu": {**cpu, "built": False, "reason": "it broke"}, "cuda": cuda}
    assert lacking(broken) == []  # nothing could be built here
    monkeypatch.delenv("CXX")
    if compiler_works():
        assert lacking({"cpu": cpu, "cuda": cuda}) == []
        assert lacking(broken) == ["cpu: it broke"]
        old = {"cpu": {**cpu, "torch": "2.6.0"}, "cuda": cuda}
        assert lacking(old) == ["cpu: built for torch 2.6.0"]


def test_the_set_up_notices_what_the_build_depends_on(checkout: Path, repo_root: Path) -> None:
    """The stamp of tools/setup.sh: other sources, choices or compilers mean another build."""
    script = (repo_root / "tools" / "setup.sh").read_text()
    function = script[script.index("build_digest() {") :].split("\n}\n")[0] + "\n}\n"

    def digest(**environment: str) -> str:
        done = subprocess.run(
            [shutil.which("bash") or "bash", "-c", f'{function} build_digest "{sys.executable}"'],
            cwd=checkout,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    first = digest()
    (checkout / "gfla_video" / "ops" / "_native_cpu.so").write_text("built")
    assert digest() == first
    assert digest(GFLA_BUILD="none") != first
    assert digest(PATH=str(Path(sys.executable).parent)) != first  # no compiler on the path
    header = next((checkout / "gfla_video" / "ops" / "csrc").rglob("*.h"))
    header.write_text(header.read_text() + "// changed\n")
    assert digest() != first


def test_a_library_whose_file_is_gone_counts_as_missing(tmp_path: Path) -> None:
    built = {"built": True, "torch": "2.0.0", "reason": ""}
    record = {"cpu": dict(built), "cuda": dict(built)}
    (tmp_path / "_native_cpu.so").touch()
    assert gone(record, tmp_path) == ["cuda"]
    assert sentence(record) == (
        "built the native CPU library for torch 2.0.0; "
        "the CUDA library was not built: it was built, but its file is gone"
    )
