"""Looking at prepared face clips: what is missing, what is odd, and a sheet of pictures."""

from pathlib import Path

import cv2
import numpy as np

from data_prep.common import atomic_file, fail, progress
from data_prep.face_layouts import LAYOUTS, ClipError, Layout
from gfla_video.detectors import NUM_POINTS, face_sizes, find_jumps

MIN_FOUND = 0.9
_OUTSIDE = 0.25  # of a face's points, from which on it is odd that they lie outside the picture
_SMALL = 0.2  # of the picture's side
_COLUMNS, _ROWS, _TILE = 6, 20, 192
_LINES = (
    *((0, 17), (17, 22), (22, 27), (27, 31), (31, 36)),
    *((36, 42), (42, 48), (48, 60), (60, 68)),
)
_CLOSED_FROM = 36  # the eyes and the lips are closed lines


def find_layouts(out: Path, phase: str | None) -> list[Layout]:
    """The parts of a data set, of any layout, that hold a clip.

    Args:
        out: root of the data set.
        phase: only this one.
    """
    if not out.is_dir():
        fail(f"{out}: there is no such folder; pass the one that was prepared")
    folders = [path.name for path in out.iterdir() if path.is_dir()]
    ends = ("_data", "_keypoints")
    names = {name for name in folders if name != "reports" and not name.startswith(".")}
    phases = {next((n.removesuffix(e) for e in ends if n.endswith(e)), n) for n in names}
    chosen = sorted(phases) if phase is None else [phase]
    layouts = [kind(out, name) for name in chosen for kind in LAYOUTS.values()]
    return [layout for layout in layouts if layout.names()]


def check(layouts: list[Layout]) -> list[str]:
    """Read every clip whole, and say what is wrong with it, one sentence each."""
    wrong = []
    for layout in layouts:
        names = layout.names()
        frames = 0
        for name in progress(names, f"{layout.phase} clips", len(names)):
            try:
                pictures, landmarks, found = layout.read(name)
            except ClipError as error:
                wrong.append(f"{layout.phase}/{name}: {error}")
                continue
            frames += len(pictures)
            wrong += [f"{layout.phase}/{name}: {x}" for x in _odd(pictures, landmarks, found)]
        print(f"{layout.phase}: {len(names)} clips, {frames} frames")
    return wrong


def _odd(pictures: list[np.ndarray], landmarks: np.ndarray, found: np.ndarray) -> list[str]:
    if landmarks.shape != (len(pictures), NUM_POINTS, 2) or found.shape != (len(pictures),):
        shapes = f"landmarks {landmarks.shape} and found {found.shape}"
        return [f"{len(pictures)} frames, but {shapes}; prepare this video again"]
    if not len(pictures):
        return ["has no frame"]
    if not np.isfinite(landmarks).all():
        return ["has landmarks that are no numbers"]
    said = []
    if found.mean() < MIN_FOUND:
        said.append(f"the face was found in {found.sum()} of {len(found)} frames only")
    height, width = pictures[0].shape[:2]
    beyond = (landmarks < -0.5) | (landmarks > np.array([width, height]) - 0.5)
    left = (beyond.any(axis=-1).mean(axis=-1) > _OUTSIDE).sum()
    if left:
        said.append(f"the face has left the picture in {left} of {len(found)} frames")
    if np.median(face_sizes(landmarks)) < _SMALL * min(height, width):
        said.append(f"the face is smaller than {_SMALL:.0%} of the picture")
    jumps = find_jumps(landmarks)
    if jumps:
        said.append(f"the face jumps at frame {jumps[0]}{' and others' if jumps[1:] else ''}")
    return said


def preview(layouts: list[Layout], path: Path) -> None:
    """Draw some frames of some clips, with their landmarks, into one picture.

    Args:
        layouts: where the clips are.
        path: of the PNG.
    """
    if path.suffix.lower() != ".png":
        fail(f"--preview {path}: the picture is a PNG, give it a name that ends in .png")
    every = [(layout, name) for layout in layouts for name in layout.names()]
    chosen = [every[i] for i in _spread(len(every), _ROWS)]
    rows = []
    for layout, name in progress(chosen, "preview", len(chosen)):
        try:
            pictures, landmarks, found = layout.read(name)
        except ClipError as error:
            print(f"{name}: not shown, {error}")
            continue
        if len(pictures) == len(landmarks) == len(found) > 0:
            rows.append(_row(f"{layout.phase}/{name}", pictures, landmarks, found))
    if not rows:
        fail(f"--preview {path}: no clip can be shown; run --check")
    with atomic_file(path) as part:
        cv2.imwrite(str(part), np.concatenate(rows)[..., ::-1])
    print(f"{path}: {len(rows)} of {len(every)} clips")


def _row(
    name: str, pictures: list[np.ndarray], landmarks: np.ndarray, found: np.ndarray
) -> np.ndarray:
    indices = _spread(len(pictures), _COLUMNS)
    tiles = [_tile(pictures[i], landmarks[i], bool(found[i])) for i in indices]
    tiles += [np.zeros_like(tiles[0])] * (_COLUMNS - len(tiles))
    row = np.ascontiguousarray(np.concatenate(tiles, axis=1))
    place = (4, row.shape[0] - 6)
    cv2.putText(row, f"{name} ({len(pictures)})", place, 0, 0.4, (255, 255, 0), 1, cv2.LINE_AA)
    return row


def _tile(picture: np.ndarray, points: np.ndarray, found: bool) -> np.ndarray:
    scale = _TILE / max(picture.shape[:2])
    tile = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    missing = (_TILE - tile.shape[0], _TILE - tile.shape[1])
    tile = np.pad(tile, ((0, missing[0]), (0, missing[1]), (0, 0)))
    places = (points + 0.5) * scale - 0.5
    colour = (0, 255, 0) if found else (255, 0, 0)
    for start, stop in _LINES:
        line = np.rint(places[start:stop] * 16).astype(np.int32)[None]
        closed = start >= _CLOSED_FROM
        cv2.polylines(tile, line, closed, colour, 1, cv2.LINE_AA, shift=4)
    return tile


def _spread(length: int, count: int) -> list[int]:
    """At most ``count`` of the indices below ``length``, evenly from the first to the last."""
    return sorted({round(i) for i in np.linspace(0, length - 1, min(length, count))})
