"""Numbers of several models and seeds as means with their spread."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gfla_video.apis.tables import BASELINES, format_count, table_title
from gfla_video.utils.errors import UserError

Report = Mapping[str, Any]


def summarise(reports: Sequence[tuple[str, Report]]) -> list[dict[str, Any]]:
    """One table per protocol from what :func:`evaluate` says of every model and seed.

    Args:
        reports: the model's name and the report of one of its runs, in the order of the rows.

    Returns:
        Per protocol ``protocol``, ``count`` (and ``clips``), ``warnings`` and ``results``: by
        model, then by the baselines, and by value ``mean``, ``spread`` (the sample's standard
        deviation over seeds, None of one seed) and ``values`` in the order of ``reports``. A value
        that is not defined is None.

    Raises:
        UserError: the runs were not measured under the same protocols on as many pictures.
    """
    first = reports[0][1]["tables"]
    for name, report in reports:
        if [_measured(table) for table in report["tables"]] != [_measured(one) for one in first]:
            raise UserError(
                f"{name}: was not measured under the protocols and on the number of pictures of "
                f"{reports[0][0]}; measure all of them alike"
            )
    return [
        {
            **{key: table[key] for key in ("protocol", "count", "clips") if key in table},
            "warnings": _all_warnings(report["tables"][index] for _, report in reports),
            "results": _rows([(name, report["tables"][index]) for name, report in reports]),
        }
        for index, table in enumerate(first)
    ]


def _measured(table: Report) -> tuple[Any, ...]:
    protocol = table.get("protocol") or {}
    return (
        *(protocol.get(key) for key in ("name", "version", "digest")),
        *(table.get(key) for key in ("count", "references", "weights")),
    )


def _all_warnings(tables: Iterable[Report]) -> list[str]:
    return list(dict.fromkeys(text for table in tables for text in table.get("warnings", ())))


def _rows(tables: Sequence[tuple[str, Report]]) -> dict[str, dict[str, Any]]:
    names = dict.fromkeys(name for name, _ in tables)
    rows = {
        name: _spread([table["results"]["model"] for own, table in tables if own == name])
        for name in names
    }
    for name in BASELINES:  # of the data alone: the same whatever was trained
        if name in tables[0][1]["results"]:
            rows[name] = _spread([tables[0][1]["results"][name]])
    return rows


def _spread(runs: Sequence[Mapping[str, float | None]]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for key in dict.fromkeys(key for run in runs for key in run):
        values = [run.get(key) for run in runs]
        known = [float(value) for value in values if value is not None]
        whole = len(known) == len(values)  # a mean over fewer seeds would hide a failed one
        columns[key] = {
            "mean": statistics.fmean(known) if whole else None,
            "spread": statistics.stdev(known) if whole and len(known) > 1 else None,
            "values": values,
        }
    return columns


def ablation_markdown(found: Report) -> str:
    """What :func:`ablate` gives, as Markdown: one table of the models, one per protocol."""
    seeds = found["seeds"]
    lines = [
        f"Mean and standard deviation over the seeds {', '.join(map(str, seeds))}."
        if len(seeds) > 1
        else f"One seed: {seeds[0]}.",
        "",
        "| model | config | parameters | iterations | training |",
        "|---|---|---|---|---|",
    ]
    for name, model in found["models"].items():
        iterations = ", ".join(f"{stage} {count}" for stage, count in model["iterations"].items())
        millions = f"{model['parameters'] / 1e6:.2f} M"
        taken = _seconds(model["train_seconds"])
        lines.append(f"| {name} | `{model['config']}` | {millions} | {iterations} | {taken} |")
    for table in found["tables"]:
        lines += ["", f"{table_title(table)}, {format_count(table)}:", ""]
        lines += _markdown_rows(table["results"])
        lines += [f"\nWarning: {text}" for text in table["warnings"]]
    return "\n".join(lines) + "\n"


def _markdown_rows(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    columns = list(dict.fromkeys(key for row in results.values() for key in row))
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, row in results.items():
        lines.append(f"| {name} | {' | '.join(_cell(row.get(column)) for column in columns)} |")
    return lines


def _cell(value: Mapping[str, Any] | None) -> str:
    if value is None or value["mean"] is None:
        return "-"
    if value["spread"] is None:
        return f"{value['mean']:.4f}"
    return f"{value['mean']:.4f} ± {value['spread']:.4f}"


def _seconds(runs: Sequence[float | None]) -> str:
    known = [seconds for seconds in runs if seconds is not None and math.isfinite(seconds)]
    return f"{statistics.fmean(known):.0f} s" if len(known) == len(runs) else "-"
