"""Curves of one or several trainings in one picture, from the logs that training writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gfla_video.apis.training_logs import Curve, read_curves, stage_logs
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import atomic_path
from gfla_video.utils.notice import say_once

SUFFIXES = (".png", ".svg", ".pdf")
_LOSS = "loss"
_WIDTH, _HEIGHT = 5.0, 3.2  # inches of one key's axes
_COLUMNS = 3
Run = dict[str, list[Curve]]


def read_run(work_dir: str | Path) -> Run:
    """All values of a run by name, a curve per stage, one after the other on one axis.

    A stage whose logs hold no number yet, as of a run that was stopped at once, is left out with a
    note.

    Args:
        work_dir: of a training, or one stage's folder.

    Raises:
        UserError: no log is there, no number is in any, or one cannot be read.
    """
    logs = stage_logs(work_dir)
    if not logs:
        raise UserError(f"{work_dir}: holds no training log; pass the --work-dir of a training")
    found: Run = {}
    offset = 0
    for stage, paths in logs.items():
        curves = read_curves(*paths)
        if not curves:
            say_once(f"{work_dir}: the log of {stage} is empty, so it is left out")
            continue
        for name, curve in curves.items():
            steps = [offset + step for step in curve.steps]
            found.setdefault(name, []).append(Curve(steps, curve.values))
        offset += max(curve.steps[-1] for curve in curves.values())
    if not found:
        raise UserError(f"{work_dir}: its training log holds no number yet; train longer")
    return found


def draw_logs(
    runs: Mapping[str, str | Path],
    out: str | Path,
    *,
    keys: Sequence[str] = (),
    smooth: int = 1,
) -> dict[str, dict[str, float]]:
    """Draw one small plot per key, with a line per run.

    Args:
        runs: work folders by the name in the legend.
        out: ``.png``, ``.svg`` or ``.pdf``.
        keys: names of values, such as ``loss_generator`` or ``time``; none: every loss.
        smooth: mean over so many neighbouring points of the log, never over those of two stages; 1:
            as they are.

    Returns:
        The last value of every line as it was logged, by run and key.

    Raises:
        UserError: no log, a key that no run has, or a file that cannot be written.
    """
    if Path(out).suffix not in SUFFIXES:
        raise UserError(f"{out}: must end in {', '.join(SUFFIXES)}")
    if smooth < 1:
        raise UserError(f"--smooth {smooth}: must be at least 1")
    read = {name: read_run(folder) for name, folder in runs.items()}
    known = list(dict.fromkeys(key for run in read.values() for key in run))
    chosen = list(keys) or [key for key in known if key.startswith(_LOSS)]
    unknown = [key for key in chosen if key not in known]
    if unknown or not chosen:
        raise UserError(
            f"--keys {' '.join(unknown)}: no run logs that; there are {', '.join(known)}"
        )
    lines = {
        name: {key: [smoothed(part, smooth) for part in run[key]] for key in chosen if key in run}
        for name, run in read.items()
    }
    _draw(lines, chosen, out)
    return {
        name: {key: run[key][-1].values[-1] for key in chosen if key in run}
        for name, run in read.items()
    }


def smoothed(curve: Curve, width: int) -> Curve:
    """Means over ``width`` neighbouring points, at the step in their middle.

    There is none where a window would reach over an end, so the curve is shorter; of fewer points
    than ``width`` it is one, the mean of all.
    """
    width = min(width, len(curve.values))
    sums = np.cumsum([0.0, *curve.values])
    first = (width - 1) // 2
    means = (sums[width:] - sums[:-width]) / width
    return Curve(curve.steps[first : first + len(means)], means.tolist())


def _draw(lines: Mapping[str, Run], keys: Sequence[str], out: str | Path) -> None:
    from matplotlib.figure import Figure  # slow to import

    columns = min(_COLUMNS, len(keys))
    rows = -(-len(keys) // columns)
    figure = Figure(figsize=(_WIDTH * columns, _HEIGHT * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for place, key in zip(axes, keys, strict=False):
        for number, (name, run) in enumerate(lines.items()):
            for part, curve in enumerate(run.get(key, ())):
                label = "_" if part else name  # a run is named once
                marker = "." if len(curve.steps) == 1 else None  # a line would not be seen
                place.plot(
                    curve.steps, curve.values, color=f"C{number}", label=label, marker=marker
                )
        place.set(title=key, xlabel="iteration")
        place.grid(alpha=0.3)
        if len(lines) > 1:
            place.legend()
    for place in axes[len(keys) :]:
        place.set_axis_off()
    with atomic_path(out) as temporary:
        figure.savefig(temporary, dpi=120)
