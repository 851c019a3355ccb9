"""The install check: its table, its exit status, and that it catches what is wrong."""

from __future__ import annotations

import math
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gfla_video.apis import check_cases
from gfla_video.apis.check_cases import CASES, make_inputs, on_device, relative_error
from gfla_video.apis.check_install import (
    TOLERANCES,
    Report,
    Result,
    check_install,
    format_report,
)
from gfla_video.ops import load_native
from gfla_video.utils.errors import UserError

needs_native = pytest.mark.skipif(bool(load_native("cpu")), reason="no native CPU library")
FEW = CASES[2:4]
OPS = {"windowed_gather", "local_attention", "gaussian_warp", "bilinear_warp"}
Change = Callable[[Tensor, Tensor], Tensor]


def test_this_installation_is_right() -> None:
    report = check_install("cpu")
    assert [r for r in report.results if not r.ok] == []
    backends = {"reference"} if report.missing else {"reference", "native"}
    found = {(r.dtype, r.op, r.backend) for r in report.results}
    types = [str(dtype).removeprefix("torch.") for dtype in TOLERANCES]
    assert found == {(t, op, b) for t in types for op in OPS for b in backends}
    assert report.status() == 0
    text = format_report(report)
    assert text.endswith("all right")
    assert f"torch {torch.__version__}" in text
    assert "native CPU library: " in text
    assert "cpu float64, float32" in text  # who serves


def spoil(monkeypatch: pytest.MonkeyPatch, op: str, wrong: Callable[..., Tensor]) -> None:
    """Put a wrong operator in the place of the CPU's own, asked for as ``reference``."""
    right = check_cases.OPERATORS[op]

    def operator(inputs: list[Tensor], backend: str) -> Tensor:
        out = right(inputs, backend)
        return out if inputs[0].dtype == torch.float64 else wrong(out, inputs[0])

    monkeypatch.setitem(check_cases.OPERATORS, op, operator)


def a_little_off(out: Tensor, source: Tensor) -> Tensor:
    return out + 1e-3


def gradient_off(out: Tensor, source: Tensor) -> Tensor:
    return out + 1e-4 * (source.sum() - source.detach().sum())


def not_a_number(out: Tensor, source: Tensor) -> Tensor:
    return out * math.nan


def breaks(out: Tensor, source: Tensor) -> Tensor:
    raise RuntimeError("an illegal memory access\nwas encountered")


@pytest.mark.parametrize(
    ("wrong", "forward", "backward"),
    [
        (a_little_off, False, True),
        (gradient_off, True, False),
        (not_a_number, False, False),
        (breaks, False, False),
    ],
)
def test_a_wrong_result_is_caught(
    monkeypatch: pytest.MonkeyPatch,
    wrong: Callable[..., Tensor],
    forward: bool,
    backward: bool,
) -> None:
    spoil(monkeypatch, "gaussian_warp", wrong)
    report = check_install("cpu", FEW)
    chosen = [r for r in report.results if r.dtype == "float32" and r.backend == "reference"]
    assert {r.op for r in chosen if not r.ok} == {"gaussian_warp"}
    found = next(r for r in chosen if not r.ok)
    assert (found.forward <= found.tolerance, found.backward <= found.tolerance) == (
        forward,
        backward,
    )
    assert found.problem == ("an illegal memory access" if wrong is breaks else "")
    assert report.status() == 1
    assert "WRONG" in format_report(report)


WRONG_KERNELS = """
import sys, torch
from gfla_video.apis.check_cases import CASES
from gfla_video.apis.check_install import check_install, format_report
from gfla_video.ops import load_native
assert load_native("cpu") == ""
library = torch.library.Library("gfla_video", "IMPL")
def wrong(grad, weights, base, height, width):
    return torch.zeros(grad.shape[0], grad.shape[1], height, width, dtype=grad.dtype)
library.impl("windowed_gather_grad_source", wrong, "CPU", allow_override=True)
report = check_install("cpu", CASES[2:4])
print(format_report(report))
sys.exit(report.status())
"""


@needs_native
def test_wrong_kernels_are_caught_and_not_used(
    run_tool: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """A kernel of the library itself is replaced: numbers in the table, and plain torch serves."""
    done = run_tool("-W", "ignore", "-c", WRONG_KERNELS, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    rows = [line for line in lines if line.startswith("cpu ") and " native " in line]
    assert len(rows) == len(OPS) * len(TOLERANCES)
    assert all(row.endswith("WRONG") for row in rows)
    assert sum("by reference: its self-check failed" in line for line in lines) == len(TOLERANCES)


@needs_native
def test_native_is_there_and_measured() -> None:
    report = check_install("cpu", FEW)
    assert report.missing == {}
    assert report.status("native") == 0
    assert max(r.forward for r in report.results if r.backend == "native") > 0


def test_missing_kernels_are_said_and_are_an_error_where_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = "gfla_video.apis.check_install.load_native"
    monkeypatch.setattr(place, lambda kind: "no C++ compiler was found")
    report = check_install("cpu", FEW)
    assert {r.backend for r in report.results} == {"reference"}
    assert "cpu has no native kernels: no C++ compiler was found" in format_report(report)
    assert (report.status(), report.status("native")) == (0, 1)


def run_command(monkeypatch: pytest.MonkeyPatch, repo_root: Path, *arguments: str) -> int:
    monkeypatch.setattr("gfla_video.utils.cli.prepare_process", lambda: None)
    monkeypatch.setattr(sys, "argv", ["check_install.py", *arguments])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(repo_root / "tools" / "check_install.py"), run_name="__main__")
    return int(stopped.value.code or 0)


def test_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], repo_root: Path
) -> None:
    assert run_command(monkeypatch, repo_root, "--device", "cpu") == 0
    assert capsys.readouterr().out.rstrip().endswith("all right")
    wrong = Result("cpu", "float32", "windowed_gather", "native", 1.0, 0.0, 1e-5, "")
    monkeypatch.setattr(
        "gfla_video.apis.check_install.check_install",
        lambda device: Report(["facts"], [wrong, wrong._replace(forward=0.0)], {}),
    )
    assert run_command(monkeypatch, repo_root) == 1
    assert "1 of 2 comparisons are wrong" in capsys.readouterr().out


def test_an_unknown_device(monkeypatch: pytest.MonkeyPatch, repo_root: Path) -> None:
    assert run_command(monkeypatch, repo_root, "--device", "toaster") == 2
    with pytest.raises(UserError, match="--device toaster"):
        check_install("toaster")


@pytest.mark.parametrize("case", CASES)
def test_cases_are_what_they_say(case: check_cases.Case) -> None:
    generator = torch.Generator().manual_seed(0)
    inputs, upstream = make_inputs("local_attention", case, torch.bfloat16, generator)
    source, taps, flow = inputs
    assert source.shape == (case.batch, case.channels, *case.size)
    assert taps.shape == (case.batch, case.window**2, *case.out)
    assert upstream.shape == (case.batch, case.channels, *case.out)
    dense = source.is_contiguous() or source.is_contiguous(memory_format=torch.channels_last)
    assert dense == (case.layout in ("contiguous", "channels_last"))
    moved = on_device(source, torch.device("meta"))
    assert moved.shape == source.shape
    if source.numel():
        assert moved.stride() == source.stride()
        assert flow.isnan().any()
    finite = flow[flow.isfinite() & (flow.abs() < 1e9)].double()
    assert torch.equal(finite * 16, (finite * 16).round())


def test_the_measure() -> None:
    true = torch.tensor([0.0, 100.0], dtype=torch.float64)
    assert relative_error(true + 1, true) == pytest.approx(0.01)
    assert relative_error(true / 1000 + 1, true / 1000) == pytest.approx(1)
    assert relative_error(torch.tensor([math.nan, 0.0]), true) == math.inf
    assert relative_error(true[:1], true) == math.inf
    assert relative_error(torch.empty(0), torch.empty(0, dtype=torch.float64)) == 0
