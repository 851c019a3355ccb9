#!/usr/bin/env python
"""Tables of several models' results, measured by tools/test.py in one way on the same samples."""

from __future__ import annotations

import argparse
from pathlib import Path

from gfla_video.apis.compare_results import compare_results
from gfla_video.apis.tables import format_tables
from gfla_video.utils.cli import run
from gfla_video.utils.named_paths import named_paths


def main() -> None:
    """Parse the arguments, compare, print one table per protocol."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "results",
        nargs="+",
        metavar="[NAME=]JSON",
        help="a file that tools/test.py --out wrote, and what its model is called in the table "
        "(default: the file's name)",
    )
    parser.add_argument(
        "--protocol", nargs="+", default=[], metavar="NAME", help="compare under these alone"
    )
    parser.add_argument("--out", type=Path, metavar="JSON", help="write the tables there")
    args = parser.parse_args()
    files = named_paths(args.results, "results")
    found = compare_results(files, protocols=args.protocol, out=args.out)
    print(format_tables(found))
    if args.out is not None:
        print(f"wrote {args.out}")


if __name__ == "__main__":
    run(main)
