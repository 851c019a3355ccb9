#!/usr/bin/env python
"""Train a config: all its stages in order, or one of them."""

from __future__ import annotations

import argparse

from gfla_video.utils.cli import run


def main() -> None:
    """Parse the arguments and train."""
    from mmengine.config import DictAction

    from gfla_video.apis import train

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file, such as configs/pose/sample.py")
    parser.add_argument("--work-dir", help="where checkpoints and logs go")
    parser.add_argument("--stage", type=int, help="train this stage only (1 is the first)")
    parser.add_argument("--resume", action="store_true", help="go on where a run stopped")
    parser.add_argument(
        "--overwrite", action="store_true", help="throw away an earlier run in the work folder"
    )
    parser.add_argument(
        "--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="change the config"
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], help="default: a GPU if there is one")
    parser.add_argument("--launcher", choices=["none", "pytorch"], default="none")
    parser.add_argument("--seed", type=int, help="default: the config's randomness.seed")
    parser.add_argument(
        "--amp",
        nargs="?",
        const="bfloat16",
        choices=["bfloat16", "float16"],
        help="mixed precision: bfloat16 (the default of --amp) on CPUs and GPUs, float16 on GPUs",
    )
    train(**vars(parser.parse_args()))


if __name__ == "__main__":
    run(main)
