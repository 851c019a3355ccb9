#!/usr/bin/env python
"""Turn a checkpoint in the released programs' layout into one of ours."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from gfla_video.apis.convert import convert_checkpoint
from gfla_video.utils.cli import run
from gfla_video.utils.errors import UserError


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match:
        raise UserError(f"--size {text}: give height x width, such as 256x256")
    return int(match.group(1)), int(match.group(2))


def main() -> None:
    """Parse the arguments, convert, say what was found and what was left out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True, help="task of the checkpoint, e.g. pose")
    parser.add_argument("--src", type=Path, required=True, help="released file, *_net_G.pth")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--size", help="picture size HxW that the network was trained at")
    args = parser.parse_args()
    size = _size(args.size) if args.size else None
    report = convert_checkpoint(args.task, args.src, args.out, size)
    print(f"networks: {', '.join(report['networks'])}")
    if "size" in report["meta"]:
        print("picture size: {}x{} (--size changes it)".format(*report["meta"]["size"]))
    for reason, names in report["dropped"].items():
        if names:
            print(f"left out ({reason}): {', '.join(names)}")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    run(main)
