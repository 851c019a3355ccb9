"""Whether the numbers of two results may stand in one column: one rule for every table of models.

They may when they are of one protocol (name, version, digest), task and size, the same reference
pictures and as many, the same metrics, weights and training pictures, and when the rows of the
baselines that both have are equal. A type of metric that only one of them measured gives columns
of its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gfla_video.apis.tables import BASELINES, Results, table_title
from gfla_video.utils.errors import UserError

Table = Mapping[str, Any]
Report = Mapping[str, Any]
# What says what was measured and how; all results of a table have it in common.
_COMMON_REPORT = ("task",)
_COMMON_OWN = ("size",)  # of the config's own metrics: a protocol says its size itself
_COMMON = ("count", "clips", "test_metrics", "references")
_WHERE_BOTH = ("references_order",)  # said where a number depends on it
# Only what both of them read must be the same: where one read nothing, it has no number.
_READ = ("weights", "real")
_HINTS = {
    "count": "measure both on the same samples",
    "references": "their reference pictures are others: measure both on the same samples",
    "references_order": "a number depends on the order of the pictures: measure both in one",
    "weights": "measure both with the same weights files",
    "real": "measure both against the same training pictures",
}
# Another device or batch size rounds differently; other samples differ by far more.
_TOLERANCE = 1e-3


def check_model_names(names: Iterable[str]) -> None:
    """No model may be called like a baseline, whose row it would take.

    Raises:
        UserError: one is.
    """
    for name in names:
        if name in BASELINES:
            raise UserError(f"{name}: is a baseline's row, call the model otherwise (NAME=PATH)")


def joined_settings(measured: Sequence[tuple[Table, Report]]) -> dict[str, Any]:
    """What tables that may stand together were measured by, each with its whole report."""
    told = _settings(*measured[0])
    metrics = [metric for table, _ in measured for metric in table.get("test_metrics", ())]
    told["test_metrics"] = [one for index, one in enumerate(metrics) if one not in metrics[:index]]
    for key in _READ:
        read = {name: one for table, _ in measured for name, one in table.get(key, {}).items()}
        if read or key in told:
            told[key] = read
    return told


def why_apart(one: tuple[Table, Report], other: tuple[Table, Report]) -> str | None:
    """Why the numbers of two tables must not share a column, and what to do; None where they may.

    Args:
        one: a table of a results file, and the whole of that file.
        other: the same.
    """
    titles = [table_title(table) for table, _ in (one, other)]
    if titles[0] != titles[1]:
        return (
            f"one was measured under {titles[0]} and the other under {titles[1]}; numbers of "
            "different protocols do not belong in one column, measure both under one"
        )
    return _other_settings(_settings(*one), _settings(*other)) or _other_baselines(one[0], other[0])


def baseline_rows(tables: Iterable[Table]) -> Results:
    """The baselines' rows of tables that may stand together; a value is the first one there is."""
    rows: Results = {}
    for table in tables:
        for name in BASELINES:
            if name in table["results"]:
                rows[name] = {**table["results"][name], **rows.get(name, {})}
    return rows


def _settings(table: Table, report: Report) -> dict[str, Any]:
    """What must be the same in tables of one column."""
    own = () if table.get("protocol") is not None else _COMMON_OWN
    told = {key: report.get(key) for key in (*_COMMON_REPORT, *own)}
    told |= {key: table[key] for key in (*_COMMON, *_WHERE_BOTH, *_READ) if key in table}
    if report.get("task") is None:  # pictures of a folder have no task
        del told["task"]
    return told


def _other_settings(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    pictures_alone = "task" not in one or "task" not in other
    for key in (*_COMMON_REPORT, *_COMMON_OWN, *_COMMON, *_WHERE_BOTH, *_READ):
        ours, theirs = one.get(key), other.get(key)
        if key in _WHERE_BOTH and None in (ours, theirs):
            continue
        if key in _READ:
            ours, theirs = _of_both(ours, theirs)
        elif key == "test_metrics":
            ours, theirs = _shared(ours or [], theirs or []), _shared(theirs or [], ours or [])
        if ours == theirs or (key == "task" and pictures_alone):
            continue
        return (
            f"'{key}' differs ({json.dumps(ours)} and {json.dumps(theirs)}); "
            f"{_HINTS.get(key, 'measure both with the same test settings')}"
        )
    return None


def _shared(own: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Metrics whose values may share a column with those of the others: by their type or name."""
    known = {called for metric in others for called in _called(metric)}
    found = [metric for metric in own if _called(metric) & known]
    return sorted(found, key=lambda metric: json.dumps(metric, sort_keys=True))


def _called(metric: Mapping[str, Any]) -> set[str]:
    return {str(metric[key]) for key in ("type", "name") if metric.get(key)}


def _of_both(one: Any, other: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What both have read, files by their content and not by their name."""
    shared = [key for key in one or {} if key in (other or {})]
    return tuple(  # type: ignore[return-value]
        {key: _content(told[key]) for key in shared} for told in (one or {}, other or {})
    )


def _content(told: Any) -> Any:
    return told.get("sha256", told) if isinstance(told, Mapping) else told


def _other_baselines(one: Table, other: Table) -> str | None:
    """A baseline's value that differs; or nothing that shows that the samples are the same."""
    ours, theirs = one["results"], other["results"]
    shared = [
        (name, key)
        for name in BASELINES
        for key in ours.get(name, {})
        if key in theirs.get(name, {})
    ]
    if not shared and not (one.get("references") and other.get("references")):
        return (
            "they share no baseline that shows whether their samples are the same; measure both "
            f"with --baselines {BASELINES[0]}"
        )
    for name, key in shared:
        mine, yours = ours[name][key], theirs[name][key]
        if not _close(mine, yours):
            return (
                f"{key} of {name} differs ({mine} and {yours}), so their data do; measure both on "
                "the same samples, and without mean_of_targets (--baselines) where only the "
                "training data differ"
            )
    return None


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=1e-9)
