"""A static HTML report of an evaluation: tables, curves, best and worst samples, videos."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gfla_video.apis.report.page import (
    GENERATOR,
    ShownFile,
    ShownSample,
    ShownSamples,
    page,
)
from gfla_video.apis.report.samples import KeptSample, ReportSamples
from gfla_video.apis.training_logs import Curve, read_curves, stage_logs
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import ensure_writable_folder, write_json
from gfla_video.utils.notice import say_once
from gfla_video.visualization import (
    Picture,
    moving_panels,
    readable_scale,
    tile_panels,
    write_picture,
)
from gfla_video.visualization.videos import write_video

PAGE, RESULTS, PICTURES, VIDEOS = "index.html", "results.json", "pictures", "videos"
_OWN_FILES = {  # names of :func:`_files`
    PICTURES: re.compile(r"(best|worst)_\d+(_\d+)?\.png"),
    VIDEOS: re.compile(r"(best|worst)_\d+\.mp4"),
}
_FPS = 12  # slow enough to see what single frames do
_COLUMNS = 5  # panels in a row of a video


def write_report(
    folder: Path | str,
    report: Mapping[str, Any],
    samples: ReportSamples | None = None,
    *,
    checkpoint: Path | str | None = None,
) -> Path:
    """Write ``folder/index.html`` with its pictures and videos beside it.

    The page opens from the disk: no script, no font, nothing from a network.

    Args:
        folder: whole or not at all; an older report there is replaced, anything else is refused.
        report: what ``results.json`` holds.
        samples: best and worst ones; clips become videos.
        checkpoint: the file that was measured; training logs beside it give the curves.

    Returns:
        The path of ``index.html``.

    Raises:
        UserError: the folder is there and no report, or cannot be written.
    """
    folder = Path(folder)
    with _new_folder(folder) as made:
        shown = None if samples is None else _shown_samples(made, samples)
        curves = {} if checkpoint is None else _curves(Path(checkpoint))
        write_json(made / RESULTS, report)
        (made / PAGE).write_text(page(report, shown, curves), encoding="utf-8")
    return folder / PAGE


def check_report_folder(folder: Path | str) -> None:
    """Prove before the work that a report can be written to ``folder``.

    Raises:
        UserError: it is a file, holds anything but a report, or cannot be written.
    """
    folder = Path(folder)
    if folder.is_file():
        raise UserError(f"{folder}: is a file, give the report the name of a folder")
    if folder.is_dir():
        strange = {path.name for path in folder.iterdir()} - {PAGE, RESULTS, PICTURES, VIDEOS}
        strange |= {
            f"{own}/{path.name}"
            for own, names in _OWN_FILES.items()
            for path in (folder / own).glob("*")
            if not names.fullmatch(path.name)
        }
        index = folder / PAGE
        if strange or (any(folder.iterdir()) and not _is_report(index)):
            what = f"holds {sorted(strange)[0]}" if strange else "holds no report"
            raise UserError(f"{folder}: {what}, give the report a folder of its own")
    ensure_writable_folder(folder.absolute().parent)


def _is_report(index: Path) -> bool:
    return index.is_file() and GENERATOR in index.read_text(encoding="utf-8", errors="replace")


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside ``folder`` that takes its name when all went well."""
    check_report_folder(folder)
    beside = folder.absolute()
    made = beside.with_name(f".{beside.name}.{os.getpid()}.tmp")
    old = beside.with_name(f".{beside.name}.{os.getpid()}.old")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    try:
        yield made
        _take_place(made, beside, old)
    except OSError as error:
        raise UserError(f"{folder}: the report cannot be written ({error})") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _take_place(made: Path, beside: Path, old: Path) -> None:
    """Rename ``made``; the older report makes room, and comes back where that fails."""
    if beside.exists():
        beside.rename(old)
    try:
        made.rename(beside)
    finally:
        if old.exists() and not beside.exists():
            old.rename(beside)
    shutil.rmtree(old, ignore_errors=True)


def _curves(checkpoint: Path) -> dict[str, dict[str, Curve]]:
    """By stage, of the training that wrote the checkpoint into its folder."""
    curves: dict[str, dict[str, Curve]] = {}
    for stage, paths in stage_logs(checkpoint.absolute().parent).items():
        try:
            curves[stage] = read_curves(*paths)
        except UserError as error:  # an evaluation must not be lost for a log
            say_once(f"the report has no curves of {stage}: {error}")
    return curves


def _shown_samples(folder: Path, samples: ReportSamples) -> ShownSamples:
    lists = {
        which: [
            ShownSample(kept.name, kept.score, list(_files(folder, f"{which}_{number:02d}", kept)))
            for number, kept in enumerate(chosen, 1)
        ]
        for which, chosen in (("best", samples.best), ("worst", samples.worst))
    }
    return ShownSamples(samples.score, samples.count, lists["best"], lists["worst"])


def _files(folder: Path, stem: str, sample: KeptSample) -> Iterator[ShownFile]:
    """Write a sample's pictures, or of a clip one video of all panels; tell what is where."""
    if any(panel.ndim == 4 for panel in sample.panels.values()):
        yield _video(folder, stem, sample.panels)
        return
    for number, (title, panel) in enumerate(sample.panels.items(), 1):
        path = f"{PICTURES}/{stem}_{number}.png"
        write_picture(folder / path, panel)
        scale = readable_scale(panel)
        yield ShownFile(path, title, (panel.shape[0] * scale, panel.shape[1] * scale))


def _video(folder: Path, stem: str, panels: Mapping[str, Picture]) -> ShownFile:
    """The panels of a clip side by side, its middle frame standing for it."""
    path, poster = f"{VIDEOS}/{stem}.mp4", f"{PICTURES}/{stem}.png"
    frames = [tile_panels(shown, _COLUMNS) for shown in moving_panels(panels)]
    write_video(folder / path, frames, _FPS)
    still = frames[len(frames) // 2]
    write_picture(folder / poster, still)
    return ShownFile(path, ", ".join(panels), (still.shape[0], still.shape[1]), poster)
