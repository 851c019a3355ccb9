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
_Kinds = tuple[type, ...]
_ABSENT = object()  # is of no kind
_NOTHING = type(None)
_TEXT, _WHOLE, _NUMBER = (str, _NOTHING), (int, _NOTHING), (int, float, _NOTHING)
# What readers of a results file take for granted.
_HEAD: dict[str, _Kinds] = {
    **dict.fromkeys(("task", "config", "checkpoint", "checkpoint_sha256", "command"), _TEXT),
    "iterations": _WHOLE,
    "train_seconds": _NUMBER,
    "size": (list, _NOTHING),
}
_TABLE: dict[str, _Kinds] = {
    "protocol": (dict, _NOTHING),
    "count": (int,),
    "warnings": (list,),
    "test_metrics": (list,),
    "weights": (dict,),
    "results": (dict,),
}
_PROTOCOL: dict[str, _Kinds] = {"name": (str,), "version": (int, str), "digest": (str,)}


def read_results(path: str | Path) -> dict[str, Any]:
    """What ``tools/test.py --out`` wrote.

    Raises:
        UserError: the file cannot be read, is something else, of another version of the format, or
            damaged.
    """
    try:
        report = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is no JSON ({error}); tools/test.py --out writes it") from error
    if not isinstance(report, dict) or report.get("format") != RESULTS_FORMAT:
        raise UserError(f"{path}: is no results file; pass what tools/test.py --out wrote")
    if report.get("version") != RESULTS_VERSION:
        raise UserError(
            f"{path}: is version {report.get('version')} of the results format, this program "
            f"reads version {RESULTS_VERSION}; measure again"
        )
    faults = _faults(report, _HEAD, "the head")
    if not faults and len(report["size"] or (0, 0)) != 2:
        faults.append("the head has a wrong 'size'")
    tables = report.get("tables")
    if not isinstance(tables, list) or not tables:
        faults.append("no 'tables'")
    else:
        for number, table in enumerate(tables, 1):
            faults += _table_faults(table, f"table {number}")
    if faults:
        raise UserError(
            f"{path}: is damaged ({faults[0]}); pass what tools/test.py --out wrote, or measure "
            "again"
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


def _table_faults(table: Any, where: str) -> list[str]:
    """What is wrong with a table of a results file."""
    if not isinstance(table, dict):
        return [f"{where} is no table"]
    faults = _faults(table, _TABLE, where)
    if faults:
        return faults
    if table["protocol"] is not None:
        faults += _faults(table["protocol"], _PROTOCOL, f"the protocol of {where}")
    if not all(isinstance(warning, str) for warning in table["warnings"]):
        faults.append(f"a warning of {where} is no text")
    for key, kind in (("test_metrics", list), ("weights", dict), ("real", dict)):
        held = table.get(key, kind())
        if not isinstance(held, kind) or not all(
            isinstance(one, dict) for one in (held.values() if isinstance(held, dict) else held)
        ):
            faults.append(f"'{key}' of {where} has a wrong value")
    if not isinstance(table["results"].get("model"), dict):
        faults.append(f"{where} has no row 'model'")
    for name, row in table["results"].items():
        if not isinstance(row, dict) or not all(isinstance(v, _NUMBER) for v in row.values()):
            faults.append(f"row '{name}' of {where} holds no numbers")
    return faults


def _faults(held: Mapping[str, Any], kinds: Mapping[str, _Kinds], where: str) -> list[str]:
    """Values that are not there, or not of the kind that they must be."""
    return [
        f"{where} has {f'a wrong {key!r}' if key in held else f'no {key!r}'}"
        for key, kind in kinds.items()
        if not isinstance(held.get(key, _ABSENT), kind)
    ]


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4f}"
