"""The tables that people read; the file holds more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

_HEAD = ("variant", "median", "q1 .. q3", "min .. max", "peak MiB", "floor", "reached", "per s")


def format_report(report: dict[str, Any]) -> str:
    """The whole report: machine, one table per case with its ratios, profiles.

    Args:
        report: what :func:`gfla_video.testing.benchmark.benchmark` gives.
    """
    parts = [_machine(report)]
    parts += [_case(case) for case in report["cases"]]
    parts += [_profile(found) for found in report.get("profiles", ())]
    parts += [f"left out: {name}: {why}" for name, why in report["left_out"].items()]
    if report["settings"]["quick"]:
        parts.append("--quick: tiny sizes and two rounds, these figures mean nothing")
    return "\n\n".join(parts)


def _machine(report: dict[str, Any]) -> str:
    machine, versions, rates = report["machine"], report["versions"], report["rates"]
    where = report.get("gpu", {}).get("name") or f"{machine['cpu']} ({machine['cpu_capability']})"
    others = rates["convolution_flops_per_second"]
    products = ", ".join(
        f"{name} {rate / 1e9:.0f} and {others[name] / 1e9:.0f} GFLOP/s"
        for name, rate in rates["matmul_flops_per_second"].items()
    )
    commit = (versions["commit"] or "no commit known")[:10]
    changed = (
        f" with {versions['changed_files']} changed files" if versions["changed_files"] else ""
    )
    return (
        f"{report['command']} on {where}, {machine['threads']} of {machine['cores']} cores, "
        f"load {_load(machine)}, torch {versions['torch']}, {commit}{changed}\n"
        f"copy {rates['copy_bytes_per_second'] / 1e9:.1f} GB/s, "
        f"product and convolution {products or 'not used'}\n"
        f"native: {report['native']}\n"
        "a / b: how many times a's time and memory are b's; reached: the floor over the median"
    )


def _load(machine: dict[str, Any]) -> str:
    load = machine["load_average"]
    return f"{load[0]:.1f}" if load else "unknown"


def _case(case: dict[str, Any]) -> str:
    rows = [_HEAD, *(_row(name, entry) for name, entry in case["variants"].items())]
    lines = [f"== {case['name']}", *_columns(rows)]
    lines += [_ratio(name, entry) for name, entry in case["ratios"].items()]
    lines += [f"  left out: {name}: {why}" for name, why in case["left_out"].items()]
    return "\n".join(lines)


def _row(name: str, entry: dict[str, Any]) -> tuple[str, ...]:
    seconds, peak = entry["seconds"], entry["peak_extra_bytes"]
    return (
        name,
        _time(seconds["median"]),
        f"{_time(seconds['q1'])} .. {_time(seconds['q3'])}",
        f"{_time(seconds['min'])} .. {_time(seconds['max'])}",
        "-" if peak is None else f"{peak / 2**20:.1f}",
        f"{_time(entry['floor']['seconds'])} {entry['floor']['bound_by']}",
        f"{100 * entry['fraction_of_floor']:.0f} %",
        f"{entry['items_per_second']:.4g}",
    )


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def _ratio(name: str, entry: dict[str, Any]) -> str:
    time = entry["time"]
    text = f"  {name}: time x{time['median']:.2f} ({time['q1']:.2f} .. {time['q3']:.2f})"
    extra, whole = entry["peak_extra_bytes"], entry["peak_bytes"]
    if extra is not None:
        text += f", extra memory x{extra:.2f}"
    if whole is not None and whole != extra:
        text += f", with what is always held x{whole:.2f}"
    return text


def _profile(found: dict[str, Any]) -> str:
    share = 100 * found["attention_outside_convolutions_share"]
    lines = [
        f"== profile of {found['name']} batch {found['batch']}",
        f"  frame {found['frame_ms']:.2f} ms, attention blocks {found['attention_ms']:.2f} ms, "
        f"of which convolutions {found['attention_convolutions_ms']:.2f} ms; "
        f"the rest of the blocks {found['attention_outside_convolutions_ms']:.2f} ms = "
        f"{share:.1f} % of the frame; fusion {found['fusion_ms']:.2f} ms",
    ]
    rows: list[tuple[str, ...]] = [("operator", "calls", "own ms", "share")]
    rows += [
        (top["operator"], f"{top['calls']:.0f}", f"{top['ms']:.2f}", f"{100 * top['share']:.1f} %")
        for top in found["top"]
    ]
    return "\n".join([*lines, *_columns(rows)])


def _columns(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Aligned lines, the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        first, *others = (cell for cell in row)
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        yield "  " + "  ".join(cells)
