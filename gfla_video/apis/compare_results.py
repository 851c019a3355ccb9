"""Put results of several models, measured on the same samples, into one table."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gfla_video.apis.tables import BASELINES, Results
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import write_json

SECONDS = "train_s"
# What says which samples were measured and how; all results of a table have it in common.
_COMMON = ("task", "size", "protocol", "count", "clips", "test_metrics")
# How each model came about and ran.
_OWN = (
    *("config", "checkpoint", "checkpoint_sha256", "iterations", "train_seconds"),
    *("device", "inference", "versions"),
)
# Another device or batch size rounds differently; other samples differ by far more.
_TOLERANCE = 1e-3


def compare_results(
    files: Mapping[str, str | Path], *, out: str | Path | None = None
) -> dict[str, Any]:
    """One table of what ``tools/test.py --out`` wrote for several models.

    Results belong into one table only when they are of the same samples and the same metrics: their
    task, size, protocol, count and metrics' settings must be equal, and so must the rows of the
    baselines, which depend on the samples alone. ``mean_of_targets`` also depends on the training
    data: models that were trained on other data are measured without it.

    Args:
        files: the JSON files by the name that each model's row gets.
        out: JSON file for the table, written whole or not at all.

    Returns:
        What ``out`` holds: what the results have in common; ``results``, a row of values by name:
        the models' with ``train_s``, the whole seconds of training (None where a checkpoint
        does not say them), then the baselines'; ``models``, by name what each result says of its
        model.

    Raises:
        UserError: a file that is no result, a baseline's name for a model, results that cannot be
            compared, or ``out`` cannot be written.
    """
    reports = {name: _read(name, path) for name, path in files.items()}
    for one, other in itertools.combinations(reports, 2):
        where = f"{files[one]} and {files[other]}"
        _check_settings(reports[one], reports[other], where)
        _check_baselines(reports[one]["results"], reports[other]["results"], where)
    rows: Results = {
        name: {**report["results"]["model"], SECONDS: _whole(report.get("train_seconds"))}
        for name, report in reports.items()
    }
    for report in reports.values():
        for name in BASELINES:
            if name in report["results"]:
                rows.setdefault(name, report["results"][name])
    first = next(iter(reports.values()), {})
    table = {
        **{key: first[key] for key in _COMMON if key in first},
        "results": rows,
        "models": {
            name: {key: report.get(key) for key in _OWN} for name, report in reports.items()
        },
    }
    if out is not None:
        write_json(out, table)
    return table


def _read(name: str, path: str | Path) -> dict[str, Any]:
    if name in BASELINES:
        raise UserError(f"{name}={path}: '{name}' is a baseline's row, give the model another name")
    try:
        report = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise UserError(f"{path}: is no JSON ({error}); tools/test.py --out writes it") from error
    results = report.get("results") if isinstance(report, dict) else None
    if not isinstance(results, dict) or not all(map(_is_row, results.values())):
        raise UserError(f"{path}: holds no table 'results'; pass what tools/test.py --out wrote")
    if "model" not in results or "count" not in report:
        raise UserError(
            f"{path}: lacks the row 'model' or the 'count' of samples; pass what tools/test.py "
            "--out wrote"
        )
    return report


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and all(
        value is None or isinstance(value, (int, float)) for value in row.values()
    )


def _check_settings(one: Mapping[str, Any], other: Mapping[str, Any], where: str) -> None:
    for key in _COMMON:
        ours, theirs = one.get(key), other.get(key)
        if ours != theirs:
            raise UserError(
                f"{where}: cannot be compared, as '{key}' differs ({json.dumps(ours)} and "
                f"{json.dumps(theirs)}); measure both with the same test settings"
            )


def _check_baselines(one: Results, other: Results, where: str) -> None:
    """Both have a baseline with values in common, and no value of one differs."""
    shared = [name for name in BASELINES if one.get(name) and other.get(name)]
    if not shared:
        raise UserError(
            f"{where}: share no baseline that shows whether their samples are the same; measure "
            f"both with --baselines {BASELINES[0]}"
        )
    for name in shared:
        for key in one[name] | other[name]:
            ours, theirs = one[name].get(key), other[name].get(key)
            if not _close(ours, theirs):
                raise UserError(
                    f"{where}: cannot be compared, as {key} of {name} differs ({ours} and "
                    f"{theirs}), so their data do; measure both on the same samples, and without "
                    "mean_of_targets (--baselines) where only the training data differ"
                )


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=1e-9)


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)
