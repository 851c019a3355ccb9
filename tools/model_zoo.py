#!/usr/bin/env python
"""Write docs/model_zoo.md from results files that tools/test.py --out wrote."""

from __future__ import annotations

import argparse
from pathlib import Path

from gfla_video.apis.model_zoo import write_model_zoo
from gfla_video.utils.cli import run
from gfla_video.utils.named_paths import named_paths


def main() -> None:
    """Parse the arguments, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "results",
        nargs="*",
        metavar="[NAME=]JSON",
        help="results files and their models' names (default: docs/results/*.json by their names)",
    )
    parser.add_argument("--out", type=Path, default=Path("docs/model_zoo.md"), metavar="MD")
    args = parser.parse_args()
    given = args.results or sorted(map(str, Path("docs/results").glob("*.json")))
    print(f"wrote {write_model_zoo(named_paths(given, 'results'), args.out)}")


if __name__ == "__main__":
    run(main)
