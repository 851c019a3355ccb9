"""The numbers that a training wrote: one JSON object per line in ``vis_data/scalars.json``."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from gfla_video.utils.errors import UserError
from gfla_video.utils.files import natural_order

SCALARS = "scalars.json"
_COUNTERS = ("iter", "epoch", "step")


@dataclass(frozen=True)
class Curve:
    """One value over the iterations: ``steps`` rising, ``values`` finite, of one length."""

    steps: list[int]
    values: list[float]


def stage_logs(work_dir: Path | str) -> dict[str, list[Path]]:
    """Log files of a run by stage folder, oldest first (a resumed stage has several).

    Args:
        work_dir: of a training; also a stage's own folder.

    Returns:
        ``{"stage1_flow": [...], "stage2_full": [...]}``; empty where nothing was logged.
    """
    found: dict[str, list[Path]] = {}
    folder = Path(work_dir)
    for pattern in (f"*/vis_data/{SCALARS}", f"stage*_*/*/vis_data/{SCALARS}"):
        for path in sorted(folder.glob(pattern), key=lambda path: natural_order(str(path))):
            found.setdefault(path.parents[2].name, []).append(path)
    return {stage: found[stage] for stage in sorted(found, key=natural_order)}


def read_curves(*paths: Path | str) -> dict[str, Curve]:
    """Every value that log files hold, by name, in the order of the first line.

    Where a resumed run wrote a step again, the later file counts. Half a line at the end of a
    killed run, and values that are not finite, are left out.

    Raises:
        UserError: a file cannot be read, or holds lines without numbers; one that a killed run left
            empty is no error.
    """
    points: dict[str, dict[int, float]] = {}
    for path in paths:
        records, lines = _records(Path(path)), 0
        for record in records:
            step = record.get("step", record.get("iter"))
            if not isinstance(step, int):
                continue
            lines += 1
            for name, value in record.items():
                number = isinstance(value, (int, float)) and not isinstance(value, bool)
                if number and math.isfinite(value) and name not in _COUNTERS:
                    points.setdefault(name, {})[step] = float(value)
        if records and not lines:
            raise UserError(f"{path}: holds no line of numbers, pass a {SCALARS} of a training")
    return {
        name: Curve(sorted(values), [values[step] for step in sorted(values)])
        for name, values in points.items()
    }


def _records(path: Path) -> list[dict[str, object]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: the log cannot be read ({error})") from error
    return [_record(line) for line in lines if line.strip()]


def _record(line: str) -> dict[str, object]:
    """One line; an empty record where it is no JSON object, as the last one of a killed run."""
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
