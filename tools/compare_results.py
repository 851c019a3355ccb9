#!/usr/bin/env python
"""One table of several models' results, measured by tools/test.py on the same samples."""

from __future__ import annotations

import argparse
from pathlib import Path

from gfla_video.apis.compare_results import compare_results
from gfla_video.apis.tables import format_count, format_table
from gfla_video.utils.cli import run
from gfla_video.utils.errors import UserError


def main() -> None:
    """Parse the arguments, compare, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "results",
        nargs="+",
        metavar="NAME=JSON",
        help="a model's name in the table and the file that tools/test.py --out wrote for it",
    )
    parser.add_argument("--out", type=Path, metavar="JSON", help="write the table there")
    args = parser.parse_args()
    table = compare_results(_by_name(args.results), out=args.out)
    print(format_count(table))
    print(format_table(table["results"]))
    if args.out is not None:
        print(f"wrote {args.out}")


def _by_name(results: list[str]) -> dict[str, str]:
    files: dict[str, str] = {}
    for text in results:
        name, sign, path = text.partition("=")
        if not (name and sign and path):
            raise UserError(f"{text}: write NAME=JSON, such as mine=work_dirs/mine/metrics.json")
        if name in files:
            raise UserError(f"{text}: the name '{name}' is given twice")
        files[name] = path
    return files


if __name__ == "__main__":
    run(main)
