"""Results as tables for people; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BASELINES = ("copy_source", "mean_of_targets", "zero_flow")
Results = dict[str, dict[str, float | None]]


def format_count(report: Mapping[str, Any]) -> str:
    """What was measured: ``6 held-out samples``, ``144 held-out frames of 6 clips``."""
    if "clips" in report:
        return f"{report['count']} held-out frames of {report['clips']} clips"
    return f"{report['count']} held-out samples"


def format_table(results: Results) -> str:
    """Predictors as rows, values as columns; whole numbers as they are, ``-`` where not defined."""
    columns = list(dict.fromkeys(key for values in results.values() for key in values))
    rows = [["", *columns]]
    for name, values in results.items():
        cells = [values.get(column) for column in columns]
        rows.append([name, *map(_cell, cells)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns) + 1)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4f}"
