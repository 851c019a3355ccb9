"""Looking at rendered views: what is missing, what is odd, and a sheet of pictures."""

import csv
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from data_prep.common import atomic_file, fail, progress, read_json
from data_prep.meshes.cameras import Camera, grid, view_name
from data_prep.shapenet_layouts import Layout, ViewError

_COLUMNS, _ROWS, _TILE = 8, 24, 128
_LEAST_SEEN = 0.002  # of the picture: an object that covers less is odd


def all_reports(layout: Layout) -> dict[str, dict[str, Any]]:
    """The reports of all objects, by name."""
    paths = sorted(p for p in layout.reports.glob("*.json") if not p.name.startswith("."))
    return {path.stem: read_json(path) for path in paths}


def cameras_of(out: Path) -> list[Camera]:
    """The cameras of a data set; ends the program where there is none."""
    record = read_json(out / "cameras.json")
    if not record:
        fail(f"{out}: holds no cameras.json; pass the folder that was prepared")
    return grid(record["azimuths"], record["elevations"])


def check(layout: Layout) -> list[str]:
    """Read every view, and say what is wrong, one sentence each."""
    cameras, wrong = cameras_of(layout.out), []
    record = read_json(layout.out / "cameras.json")
    reports = all_reports(layout)
    whole = {name: r for name, r in reports.items() if not r.get("broken")}
    for name, report in progress(whole.items(), "objects", len(whole)):
        phase = report.get("phase", "train")
        for camera in cameras:
            said = _odd(layout, name, phase, camera, record)
            if said:
                wrong.append(f"{phase}/{name}/{view_name(camera)}: {said}")
    wrong += [f"{name}: was begun and is not finished, run this again" for name in _begun(layout)]
    wrong += _odd_truth(layout)
    for report in reports.values():
        if report.get("broken"):
            print(f"{report['source']}: left out, {report['broken']}")
    print(f"{len(whole)} objects of {len(cameras)} views, {len(reports) - len(whole)} left out")
    return wrong


def _odd(layout: Layout, name: str, phase: str, camera: Camera, record: dict[str, Any]) -> str:
    try:
        view = layout.read(name, phase, camera)
    except ViewError as error:
        return str(error)
    if view.shape != (*record["size"], 3) or view.dtype != np.uint8:
        return f"is {view.shape} {view.dtype}, expected {(*record['size'], 3)} uint8"
    seen = (view != record["background"]).any(axis=-1).mean()
    return "" if seen >= _LEAST_SEEN else f"shows next to nothing ({seen:.2%} of the picture)"


def _begun(layout: Layout) -> list[str]:
    """The objects in `parts`: folders of views by name, and what is not put together yet."""
    paths = [path for path in layout.parts.glob("*") if not path.name.startswith(".")]
    folders = {path.name for path in paths if path.is_dir()}
    return sorted(folders | {path.stem for path in paths if path.suffix == ".hdf5"})


def _odd_truth(layout: Layout) -> list[str]:
    """What is wrong with the exact flow, if any was made."""
    if not layout.truth("").is_dir() or not layout.pairs.exists():
        return []
    wrong = []
    with layout.pairs.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            path = layout.truth(row["object"]) / f"{row['from']}_2_{row['to']}.npz"
            try:
                with np.load(path) as truth:
                    finite = np.isfinite(truth["flow"]).all()
            except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
                wrong.append(f"{path}: cannot be read ({error})")
                continue
            if not finite:
                wrong.append(f"{path}: has a flow that is no number")
    return wrong


def preview(layout: Layout, path: Path) -> None:
    """Draw some views of some objects into one picture, an object in each row.

    Args:
        layout: where the views are.
        path: of the PNG.
    """
    cameras = cameras_of(layout.out)
    shown = [cameras[i] for i in _spread(len(cameras), _COLUMNS)]
    whole = {name: r for name, r in all_reports(layout).items() if not r.get("broken")}
    names = [sorted(whole)[i] for i in _spread(len(whole), _ROWS)]
    rows = []
    for name in progress(names, "preview", len(names)):
        try:
            views = [layout.read(name, whole[name]["phase"], camera) for camera in shown]
        except ViewError as error:
            print(f"{name}: not shown, {error}")
            continue
        rows.append(_row(f"{whole[name]['phase']}/{name}", views, shown))
    if not rows:
        fail(f"--preview {path}: no object can be shown; run --check")
    with atomic_file(path) as part:
        cv2.imwrite(str(part), np.concatenate(rows)[..., ::-1])
    print(f"{path}: {len(rows)} of {len(whole)} objects")


def _row(name: str, views: list[NDArray[np.uint8]], cameras: list[Camera]) -> NDArray[np.uint8]:
    height, width = views[0].shape[:2]
    size = (max(1, round(_TILE * width / height)), _TILE)
    row = np.concatenate([cv2.resize(v, size, interpolation=cv2.INTER_AREA) for v in views], axis=1)
    for column, camera in enumerate(cameras):
        _write(row, view_name(camera), (4 + column * size[0], 12))
    _write(row, name, (4, _TILE - 5))
    return row


def _write(row: NDArray[np.uint8], text: str, place: tuple[int, int]) -> None:
    cv2.putText(row, text, place, 0, 0.35, (200, 0, 120), 1, cv2.LINE_AA)


def _spread(length: int, count: int) -> list[int]:
    """At most `count` of the indices below `length`, evenly from the first to the last."""
    return sorted({round(i) for i in np.linspace(0, length - 1, min(length, count))})
