"""DeepFashion (In-shop Clothes Retrieval) as the pose-transfer field lays it out.

From the raw download (`img_highres/` or `img/`), the field's lists `train.lst` and `test.lst`, and
its tables of joints and pairs, to a folder for `configs/pose/fashion.py`:

    python data_prep/fashion.py --raw DOWNLOAD --tables TABLES --out data/fashion --size 256x256
    python data_prep/fashion.py --check data/fashion
"""

import argparse
import os
import re
import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from data_prep import pose_tables as tables
from data_prep.common import fail

FRAMES = ((256, 176), (256, 256))
_ROOTS = ("img_highres", "img", "Img/img_highres", "Img/img")


def flat_name(path: Path | str) -> str | None:
    """The field's name of a raw image, or None where the path is no such image.

    `WOMEN/Dresses/id_00000002/02_1_front.jpg` is `fashionWOMENDressesid0000000202_1front.jpg`.
    """
    parts = Path(path).parts[-4:]
    if len(parts) < 4 or not re.fullmatch(r"id_\d+", parts[2]) or "_" not in parts[3]:
        return None
    gender, category, garment, file = parts
    number, view = file.split("_", 1)
    return f"fashion{gender}{category}{garment.replace('_', '')}{number}_{view.replace('_', '')}"


def person(name: str) -> str:
    """Garment and wearer of an image: its name before `_<view>`."""
    return name.rsplit("_", 1)[0]


def find_raw(raw: Path) -> dict[str, Path]:
    """All images of the raw tree, by their new name."""
    root = next((raw / name for name in _ROOTS if (raw / name).is_dir()), raw)
    found = {}
    print(f"looking through {root}", file=sys.stderr)
    for folder, _, files in os.walk(root):
        for file in files:
            path = Path(folder) / file
            name = flat_name(path) if path.suffix.lower() in tables.IMAGE_SUFFIXES else None
            if name:
                found[name] = path
    if not found:
        fail(f"{raw}: has no image like img_highres/WOMEN/Dresses/id_00000002/02_1_front.jpg")
    return found


def names_of(phase: str, folders: list[Path], table: tables.Joints | None) -> list[str]:
    """Images of a part: from `<phase>.lst` (new names or raw paths), else from its joints."""
    for folder in folders:
        path = folder / f"{phase}.lst"
        if path.is_file():
            lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
            return [flat_name(line) or line for line in lines if line]
    if table is None:
        fail(f"{folders[-1]}: has neither {phase}.lst nor an annotation table; get one of them")
    return list(table.rows)


def prepare(raw: Path, table_folder: Path, out: Path, size: tuple[int, int] | None) -> None:
    """Make the layout; what is missing is said by the check that follows."""
    folders = [raw, table_folder]
    found = find_raw(raw)
    for phase in tables.PHASES:
        path = tables.find_table(folders, "annotation", phase)
        table = tables.read_joints(path) if path else None
        names = names_of(phase, folders, table)
        wanted = {name: found[name] for name in names if name in found}
        if len(wanted) < len(names):
            print(f"{phase}: {len(names) - len(wanted)} of {len(names)} images are not in {raw}")
        broken = tables.place_images(wanted, out / phase, size, f"{phase} images")
        if broken:
            print(f"{phase}: {broken} images cannot be read")
        if table is None:
            continue
        kept = tables.names_in(table, phase, names)
        tables.write_joints(out / f"fashion-annotation-{phase}.csv", table, kept)
        pairs_path = tables.find_table(folders, "pairs", phase)
        if pairs_path:
            pairs = tables.pairs_in(pairs_path, phase, kept)
        else:
            usable = [name for name in kept if name in wanted]
            pairs = tables.make_pairs(table, usable, person, None, 0)
        tables.write_pairs(out / f"fashion-pairs-{phase}.csv", pairs)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--raw", type=Path, help="folder of the download, with img_highres or img")
    parser.add_argument("--tables", type=Path, help="folder of the lists and tables (default: RAW)")
    parser.add_argument("--out", type=Path, help="where to make the data set")
    parser.add_argument(
        "--size",
        type=tables.parse_size,
        metavar="HxW",
        help="resize the images, 256x256 as the released program does on loading (default: copy)",
    )
    parser.add_argument("--check", type=Path, metavar="DIR", help="only say what DIR has and lacks")
    options = parser.parse_args()
    if options.check:
        sys.exit(tables.check(options.check, FRAMES))
    if not options.raw or not options.out:
        parser.error("pass --raw and --out, or --check DIR")
    for folder in (options.raw, options.tables):
        if folder and not folder.is_dir():
            fail(f"{folder}: there is no such folder; correct the path")
    prepare(options.raw, options.tables or options.raw, options.out, options.size)
    sys.exit(tables.check(options.out, FRAMES))


if __name__ == "__main__":
    main()
