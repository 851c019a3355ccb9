"""Put results of several models, measured in one way on the same samples, into one table."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gfla_video.apis.tables import BASELINES, Results, read_results, table_title
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import write_json

COMPARISON_FORMAT, COMPARISON_VERSION = "gfla_video comparison", 1
SECONDS = "train_s"
Table = dict[str, Any]
# What says what was measured and how; all results of a table have it in common.
_COMMON_REPORT = ("task",)
_COMMON_OWN = ("size",)  # of the config's own metrics: a protocol says its size itself
_COMMON = ("count", "clips", "test_metrics", "references")
# Only what both of them read must be the same: where one read nothing, it has no number.
_READ = ("weights", "real")
# How each model came about and ran.
_OWN = (
    *("config", "checkpoint", "checkpoint_sha256", "iterations", "train_seconds"),
    *("seed", "device", "inference", "versions", "command"),
)
_HINTS = {
    "count": "measure both on the same samples",
    "references": "their reference pictures are others: measure both on the same samples",
    "weights": "measure both with the same weights files",
    "real": "measure both against the same training pictures",
}
# Another device or batch size rounds differently; other samples differ by far more.
_TOLERANCE = 1e-3


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
    reports = {}
    for name, path in files.items():
        if name in BASELINES:
            raise UserError(
                f"{name}={path}: '{name}' is a baseline's row, call the model otherwise"
            )
        reports[name] = read_results(path)
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
    told = {name: _settings(table, reports[name]) for name, table in tables.items()}
    for one, other in itertools.combinations(tables, 2):
        where = f"{paths[one]} and {paths[other]}"
        _check_settings(told[one], told[other], where)
        _check_baselines(tables[one], tables[other], where)
    rows: Results = {
        name: {**table["results"]["model"], SECONDS: _whole(reports[name].get("train_seconds"))}
        for name, table in tables.items()
    }
    for table in tables.values():
        for name in BASELINES:
            if name in table["results"]:
                rows.setdefault(name, table["results"][name])
    first = next(iter(tables))
    sentences = [
        f"{name}: {sentence}" for name, table in tables.items() for sentence in table["warnings"]
    ]
    return {
        "protocol": tables[first]["protocol"],
        **told[first],
        "warnings": sentences,
        "results": rows,
    }


def _settings(table: Table, report: Mapping[str, Any]) -> dict[str, Any]:
    """What a table must have in common with another one."""
    own = () if table["protocol"] is not None else _COMMON_OWN
    told = {key: report.get(key) for key in (*_COMMON_REPORT, *own)}
    told |= {key: table[key] for key in (*_COMMON, *_READ) if key in table}
    if report.get("task") is None:  # pictures of a folder have no task
        del told["task"]
    return told


def _check_settings(one: Mapping[str, Any], other: Mapping[str, Any], where: str) -> None:
    pictures_alone = "task" not in one or "task" not in other
    for key in (*_COMMON_REPORT, *_COMMON_OWN, *_COMMON, *_READ):
        ours, theirs = one.get(key), other.get(key)
        if key in _READ:
            ours, theirs = _of_both(ours, theirs)
        if ours == theirs or (key == "task" and pictures_alone):
            continue
        raise UserError(
            f"{where}: cannot be compared, as '{key}' differs ({json.dumps(ours)} and "
            f"{json.dumps(theirs)}); {_HINTS.get(key, 'measure both with the same test settings')}"
        )


def _of_both(one: Any, other: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What both have read, files by their content and not by their name."""
    shared = [key for key in one or {} if key in (other or {})]
    return tuple(  # type: ignore[return-value]
        {key: _content(told[key]) for key in shared} for told in (one or {}, other or {})
    )


def _content(told: Any) -> Any:
    return told.get("sha256", told) if isinstance(told, Mapping) else told


def _check_baselines(one: Table, other: Table, where: str) -> None:
    """No value of a baseline differs; and something shows that the samples are the same."""
    ours, theirs = one["results"], other["results"]
    shared = [name for name in BASELINES if ours.get(name) and theirs.get(name)]
    if not shared and not (one.get("references") and other.get("references")):
        raise UserError(
            f"{where}: share no baseline that shows whether their samples are the same; measure "
            f"both with --baselines {BASELINES[0]}"
        )
    for name in shared:
        for key in ours[name] | theirs[name]:
            mine, yours = ours[name].get(key), theirs[name].get(key)
            if not _close(mine, yours):
                raise UserError(
                    f"{where}: cannot be compared, as {key} of {name} differs ({mine} and "
                    f"{yours}), so their data do; measure both on the same samples, and without "
                    "mean_of_targets (--baselines) where only the training data differ"
                )


def _short(table: Table) -> str:
    return "config" if table["protocol"] is None else str(table["protocol"]["name"])


def _listed(titles: Mapping[str, Table]) -> str:
    return ", ".join(titles) or "nothing of that"


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=1e-9)


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)


def name_files(given: Sequence[str]) -> dict[str, str]:
    """Files by their models' names, from a command line's ``NAME=JSON`` or ``JSON``.

    A file without a name is called after itself, or after its folder where files share a name.

    Raises:
        UserError: a name is given twice.
    """
    plain = [text for text in given if "=" not in text]
    stems = [Path(text).stem for text in plain]
    found: dict[str, str] = {}
    for text in given:
        name, sign, path = text.partition("=")
        if not sign:
            own, path = Path(text), text
            name = own.stem if stems.count(own.stem) == 1 else f"{own.parent.name}/{own.stem}"
        if not name or not path:
            raise UserError(f"{text}: write NAME=JSON, such as mine=work_dirs/mine/metrics.json")
        if name in found:
            raise UserError(f"{text}: the name '{name}' is given twice")
        found[name] = path
    return found
