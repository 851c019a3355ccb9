#!/usr/bin/env python
"""Write samples of a config's data as pictures, with their structures drawn."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmengine.config import DictAction

from gfla_video.apis.browse import PARTS, browse_dataset
from gfla_video.utils.cli import run


def main() -> None:
    """Parse the arguments, draw, name the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, help="config file, e.g. configs/pose/sample.py")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the PNGs")
    parser.add_argument("--part", choices=PARTS, default="train", help="default: train")
    parser.add_argument("--count", type=int, default=8, metavar="N", help="evenly spaced samples")
    parser.add_argument(
        "--samples", type=int, nargs="+", default=(), metavar="N", help="these, from 0 on, instead"
    )
    parser.add_argument("--epoch", type=int, default=0, help="whose augmentation is shown")
    parser.add_argument(
        "--frames", type=int, default=4, metavar="N", help="rows of a clip, evenly spaced"
    )
    parser.add_argument(
        "--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="config changes"
    )
    for path in browse_dataset(**vars(parser.parse_args())):
        print(f"wrote {path}")


if __name__ == "__main__":
    run(main)
