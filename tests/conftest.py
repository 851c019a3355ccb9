"""Fixtures of all tests: golden and real data, a small synthetic data set, fixed random numbers."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent


class GoldenCase(NamedTuple):
    """One case of reference numbers: ``case.json``, the arrays of ``io.npz``, and the folder."""

    case: dict[str, Any]
    arrays: dict[str, np.ndarray]
    folder: Path


@pytest.fixture(autouse=True)
def fixed_random_numbers() -> None:
    """Every test starts from the same seeds, on one thread."""
    torch.set_num_threads(1)
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """Root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder of golden and real data: ``GFLA_SHARED``, else ``../shared`` beside the checkout."""
    folder = Path(os.environ.get("GFLA_SHARED", ROOT.parent / "shared"))
    if not (folder / "golden").is_dir():
        pytest.skip(f"no golden data at {folder} (set GFLA_SHARED to the folder that holds it)")
    return folder


@pytest.fixture(scope="session")
def golden(shared_dir: Path) -> Callable[[str], GoldenCase]:
    """``golden("pose_fashion")`` gives that case's description, arrays and folder."""

    def load(name: str) -> GoldenCase:
        folder = shared_dir / "golden" / name
        case = json.loads((folder / "case.json").read_text())
        with np.load(folder / "io.npz") as arrays:
            return GoldenCase(case, {key: arrays[key] for key in arrays.files}, folder)

    return load


def run_tool(
    *arguments: str | Path, check: bool = True, timeout: float = 240, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``python ARGUMENTS`` in the root of the checkout and give what it printed.

    Args:
        arguments: script, relative to the root, and its arguments.
        check: fail the test, with the output, when the exit code is not 0.
        timeout: seconds.
        environment: added to the environment.
    """
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if check and done.returncode != 0:
        pytest.fail(f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


@pytest.fixture(scope="session", name="run_tool")
def run_tool_fixture() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The function ``run_tool`` above: a tool of the project in a process of its own."""
    return run_tool


def make_samples(factory: pytest.TempPathFactory, task: str, *options: str) -> Path:
    """A folder of small sample data of a task, 64x64."""
    folder = factory.mktemp("samples") / task
    made = ("data_prep/make_samples.py", "--task", task, "--out", folder, "--size", "64x64")
    run_tool(*made, *options)
    return folder


@pytest.fixture(scope="session")
def sample_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny synthetic pose data set (64x64; 3 people to train, 2 to test, 3 views). Read only."""
    options = ("--train-people", "3", "--test-people", "2", "--views", "3")
    return make_samples(tmp_path_factory, "pose", *options)


@pytest.fixture(scope="session")
def view_samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny synthetic cars and chairs (64x64; 4 to train, 2 to test, 6 views each). Read only."""
    objects = ("--train-objects", "4", "--test-objects", "2")
    few = ("--azimuths", "6", "--elevations", "0", "--samples", "1")
    return make_samples(tmp_path_factory, "view_synthesis", *objects, *few)


@pytest.fixture(scope="session")
def face_samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny synthetic talking heads (64x64; 3 to train, 2 to test, 8 frames each). Read only."""
    options = ("--train-heads", "3", "--test-heads", "2", "--frames", "8", "--drive-frames", "8")
    return make_samples(tmp_path_factory, "face", *options)
