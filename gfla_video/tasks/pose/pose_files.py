"""Reading joints from the files in which they go round.

Whatever the file, the result is a :class:`PoseSequence`: 18 joints per frame in OpenPose order, in
pixels of the file's own frame.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from gfla_video.tasks.pose.joints import Joints, visible
from gfla_video.tasks.pose.people import (
    FrameOfPeople,
    body_from_numbers,
    follow_one_person,
)
from gfla_video.utils.errors import UserError
from gfla_video.utils.frame_rate import parse_fps

MIN_SCORE = 0.05
CSV_COLUMNS = ("name", "keypoints_y", "keypoints_x")
FORMATS = (
    "an OpenPose JSON folder, a COCO or OpenPose keypoint .json, a "
    "name:keypoints_y:keypoints_x .csv, or an .npz with keypoints [T, 18, 2 or 3]"
)


@dataclass(frozen=True)
class PoseSequence:
    """Joints of one person over time.

    Attributes:
        joints: float64 ``[T, 18, 3]`` (x, y, visible); missing joints are (-1, -1, 0).
        path: where they were read.
        fps: frame rate where the file says one.
        size: (H, W) of the frame that x and y belong to, where the file says it.
        names: one name per frame where the file has names.
        notes: sentences for the user.
    """

    joints: Joints
    path: Path
    fps: Fraction | None = None
    size: tuple[int, int] | None = None
    names: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


def read_poses(path: Path | str, min_score: float = MIN_SCORE, order: str = "file") -> PoseSequence:
    """Read a pose file or folder, by its suffix.

    Args:
        path: one of the formats of ``FORMATS``.
        min_score: joints with a confidence not above this count as missing (JSON files).
        order: of a CSV's rows, ``file`` or ``name``.

    Raises:
        UserError: it can't be read, a frame has another number of joints, or no frame has any.
    """
    path = Path(path)
    if path.is_dir():
        sequence = read_openpose_folder(path, min_score)
    elif not path.is_file():
        raise UserError(f"{path}: no such file or folder, pass {FORMATS}")
    elif path.suffix.lower() == ".json":
        sequence = read_json(path, min_score)
    elif path.suffix.lower() == ".csv":
        sequence = read_csv(path, order)
    elif path.suffix.lower() == ".npz":
        sequence = read_npz(path)
    else:
        raise UserError(f"{path}: is not a pose file, pass {FORMATS}")
    if not visible(sequence.joints).any():
        raise UserError(f"{path}: holds no poses (not one joint in {len(sequence.joints)} frames)")
    return sequence


def read_openpose_folder(path: Path, min_score: float = MIN_SCORE) -> PoseSequence:
    """``*.json`` of a folder in the order of their names, a frame each (BODY_18 or BODY_25)."""
    files = sorted(path.glob("*.json"))
    if not files:
        raise UserError(f"{path}: holds no poses, there is no .json in the folder; pass {FORMATS}")
    people = [_openpose_people(_load_json(file), str(file), min_score) for file in files]
    return _followed(people, path, names=tuple(file.stem for file in files))


def read_json(path: Path, min_score: float = MIN_SCORE) -> PoseSequence:
    """One JSON file: OpenPose (one frame or a list), COCO annotations or results, MMPose."""
    content = _load_json(path)
    if isinstance(content, dict):
        if "annotations" in content:
            return _coco_dataset(content, path, min_score)
        if "people" in content:
            return _followed([_openpose_people(content, str(path), min_score)], path)
        if "instance_info" in content:
            return _mmpose(content["instance_info"], path, min_score)
    elif isinstance(content, list) and content and all(isinstance(i, dict) for i in content):
        if all("people" in frame for frame in content):
            frames = [
                _openpose_people(frame, f"{path}, frame {index}", min_score)
                for index, frame in enumerate(content)
            ]
            return _followed(frames, path)
        if all("keypoints" in item and "image_id" in item for item in content):
            return _coco_people(content, path, min_score, list(_in_order(content)))
        if all("instances" in frame for frame in content):
            return _mmpose(content, path, min_score)
    raise UserError(
        f"{path}: holds no poses that are known here (OpenPose's people, COCO's annotations or "
        "results with keypoints, MMPose's instance_info)"
    )


def read_csv(path: Path, order: str = "file") -> PoseSequence:
    """The field's annotation file, ``name:keypoints_y:keypoints_x``, 18 integers each, -1 missing.

    Raises:
        UserError: a column is missing, or a row has not 18 numbers.
    """
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.reader(handle, delimiter=":", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as text ({error})") from error
    header = [cell.strip() for cell in rows[0]] if rows else []
    for column in CSV_COLUMNS:
        if column not in header:
            raise UserError(
                f"{path}: the column {column} is missing, the first line must be "
                f"{':'.join(CSV_COLUMNS)}"
            )
    places = [header.index(column) for column in CSV_COLUMNS]
    named = []
    for number, row in enumerate(rows[1:], 2):
        if any(cell.strip() for cell in row):
            where = f"{path}, line {number}"
            if len(row) != len(header):
                raise UserError(f"{where}: has {len(row)} fields, expected {len(header)}")
            name, ys, xs = (row[place].strip() for place in places)
            named.append((name, _csv_body(_numbers(xs, where), _numbers(ys, where), where)))
    if order == "name":
        named.sort(key=lambda pair: pair[0])
    joints = np.stack([body for _, body in named]) if named else np.zeros((0, 18, 3))
    return PoseSequence(joints, path, names=tuple(name for name, _ in named))


def read_npz(path: Path) -> PoseSequence:
    """``keypoints`` ``[T, 18, 2 or 3]`` (or one body), optional ``fps`` and ``size`` (H, W).

    With two numbers a joint is missing where one is negative or not finite; with three, where the
    third is 0. ``fps`` is a number or text such as ``30000/1001``.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (OSError, ValueError, BadZipFile, EOFError) as error:
        raise UserError(f"{path}: cannot be read as .npz ({error})") from error
    if "keypoints" not in arrays:
        held = ", ".join(sorted(arrays)) or "nothing"
        raise UserError(f"{path}: has no array keypoints [T, 18, 2 or 3], it holds {held}")
    keypoints = arrays["keypoints"]
    if keypoints.ndim == 2:
        keypoints = keypoints[None]
    if keypoints.ndim != 3 or keypoints.shape[1] != 18 or keypoints.shape[2] not in (2, 3):
        raise UserError(
            f"{path}: keypoints must be [T, 18, 2 or 3], got {list(arrays['keypoints'].shape)}"
        )
    joints = np.full((len(keypoints), 18, 3), -1.0)
    seen = np.isfinite(keypoints[..., :2]).all(axis=-1)
    if keypoints.shape[2] == 3:
        seen &= keypoints[..., 2] > 0
    else:
        seen &= (keypoints >= 0).all(axis=-1)
    joints[seen, :2] = keypoints[seen][:, :2]
    joints[..., 2] = seen
    fps = parse_fps(arrays["fps"].item(), f"{path}, fps") if "fps" in arrays else None
    size = _size(arrays["size"], f"{path}, size") if "size" in arrays else None
    return PoseSequence(joints, path, fps, size)


def _size(value: np.ndarray, where: str) -> tuple[int, int]:
    if value.shape != (2,) or not (value >= 1).all():
        raise UserError(f"{where}: must be two numbers, height and width, got {value.tolist()}")
    return int(value[0]), int(value[1])


def _numbers(text: str, where: str) -> list[float]:
    try:
        numbers = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: {text[:40]!r} is no list of numbers") from error
    kinds = (int, float)
    if not isinstance(numbers, list) or not all(type(value) in kinds for value in numbers):
        raise UserError(f"{where}: {text[:40]!r} is no list of numbers")
    return numbers


def _csv_body(xs: Sequence[float], ys: Sequence[float], where: str) -> Joints:
    if len(xs) != 18 or len(ys) != 18:
        raise UserError(f"{where}: has {len(ys)} y and {len(xs)} x, a body has 18 joints here")
    joints = np.array([xs, ys, np.ones(18)]).T
    missing = (joints[:, :2] < 0).any(axis=1)
    joints[missing] = (-1, -1, 0)
    return joints


def _load_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error})") from error


def _openpose_people(content: Any, where: str, min_score: float) -> FrameOfPeople:
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list):
        raise UserError(f"{where}: holds no poses, OpenPose's list people is missing")
    return [
        body_from_numbers(person.get("pose_keypoints_2d"), where, min_score, coco=False)
        for person in people
        if isinstance(person, dict)
    ]


def _coco_dataset(content: dict[str, Any], path: Path, min_score: float) -> PoseSequence:
    annotations = [item for item in content["annotations"] if "keypoints" in item]
    images = content.get("images") or [{"id": key} for key in _in_order(annotations)]
    sizes = {(image["height"], image["width"]) for image in images if "height" in image}
    if len(sizes) > 1:
        raise UserError(
            f"{path}: its images have {len(sizes)} different sizes, frames of one clip share one"
        )
    keys = [image.get("id") for image in images]
    names = tuple(str(image.get("file_name", image.get("id"))) for image in images)
    size = next(iter(sizes), None)
    return _coco_people(annotations, path, min_score, keys, size, names)


def _coco_people(
    items: list[dict[str, Any]],
    path: Path,
    min_score: float,
    keys: list[Any],
    size: tuple[int, int] | None = None,
    names: tuple[str, ...] = (),
) -> PoseSequence:
    frames: dict[Any, FrameOfPeople] = {key: [] for key in keys}
    for item in items:
        key = item.get("image_id")
        if key not in frames:
            raise UserError(f"{path}: an annotation names the image {key!r}, which is not listed")
        where = f"{path}, image {key}"
        frames[key].append(body_from_numbers(item["keypoints"], where, min_score, coco=True))
    return _followed(list(frames.values()), path, names or tuple(map(str, keys)), size)


def _in_order(items: list[dict[str, Any]]) -> dict[Any, None]:
    """Image ids, each once, in the order of the file."""
    return dict.fromkeys(item.get("image_id") for item in items)


def _mmpose(frames: Any, path: Path, min_score: float) -> PoseSequence:
    people: list[FrameOfPeople] = []
    for index, frame in enumerate(frames if isinstance(frames, list) else []):
        where = f"{path}, frame {index}"
        bodies = []
        for instance in frame.get("instances", []):
            try:
                points = np.asarray(instance["keypoints"], dtype=np.float64)
                scores = np.asarray(instance["keypoint_scores"], dtype=np.float64)
                flat = np.concatenate([points[:, :2], scores[:, None]], axis=1).ravel()
            except (KeyError, ValueError, IndexError) as error:
                raise UserError(
                    f"{where}: an instance lacks keypoints [17, 2] or keypoint_scores [17]"
                ) from error
            bodies.append(body_from_numbers(flat.tolist(), where, min_score, coco=True))
        people.append(bodies)
    return _followed(people, path)


def _followed(
    people: list[FrameOfPeople],
    path: Path,
    names: tuple[str, ...] = (),
    size: tuple[int, int] | None = None,
) -> PoseSequence:
    joints, notes = follow_one_person(people)
    return PoseSequence(joints, path, size=size, names=names, notes=notes)


def frame_named(sequence: PoseSequence, name: str, where: str) -> Joints:
    """The one frame of a sequence, or the one that has a picture's name.

    Args:
        sequence: what was read.
        name: file name of the picture; with its suffix, else without.
        where: what the file is, for the error.

    Raises:
        UserError: there are several frames and none, or more than one, has the name.
    """
    if len(sequence.joints) == 1:
        return sequence.joints[0]
    matches: list[Callable[[str], bool]] = [
        lambda other: Path(other).name == name,
        lambda other: Path(other).stem == Path(name).stem,
    ]
    for match in matches:
        found = [index for index, other in enumerate(sequence.names) if match(other)]
        if len(found) == 1:
            return sequence.joints[found[0]]
    raise UserError(
        f"{sequence.path}: {where} needs one pose, or one named {name}; "
        f"the file has {len(sequence.joints)} and none of that name alone"
    )
