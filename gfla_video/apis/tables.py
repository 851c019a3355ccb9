"""Results files, and their tables for people; imports nothing heavy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gfla_video.utils.errors import UserError

BASELINES = ("copy_source", "mean_of_targets", "zero_flow")
Results = dict[str, dict[str, float | None]]
RESULTS_FORMAT, RESULTS_VERSION = "gfla_video results", 1


def read_results(path: str | Path) -> dict[str, Any]:
    """What ``tools/test.py --out`` wrote.

    Raises:
        UserError: the file cannot be read, is something else, or of another version of the format.
    """
    try:
        report = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise UserError(f"{path}: is no JSON ({error}); tools/test.py --out writes it") from error
    if not isinstance(report, dict) or report.get("format") != RESULTS_FORMAT:
        raise UserError(f"{path}: is no results file; pass what tools/test.py --out wrote")
    if report.get("version") != RESULTS_VERSION:
        raise UserError(
            f"{path}: is version {report.get('version')} of the results format, this program "
            f"reads version {RESULTS_VERSION}; measure again"
        )
    tables = report.get("tables")
    if not isinstance(tables, list) or not tables or not all(map(_is_table, tables)):
        raise UserError(
            f"{path}: holds no tables with a row 'model' and a 'count'; pass what tools/test.py "
            "--out wrote"
        )
    return report


def format_tables(report: Mapping[str, Any]) -> str:
    """Every table of a report with its header, an empty line between them."""
    return "\n\n".join(map(format_report_table, report["tables"]))


def format_report_table(table: Mapping[str, Any]) -> str:
    """One table of a results file: protocol, count and warnings above the values."""
    lines = [f"{table_title(table)}: {format_count(table)}"]
    lines += [f"  warning: {warning}" for warning in table.get("warnings", [])]
    return "\n".join([*lines, format_table(table["results"])])


def table_title(table: Mapping[str, Any]) -> str:
    """``gfla-2020 v1 (0123456789ab)``, or what the config itself says how to measure."""
    protocol = table.get("protocol")
    if protocol is None:
        return "the config's own metrics"
    return f"{protocol['name']} v{protocol['version']} ({protocol['digest']})"


def format_count(table: Mapping[str, Any]) -> str:
    """What was measured: ``6 held-out samples``, ``144 held-out frames of 6 clips``."""
    if "clips" in table:
        return f"{table['count']} held-out frames of {table['clips']} clips"
    return f"{table['count']} held-out samples"


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


def _is_table(table: Any) -> bool:
    results = table.get("results") if isinstance(table, dict) else None
    return (
        isinstance(results, dict)
        and "model" in results
        and "count" in table
        and all(map(_is_row, results.values()))
    )


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and all(
        value is None or isinstance(value, (int, float)) for value in row.values()
    )


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4f}"
