"""The field's tables of joints and pairs (FACTS 1.7), with the place of everything that is wrong.

Joints: separator ``:``, header ``name:keypoints_y:keypoints_x``, two JSON lists of 18 numbers, -1
in either coordinate = missing. Pairs: separator ``,``, header ``from,to``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from gfla_video.tasks.pose.joints import JOINT_NAMES, MISSING, NUM_JOINTS, Joints
from gfla_video.utils.errors import UserError

_COLUMNS = ("name", "keypoints_y", "keypoints_x")
_SPELLINGS = (("fashion-", "fasion-"), ("fasion-", "fashion-"))


@dataclass(frozen=True)
class AnnotationTable:
    """Joints of many images.

    Attributes:
        path: file that they come from.
        frame: (H, W) of the pictures that the joints were marked in.
        joints: by image name, float64 ``[18, 3]`` (x, y, visible) in pixels of ``frame``.
        lines: by image name, number of its line in the file.
        empty: images whose row has no joint at all; they are not in ``joints``.
    """

    path: Path
    frame: tuple[int, int]
    joints: dict[str, Joints] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    empty: set[str] = field(default_factory=set)

    @property
    def skipped(self) -> int:
        """Number of rows without any joint."""
        return len(self.empty)


@dataclass(frozen=True)
class Pair:
    """Names of a source and a target image, and their line in the table (0: no table)."""

    source: str
    target: str
    line: int = 0

    @property
    def name(self) -> str:
        """``<from stem>_2_<to stem>``."""
        return f"{Path(self.source).stem}_2_{Path(self.target).stem}"


def read_annotations(path: Path | str, annotation_size: tuple[int, int]) -> AnnotationTable:
    """Read a table of joints.

    Rows without any joint are left out, counted, and the count is logged.

    Args:
        path: the CSV file.
        annotation_size: (H, W) of the frame that the joints were marked in. It cannot be guessed:
            files with x in a 176-wide crop and in the full 256-wide picture go round under one
            name.

    Raises:
        UserError: the file is not there, a column is missing, a row has not 18 joints or cannot be
            read, a name comes twice, or a joint lies outside the frame.
    """
    path = Path(path)
    frame = check_size(annotation_size, "annotation_size")
    rows = _lines(path)
    columns = _header(path, next(rows, (1, "")), ":", _COLUMNS)
    table = AnnotationTable(path, frame)
    for number, line in rows:
        cells = line.split(":")
        if len(cells) <= max(columns.values()):
            raise UserError(
                f"{path} line {number}: has {len(cells)} columns, expected {':'.join(_COLUMNS)}"
            )
        name = cells[columns["name"]].strip()
        if name in table.lines:
            raise UserError(
                f"{path} line {number}: {name} was in line {table.lines[name]} already; remove one"
            )
        table.lines[name] = number
        down, across = (
            _numbers(path, number, column, cells[columns[column]]) for column in _COLUMNS[1:]
        )
        joints = _joints(across, down)
        if not joints[:, 2].any():
            table.empty.add(name)
            continue
        _check_frame(path, number, joints, frame)
        table.joints[name] = joints
    if table.skipped:
        print_log(
            f"{path}: {table.skipped} of {len(table.lines)} rows have no joint and are skipped",
            logger="current",
        )
    return table


def read_pairs(path: Path | str) -> list[Pair]:
    """Read a table of pairs.

    Raises:
        UserError: the file is not there, a column is missing, or a row has no two names.
    """
    path = Path(path)
    rows = _lines(path)
    columns = _header(path, next(rows, (1, "")), ",", ("from", "to"))
    pairs = []
    for number, line in rows:
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) <= max(columns.values()) or not all(cells[i] for i in columns.values()):
            raise UserError(f"{path} line {number}: expected two image names, 'from,to'")
        pairs.append(Pair(cells[columns["from"]], cells[columns["to"]], number))
    return pairs


def find_table(root: Path | str, kind: str, phase: str, file: str | None = None) -> Path:
    """Find a table of a data folder.

    Args:
        root: the data folder.
        kind: ``annotation`` or ``pairs``.
        phase: ``train`` or ``test``; without ``file``, ``*-<kind>-<phase>.csv`` is taken, else
            ``*-<kind>.csv``.
        file: name or pattern, relative to ``root`` or absolute; ``fashion-`` and ``fasion-`` are
            tried for each other.

    Raises:
        UserError: none, or more than one, is there.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"{root}: there is no such data folder; correct data_root or make the data")
    patterns = (
        [file, *_other_spellings(file)] if file else [f"*-{kind}-{phase}.csv", f"*-{kind}.csv"]
    )
    for pattern in patterns:
        if Path(pattern).is_absolute():
            found = [Path(pattern)] if Path(pattern).is_file() else []
        else:
            found = sorted(path for path in root.glob(pattern) if path.is_file())
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(path.name for path in found)
            raise UserError(
                f"{root}: several files fit {pattern} ({names}); name one in the config"
            )
    raise UserError(
        f"{root}: there is no {kind} file ({' or '.join(patterns)}); "
        "name it in the config or make it with data_prep"
    )


def check_size(size: Any, label: str) -> tuple[int, int]:
    """``size`` as two positive ints (H, W).

    Raises:
        UserError: it is something else.
    """
    whole = isinstance(size, (list, tuple)) and len(size) == 2
    if not whole or not all(isinstance(side, int) and side > 0 for side in size):
        raise UserError(f"{label} must be (height, width) in pixels, got {size!r}")
    return int(size[0]), int(size[1])


def person_id(name: str) -> str:
    """Who is on an image, and in which clothes.

    Market-1501: the first four digits (``0432_c5s1_105323_05.jpg`` -> ``0432``, also ``-1``).
    DeepFashion: what stands before ``_<view>`` (``fashionMENDenimid0000056501_7additional.jpg`` ->
    ``fashionMENDenimid0000056501``). Other names: the stem.
    """
    stem = Path(name).stem
    market = re.match(r"(-1|\d{4})_c\d", stem)
    if market:
        return market.group(1)
    view = re.match(r"(.+)_\d+[^_]*$", stem)
    return view.group(1) if view else stem


def split_id(name: str) -> str:
    """What must not be divided between training and test.

    As ``person_id``, but DeepFashion's two digits for the colour of a garment are dropped, since
    mostly one person wears all of its colours.
    """
    whole = person_id(name)
    garment = re.match(r"(.*id\d{8})\d{2}$", whole)
    return garment.group(1) if garment else whole


def _other_spellings(file: str) -> list[str]:
    folder, name = Path(file).parent, Path(file).name
    return [
        str(folder / (new + name[len(old) :])) for old, new in _SPELLINGS if name.startswith(old)
    ]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise UserError(f"{path}: cannot be read ({reason}); correct the path") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line


def _header(
    path: Path, first: tuple[int, str], separator: str, columns: tuple[str, ...]
) -> dict[str, int]:
    number, line = first
    names = [cell.strip() for cell in line.split(separator)]
    for column in columns:
        if column not in names:
            raise UserError(
                f"{path} line {number}: has no column '{column}', "
                f"expected the header '{separator.join(columns)}'"
            )
    return {column: names.index(column) for column in columns}


def _numbers(path: Path, number: int, column: str, cell: str) -> list[float]:
    place = f"{path} line {number}"
    try:
        values = json.loads(cell)
    except json.JSONDecodeError as error:
        raise UserError(f"{place}: {column} is not a JSON list of {NUM_JOINTS} numbers") from error
    if not isinstance(values, list) or len(values) != NUM_JOINTS:
        count = len(values) if isinstance(values, list) else "no list of"
        raise UserError(f"{place}: {column} has {count} joints, expected {NUM_JOINTS}")
    for joint, value in zip(JOINT_NAMES, values, strict=True):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise UserError(f"{place}: {column} of the {joint} is {value!r}, expected a number")
        if not (value >= 0 or value == MISSING):
            raise UserError(
                f"{place}: {column} of the {joint} is {value}, expected 0 or more, or -1"
            )
    return [float(value) for value in values]


def _joints(across: list[float], down: list[float]) -> Joints:
    joints = np.array([across, down, [1.0] * NUM_JOINTS]).T
    missing = (joints[:, :2] == MISSING).any(axis=1)
    joints[missing] = MISSING, MISSING, 0.0
    return joints


def _check_frame(path: Path, number: int, joints: Joints, frame: tuple[int, int]) -> None:
    for axis, label, limit in ((0, "x", frame[1]), (1, "y", frame[0])):
        outside = np.flatnonzero(joints[:, axis] >= limit)
        if len(outside):
            joint = int(outside[0])
            raise UserError(
                f"{path} line {number}: {label} of the {JOINT_NAMES[joint]} is "
                f"{joints[joint, axis]:g}, outside annotation_size {frame}; "
                "set the frame (H, W) that the joints were marked in"
            )
