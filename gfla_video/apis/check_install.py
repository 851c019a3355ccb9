"""Whether this installation computes what it should: every backend, device and number type.

The measure is the plain-torch reference in float64 on the CPU, on the same rounded inputs. Errors
are relative to the largest true value (or 1, where that is more), the worst of several cases.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import torch
from torch import Tensor

from gfla_video.apis.check_cases import (
    CASES,
    OPERATORS,
    Case,
    make_inputs,
    on_device,
    relative_error,
    run_operator,
)
from gfla_video.apis.device import choose_device
from gfla_video.ops import backend_for, load_native
from gfla_video.ops.native import build_record, find_library

# Of values around 1. Half types round results only: inputs are the same on both sides.
TOLERANCES = {
    torch.float64: 1e-12,
    torch.float32: 1e-5,
    torch.float16: 2e-3,
    torch.bfloat16: 1.6e-2,
}


class Result(NamedTuple):
    """One line of the table. ``problem`` says why there is no number."""

    device: str
    dtype: str
    op: str
    backend: str
    forward: float
    backward: float
    tolerance: float
    problem: str

    @property
    def ok(self) -> bool:
        """Whether both errors are within the tolerance (not a number is not)."""
        within = self.forward <= self.tolerance and self.backward <= self.tolerance
        return within and not self.problem


class Report(NamedTuple):
    """What :func:`check_install` found: sentences, the table, and devices without native code."""

    facts: list[str]
    results: list[Result]
    missing: dict[str, str]

    def status(self, require: str | None = None) -> int:
        """Exit status: 1 on a wrong result, or where ``require="native"`` is not met."""
        wrong = any(not result.ok for result in self.results)
        return int(wrong or (require == "native" and bool(self.missing)))


def check_install(device: str | None = None, cases: Sequence[Case] = CASES) -> Report:
    """Compare every backend with the reference, forward and backward.

    Args:
        device: only this one; None for the CPU and every visible accelerator.
        cases: sizes and layouts to try.

    Raises:
        UserError: the device cannot be used.
    """
    devices = [choose_device(name) for name in ([device] if device else visible_devices())]
    missing = {str(d): reason for d in devices if (reason := load_native(d.type))}
    results = []
    for place in devices:
        for backend in ("reference",) if str(place) in missing else ("reference", "native"):
            for dtype in TOLERANCES:
                if _holds(place, dtype):
                    results += [_compare(place, dtype, op, backend, cases) for op in OPERATORS]
    facts = [*describe_versions(), *describe_build(), *_describe_choice(devices)]
    return Report(facts, results, missing)


def visible_devices() -> list[torch.device]:
    """The CPU and every accelerator of the machine."""
    kind = torch.accelerator.current_accelerator(check_available=True)
    count = torch.accelerator.device_count() if kind is not None else 0
    others = [torch.device(kind.type, index) for index in range(count)] if kind else []
    return [torch.device("cpu"), *others]


def describe_versions() -> list[str]:
    """Versions of this package, Python, torch and CUDA."""
    try:
        own = version("gfla_video")
    except PackageNotFoundError:
        own = "(not installed, run from its folder)"
    cuda = f"CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
    return [
        f"gfla_video {own}, Python {platform.python_version()}, {platform.platform()}",
        f"torch {torch.__version__} ({cuda}), {torch.get_num_threads()} CPU threads, "
        f"instructions {torch.backends.cpu.get_cpu_capability()}",
    ]


def describe_build() -> list[str]:
    """What the build record says of each library."""
    record = build_record()
    lines = []
    for name in ("cpu", "cuda"):
        entry = record.get(name, {})
        if entry.get("built"):
            parts = (entry.get("compiler"), entry.get("architectures"), entry.get("note"))
            details = ", ".join(str(part) for part in parts if part)
            lines.append(f"native {name.upper()} library: for torch {entry['torch']} ({details})")
        else:
            found = "found, but" if find_library(name) else "not built,"
            reason = entry.get("reason") or "there is no build record"
            lines.append(f"native {name.upper()} library: {found} {reason}")
    return lines


def _describe_choice(devices: Sequence[torch.device]) -> list[str]:
    """Which backend serves each device, and why; types together where they agree."""
    lines = []
    for device in devices:
        served: dict[str, list[str]] = {}
        for dtype in TOLERANCES:
            if _holds(device, dtype):
                choice = backend_for(torch.empty(1, 1, 1, 1, dtype=dtype, device=device))
                served.setdefault(f"{choice.name}: {choice.reason}", []).append(_short(dtype))
        lines += [f"{device} {', '.join(types)} by {why}" for why, types in served.items()]
    return lines


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _holds(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the device knows the type at all (some have no float64)."""
    try:
        torch.zeros(1, dtype=dtype, device=device)
    except (TypeError, RuntimeError):
        return False
    return True


@contextmanager
def _no_self_check() -> Iterator[None]:
    """Kernels that the self-check would refuse are run here, to say by how much they are wrong."""
    before = os.environ.get("GFLA_SELF_CHECK")
    os.environ["GFLA_SELF_CHECK"] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ["GFLA_SELF_CHECK"]
        else:
            os.environ["GFLA_SELF_CHECK"] = before


def _compare(
    device: torch.device, dtype: torch.dtype, op: str, backend: str, cases: Sequence[Case]
) -> Result:
    forward = backward = 0.0
    problem = ""
    for number, case in enumerate(cases):
        inputs, upstream = make_inputs(op, case, dtype, torch.Generator().manual_seed(number))
        true = run_operator(
            op, [tensor.to(_wide(tensor)) for tensor in inputs], upstream, "reference"
        )
        try:
            with _no_self_check():
                placed = [on_device(tensor, device) for tensor in inputs]
                ours = run_operator(op, placed, upstream.to(device), backend)
            forward = max(forward, relative_error(ours[0], true[0]))
            backward = max(backward, *map(relative_error, ours[1:], true[1:]))
        except RuntimeError as error:  # also what a GPU reports later, when results are fetched
            problem = str(error).splitlines()[0]
            forward = backward = float("nan")
            break
    return Result(
        str(device), _short(dtype), op, backend, forward, backward, TOLERANCES[dtype], problem
    )


def _wide(tensor: Tensor) -> torch.dtype:
    return torch.float64 if tensor.is_floating_point() else tensor.dtype


def format_report(report: Report) -> str:
    """Everything that was found, for a terminal."""
    head = f"{'device':8} {'dtype':9} {'op':16} {'backend':10} {'forward':>9} {'backward':>9} "
    lines = [*report.facts, "", f"{head}{'tolerance':>9}  ok"]
    for r in report.results:
        verdict = "ok" if r.ok else f"WRONG {r.problem}".rstrip()
        lines.append(
            f"{r.device:8} {r.dtype:9} {r.op:16} {r.backend:10} {r.forward:9.1e} {r.backward:9.1e} "
            f"{r.tolerance:9.1e}  {verdict}"
        )
    lines.append("")
    lines += [f"{place} has no native kernels: {why}" for place, why in report.missing.items()]
    wrong = sum(not result.ok for result in report.results)
    if wrong:
        lines.append(f"{wrong} of {len(report.results)} comparisons are wrong")
    else:
        lines.append("what serves is right" if report.missing else "all right")
    return "\n".join(lines)
