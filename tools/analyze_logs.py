#!/usr/bin/env python
"""Draw the curves of one or several trainings into one picture."""

from __future__ import annotations

import argparse
from pathlib import Path

from gfla_video.apis.log_curves import draw_logs
from gfla_video.apis.tables import format_table
from gfla_video.utils.cli import run
from gfla_video.utils.named_paths import named_paths


def main() -> None:
    """Parse the arguments, draw, print what the lines end at."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="[NAME=]DIR",
        help="work folder of a training (or of one stage) and its name in the legend",
    )
    parser.add_argument(
        "--keys", nargs="+", default=(), metavar="KEY", help="such as loss_generator (all losses)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".png, .svg, .pdf")
    parser.add_argument(
        "--smooth", type=int, default=1, metavar="N", help="mean over N points of the log"
    )
    args = parser.parse_args()
    runs = named_paths(args.runs, "runs")
    print(format_table(draw_logs(runs, args.out, keys=args.keys, smooth=args.smooth)))
    print(f"wrote {args.out}")


if __name__ == "__main__":
    run(main)
