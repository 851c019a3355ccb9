"""What the two pose data sets share: tables of joints and pairs, copying of images, and `--check`.

The layout that comes out (read by `PosePairDataset`):

    OUT/{train,test}/*.jpg
    OUT/<set>-annotation-{train,test}.csv
    OUT/<set>-pairs-{train,test}.csv
"""

import filecmp
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from random import Random

from PIL import Image, UnidentifiedImageError

from data_prep.common import atomic_file, fail, progress

PHASES = ("train", "test")
HEADER = "name:keypoints_y:keypoints_x"
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
_SHOULDERS_AND_HIPS = (2, 5, 8, 11)
_NUM_JOINTS = 18
_NAMED = 5  # how many missing files are named


@dataclass
class Joints:
    """Rows of a table of joints: (y, x) lists by image name, -1 = missing."""

    path: Path
    rows: dict[str, tuple[list[int], list[int]]] = field(default_factory=dict)

    def seen(self, name: str) -> list[bool]:
        """Which of the 18 joints of an image are there."""
        down, across = self.rows[name]
        return [y != -1 and x != -1 for y, x in zip(down, across, strict=True)]

    def empty(self) -> int:
        """Number of rows without any joint."""
        return sum(not any(self.seen(name)) for name in self.rows)

    def maxima(self) -> tuple[int, int]:
        """Largest y and x of all joints."""
        down = max((max(row[0]) for row in self.rows.values()), default=-1)
        across = max((max(row[1]) for row in self.rows.values()), default=-1)
        return down, across


def read_joints(path: Path) -> Joints:
    """Read a table of joints; a row that does not fit ends the program with its line."""
    table = Joints(path)
    lines = _lines(path)
    if not lines or lines[0].strip() != HEADER:
        fail(f"{path} line 1: expected the header '{HEADER}'")
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split(":")
        if not line.strip():
            continue
        try:
            name, down, across = cells[0].strip(), json.loads(cells[1]), json.loads(cells[2])
            fits = len(down) == len(across) == _NUM_JOINTS
        except (IndexError, ValueError, TypeError):
            fail(f"{path} line {number}: expected '{HEADER}' with two JSON lists")
        if not fits:
            fail(f"{path} line {number}: expected {_NUM_JOINTS} joints in each list")
        table.rows[name] = (down, across)
    return table


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Read a table of pairs; a row that does not fit ends the program with its line."""
    lines = _lines(path)
    if not lines or [cell.strip() for cell in lines[0].split(",")] != ["from", "to"]:
        fail(f"{path} line 1: expected the header 'from,to'")
    pairs = []
    for number, line in enumerate(lines[1:], start=2):
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == 2 and all(cells):
            pairs.append((cells[0], cells[1]))
        elif line.strip():
            fail(f"{path} line {number}: expected two image names, 'from,to'")
    return pairs


def write_joints(path: Path, table: Joints, names: Iterable[str]) -> None:
    """Write the rows of `names` in the field's format."""
    lines = [HEADER]
    lines += [f"{name}: {table.rows[name][0]}: {table.rows[name][1]}" for name in names]
    with atomic_file(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_pairs(path: Path, pairs: Iterable[tuple[str, str]]) -> None:
    """Write pairs in the field's format."""
    with atomic_file(path) as part:
        text = "\n".join(["from,to", *(f"{source},{target}" for source, target in pairs)])
        part.write_text(text + "\n", encoding="utf-8")


def find_table(folders: Iterable[Path], kind: str, phase: str) -> Path | None:
    """`*-<kind>-<phase>.csv` in one of the folders, else `*-<kind>.csv`, else None."""
    folders = list(folders)
    for pattern in (f"*-{kind}-{phase}.csv", f"*-{kind}.csv"):
        for folder in folders:
            found = sorted(folder.glob(pattern))
            if len(found) > 1:
                names = ", ".join(path.name for path in found)
                fail(f"{folder}: several files fit {pattern} ({names}); keep one")
            if found:
                return found[0]
    return None


def names_in(table: Joints, phase: str, images: Iterable[str]) -> list[str]:
    """Rows of a part: all of a table made for it, else those of the part's own images."""
    if table.path.stem.endswith(f"-{phase}"):
        return list(table.rows)
    own = set(images)
    return [name for name in table.rows if name in own]


def pairs_in(path: Path, phase: str, names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of a part: all of a table made for it, else those between the part's rows."""
    pairs = read_pairs(path)
    if path.stem.endswith(f"-{phase}"):
        return pairs
    own = set(names)
    return [pair for pair in pairs if own.issuperset(pair)]


def make_pairs(
    table: Joints, names: Iterable[str], person: Callable[[str], str], limit: int | None, seed: int
) -> list[tuple[str, str]]:
    """Ordered pairs of one person's images, both with shoulders and hips (FACTS 2.4).

    Args:
        table: the joints.
        names: images to pair.
        person: who is on an image, by its name.
        limit: keep at most this many, drawn with `seed`, in their order.
        seed: of that draw.
    """
    people: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        seen = table.seen(name)
        if all(seen[joint] for joint in _SHOULDERS_AND_HIPS):
            people[person(name)].append(name)
    pairs = [pair for images in people.values() for pair in permutations(images, 2)]
    if limit is not None and len(pairs) > limit:
        pairs = [pairs[index] for index in sorted(Random(seed).sample(range(len(pairs)), limit))]
    return pairs


def place_images(
    wanted: dict[str, Path], folder: Path, size: tuple[int, int] | None, label: str
) -> int:
    """Copy images under their new names, and resize them where `size` (H, W) is given.

    What is there already and the same is kept, so that an interrupted run goes on.

    Returns:
        Number of images that cannot be read (named on the way); they are left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    broken = 0
    for name, source in progress(wanted.items(), label, len(wanted)):
        target = folder / name
        if size is None:
            if not (target.is_file() and filecmp.cmp(source, target, shallow=False)):
                with atomic_file(target) as part:
                    shutil.copyfile(source, part)
        elif not _has_size(target, size):
            try:
                _resize(source, target, size)
            except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
                print(f"{source}: cannot be read ({error}), left out")
                broken += 1
    return broken


def check(folder: Path, frames: tuple[tuple[int, int], ...]) -> int:
    """Print what of the layout is there and what is missing.

    Args:
        folder: the prepared data set.
        frames: sizes (H, W) that its joints are known to be marked in, small to large; the first
            that holds all joints is the hint for `annotation_size`.

    Returns:
        Exit code: 0 when nothing is missing.
    """
    if not folder.is_dir():
        fail(f"{folder}: there is no such folder; pass the one that was prepared")
    print(f"{'':6}{'images':>8}{'rows':>8}{'no joint':>10}{'pairs':>9}{'missing images':>16}")
    notes: list[str] = []
    fits: dict[str, tuple[int, int]] = {}
    for phase in PHASES:
        _check_phase(folder, phase, notes, fits)
    for phase, (down, across) in fits.items():
        frame = next((size for size in frames if down < size[0] and across < size[1]), None)
        hint = f"annotation_size = {frame} fits" if frame else "no known annotation_size fits"
        print(f"{phase}: joints reach y = {down}, x = {across}; {hint}")
    for note in notes:
        print(f"missing: {note}")
    print("something is missing" if notes else "complete")
    return 1 if notes else 0


def parse_size(text: str) -> tuple[int, int]:
    """`256x176` as (256, 176) = (height, width), for argparse."""
    height, width = (int(side) for side in text.lower().split("x"))
    if height < 1 or width < 1:
        raise ValueError(text)
    return height, width


def _check_phase(
    folder: Path, phase: str, notes: list[str], fits: dict[str, tuple[int, int]]
) -> None:
    images = folder / phase
    there = {path.name for path in images.iterdir()} if images.is_dir() else set()
    if not there:
        notes.append(f"{images}/ has no image")
    joints_path = find_table([folder], "annotation", phase)
    pairs_path = find_table([folder], "pairs", phase)
    table = read_joints(joints_path) if joints_path else None
    pairs = read_pairs(pairs_path) if pairs_path else None
    if table is None:
        notes.append(f"{folder}/*-annotation-{phase}.csv")
    elif table.rows:
        fits[phase] = table.maxima()
    if pairs is None:
        notes.append(f"{folder}/*-pairs-{phase}.csv")
    paired = {name for pair in pairs or [] for name in pair}
    rows = set(table.rows) if table else set()
    absent = sorted((rows | paired) - there)
    _note(notes, absent, f"of the images named in the tables, in {images}/")
    if table is not None:
        _note(notes, sorted(paired - rows), f"of the images in pairs, as rows of {table.path}")
    cells = [len(there), len(rows), table.empty() if table else 0, len(pairs or []), len(absent)]
    widths = (8, 8, 10, 9, 16)
    shown = [f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)]
    print(f"{phase:6}{''.join(shown)}")


def _note(notes: list[str], names: list[str], where: str) -> None:
    if names:
        more = ", ..." if len(names) > _NAMED else ""
        notes.append(f"{len(names)} {where}: {', '.join(names[:_NAMED])}{more}")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path}: cannot be read ({error})")


def _has_size(path: Path, size: tuple[int, int]) -> bool:
    if not path.is_file():
        return False
    try:
        with Image.open(path) as image:
            return image.size == (size[1], size[0])
    except (OSError, SyntaxError, ValueError):
        return False


def _resize(source: Path, target: Path, size: tuple[int, int]) -> None:
    with Image.open(source) as opened:
        image = opened.convert("RGB")
    resized = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    with atomic_file(target) as part:
        if part.suffix.lower() == ".png":
            resized.save(part, "PNG")
        else:
            resized.save(part, "JPEG", quality=95, subsampling=0)
