"""Numbers of several models and seeds as means with their spread."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gfla_video.apis.comparable import baseline_rows, check_model_names, why_apart
from gfla_video.apis.tables import format_count, table_title
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
        UserError: a model has a baseline's name, or the runs were not measured alike, see
            :mod:`gfla_video.apis.comparable`.
    """
    check_model_names(name for name, _ in reports)
    for one, other in itertools.combinations(reports, 2):
        _check_alike(one, other)
    first = reports[0][1]["tables"]
    return [
        {
            **{key: table[key] for key in ("protocol", "count", "clips") if key in table},
            "warnings": _all_warnings(report["tables"][index] for _, report in reports),
            "results": _rows([(name, report["tables"][index]) for name, report in reports]),
        }
        for index, table in enumerate(first)
    ]


def _check_alike(one: tuple[str, Report], other: tuple[str, Report]) -> None:
    ours, theirs = one[1]["tables"], other[1]["tables"]
    why: str | None = "they were not measured under as many protocols; measure both alike"
    if len(ours) == len(theirs):
        pairs = zip(ours, theirs, strict=True)
        reasons = (why_apart((mine, one[1]), (yours, other[1])) for mine, yours in pairs)
        why = next(filter(None, reasons), None)
    if why is not None:
        raise UserError(f"{one[0]} and {other[0]}: cannot stand in one table, as {why}")


def _all_warnings(tables: Iterable[Report]) -> list[str]:
    return list(dict.fromkeys(text for table in tables for text in table.get("warnings", ())))


def _rows(tables: Sequence[tuple[str, Report]]) -> dict[str, dict[str, Any]]:
    names = dict.fromkeys(name for name, _ in tables)
    rows = {
        name: _spread([table["results"]["model"] for own, table in tables if own == name])
        for name in names
    }
    # of the data alone: the same whatever was trained
    baselines = baseline_rows(table for _, table in tables)
    return rows | {name: _spread([row]) for name, row in baselines.items()}


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
