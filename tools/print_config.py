#!/usr/bin/env python
"""Print a config as it counts: bases merged, options and defaults in, every key checked."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmengine.config import DictAction

from gfla_video.apis.print_config import config_text
from gfla_video.utils.cli import run


def main() -> None:
    """Parse the arguments, print the text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, help="config file, e.g. configs/pose/sample.py")
    parser.add_argument("--stage", type=int, metavar="N", help="this stage alone (1 is the first)")
    parser.add_argument(
        "--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="config changes"
    )
    print(config_text(**vars(parser.parse_args())))


if __name__ == "__main__":
    run(main)
