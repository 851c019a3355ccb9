#!/usr/bin/env python
"""Draw what a checkpoint does: flow colours, warped source, mask, attention, side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmengine.config import DictAction

from gfla_video.apis.visualize import parse_position, visualize
from gfla_video.utils.cli import run


def main() -> None:
    """Parse the arguments, draw, name the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, help="config file, e.g. configs/pose/sample.py")
    parser.add_argument("checkpoint", type=Path, help="trained or converted .pth")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the files"
    )
    parser.add_argument(
        "--samples",
        nargs="+",
        default=(),
        metavar="SAMPLE",
        help="held-out samples, by number from 0 on or by name (default: four, evenly spaced)",
    )
    parser.add_argument(
        "--positions",
        nargs="+",
        type=parse_position,
        default=(),
        metavar="X,Y",
        help="target positions in pixels whose attention is drawn (default: three in the middle)",
    )
    parser.add_argument(
        "--frames",
        nargs="+",
        type=int,
        default=(),
        metavar="N",
        help="frames of a clip to draw as pictures, from 0 on (default: four, evenly spaced)",
    )
    parser.add_argument("--fps", help="of a clip's mp4 (default: 25)")
    parser.add_argument("--device", help="cpu, cuda, ... (default: the accelerator, if any)")
    parser.add_argument(
        "--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="config changes"
    )
    args = vars(parser.parse_args())
    written = visualize(args.pop("config"), args.pop("checkpoint"), args.pop("out"), **args)
    for path in written:
        print(f"wrote {path}")


if __name__ == "__main__":
    run(main)
