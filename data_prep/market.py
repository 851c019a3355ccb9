"""Market-1501 as the pose-transfer field lays it out.

From the raw download (`bounding_box_train/`, `bounding_box_test/`) and the field's table of joints
to a folder for `configs/pose/market.py`; pairs are made where there is no table of them:

    python data_prep/market.py --raw Market-1501-v15.09.15 --tables TABLES --out data/market
    python data_prep/market.py --check data/market
"""

import argparse
import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from data_prep import pose_tables as tables
from data_prep.common import fail

FRAMES = ((128, 64),)
TEST_PAIRS = 12000  # as many as the published list has
_JUNK = ("-1", "0000")  # detections of nobody, and distractors


def person(name: str) -> str:
    """Who is on an image: the first four digits of its name."""
    return name[:4]


def find_raw(raw: Path, phase: str) -> dict[str, Path]:
    """Images of a part by name, without junk and distractors."""
    folder = raw / f"bounding_box_{phase}"
    if not folder.is_dir():
        fail(f"{folder}: there is no such folder; pass the unpacked Market-1501 as --raw")
    found = {
        path.name: path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in tables.IMAGE_SUFFIXES and not path.name.startswith(_JUNK)
    }
    if not found:
        fail(f"{folder}: has no image like 0002_c1s1_000451_03.jpg")
    return found


def prepare(options: argparse.Namespace) -> None:
    """Make the layout; what is missing is said by the check that follows."""
    folders = [options.tables or options.raw, options.raw]
    limits = {"train": options.train_pairs, "test": options.test_pairs}
    for phase in tables.PHASES:
        found = find_raw(options.raw, phase)
        tables.place_images(found, options.out / phase, None, f"{phase} images")
        path = tables.find_table(folders, "annotation", phase)
        if path is None:
            continue
        table = tables.read_joints(path)
        rows = tables.names_in(table, phase, found)
        kept = [name for name in rows if not name.startswith(_JUNK)]
        if len(kept) < len(rows):
            print(f"{phase}: {len(rows) - len(kept)} rows of junk and distractors are left out")
        tables.write_joints(options.out / f"market-annotation-{phase}.csv", table, kept)
        pairs_path = tables.find_table(folders, "pairs", phase)
        if pairs_path:
            pairs = tables.pairs_in(pairs_path, phase, kept)
        else:
            usable = [name for name in kept if name in found]
            pairs = tables.make_pairs(table, usable, person, limits[phase], options.seed)
        tables.write_pairs(options.out / f"market-pairs-{phase}.csv", pairs)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--raw", type=Path, help="the unpacked download")
    parser.add_argument("--tables", type=Path, help="folder of the tables (default: RAW)")
    parser.add_argument("--out", type=Path, help="where to make the data set")
    parser.add_argument("--train-pairs", type=int, help="most pairs to make (default: all)")
    parser.add_argument(
        "--test-pairs", type=int, default=TEST_PAIRS, help=f"most pairs to make ({TEST_PAIRS})"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the choice of pairs (0)")
    parser.add_argument("--check", type=Path, metavar="DIR", help="only say what DIR has and lacks")
    options = parser.parse_args()
    if options.check:
        sys.exit(tables.check(options.check, FRAMES))
    if not options.raw or not options.out:
        parser.error("pass --raw and --out, or --check DIR")
    for folder in (options.raw, options.tables):
        if folder and not folder.is_dir():
            fail(f"{folder}: there is no such folder; correct the path")
    prepare(options)
    sys.exit(tables.check(options.out, FRAMES))


if __name__ == "__main__":
    main()
