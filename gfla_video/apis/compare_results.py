"""Put results of several models, measured in one way on the same samples, into one table."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gfla_video.apis.comparable import (
    baseline_rows,
    check_model_names,
    joined_settings,
    why_apart,
)
from gfla_video.apis.tables import Results, read_results, table_title
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import write_json

COMPARISON_FORMAT, COMPARISON_VERSION = "gfla_video comparison", 1
SECONDS = "train_s"
Table = dict[str, Any]
# How each model came about and ran.
_OWN = (
    *("config", "checkpoint", "checkpoint_sha256", "iterations", "train_seconds"),
    *("seed", "device", "inference", "versions", "command"),
)


def compare_results(
    files: Mapping[str, str | Path],
    *,
    protocols: Sequence[str] = (),
    out: str | Path | None = None,
) -> dict[str, Any]:
    """One table per protocol of what ``tools/test.py --out`` wrote for several models.

    Numbers belong into one column only when they are of one protocol (name, version and digest),
    the same samples, weights and metrics. Where results have baselines in common, their rows must
    be equal, too, as they depend on the samples alone. (``mean_of_targets`` also depends on the
    training data: models that were trained on other data are measured without it.)

    Args:
        files: the JSON files by the name that each model's row gets.
        protocols: compare under these alone; ``config`` is the config's own metrics. All of the
            files when empty.
        out: JSON file for the tables, written whole or not at all.

    Returns:
        What ``out`` holds: ``models``, by name what each result says of its model; ``tables``, each
        with what the results have in common and ``results``, a row of values by name: the models'
        with ``train_s``, the whole seconds of training (None where a checkpoint does not say
        them), then the baselines'.

    Raises:
        UserError: a file that is no result, a baseline's name for a model, results that cannot be
            compared, or ``out`` cannot be written.
    """
    check_model_names(files)
    reports = {name: read_results(path) for name, path in files.items()}
    paths = {name: str(path) for name, path in files.items()}
    chosen = _by_title(reports, paths, protocols)
    titles = list(next(iter(chosen.values()), {}))
    found = {
        "format": COMPARISON_FORMAT,
        "version": COMPARISON_VERSION,
        "models": {
            name: {key: report.get(key) for key in _OWN} for name, report in reports.items()
        },
        "tables": [
            _joined({name: tables[title] for name, tables in chosen.items()}, reports, paths)
            for title in titles
        ],
    }
    if out is not None:
        write_json(out, found)
    return found


def _by_title(
    reports: Mapping[str, Mapping[str, Any]], paths: Mapping[str, str], protocols: Sequence[str]
) -> dict[str, dict[str, Table]]:
    """The tables of each model by protocol; every model must have the same protocols."""
    chosen = {
        name: {
            table_title(table): table
            for table in report["tables"]
            if not protocols or _short(table) in protocols
        }
        for name, report in reports.items()
    }
    for one, other in itertools.combinations(chosen, 2):
        if chosen[one].keys() != chosen[other].keys():
            raise UserError(
                f"{paths[one]} and {paths[other]}: cannot be compared, as one was measured under "
                f"{_listed(chosen[one])} and the other under {_listed(chosen[other])}; numbers of "
                "different protocols do not belong in one column, measure both under one (or "
                "choose it by --protocol NAME)"
            )
    if protocols and not any(chosen.values()):
        raise UserError(f"--protocol {' '.join(protocols)}: no result was measured under it")
    return chosen


def _joined(
    tables: Mapping[str, Table], reports: Mapping[str, Mapping[str, Any]], paths: Mapping[str, str]
) -> dict[str, Any]:
    """One table of all models under one protocol."""
    for one, other in itertools.combinations(tables, 2):
        why = why_apart((tables[one], reports[one]), (tables[other], reports[other]))
        if why is not None:
            raise UserError(f"{paths[one]} and {paths[other]}: cannot be compared, as {why}")
    rows: Results = {
        name: {**table["results"]["model"], SECONDS: _whole(reports[name].get("train_seconds"))}
        for name, table in tables.items()
    }
    rows |= baseline_rows(tables.values())
    first = next(iter(tables))
    sentences = [
        f"{name}: {sentence}" for name, table in tables.items() for sentence in table["warnings"]
    ]
    return {
        "protocol": tables[first]["protocol"],
        **joined_settings([(table, reports[name]) for name, table in tables.items()]),
        "warnings": sentences,
        "results": rows,
    }


def _short(table: Table) -> str:
    return "config" if table["protocol"] is None else str(table["protocol"]["name"])


def _listed(titles: Mapping[str, Table]) -> str:
    return ", ".join(titles) or "nothing of that"


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)
