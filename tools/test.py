#!/usr/bin/env python
"""Measure a checkpoint on the held-out samples of its config."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmengine.config import DictAction

from gfla_video.apis.evaluate import evaluate
from gfla_video.apis.inference import add_inference_arguments, take_inference_options
from gfla_video.apis.tables import BASELINES, format_count, format_table
from gfla_video.utils.cli import run


def main() -> None:
    """Parse the arguments, evaluate, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, help="config file, e.g. configs/pose/sample.py")
    parser.add_argument("checkpoint", type=Path, help="trained or converted .pth")
    parser.add_argument("--out", type=Path, metavar="JSON", help="write the numbers there")
    parser.add_argument("--preview", type=Path, metavar="PNG", help="write a picture of samples")
    parser.add_argument(
        "--images-out",
        type=Path,
        metavar="DIR",
        help="write every generated picture there, as <name>_vis.png (<name>_<frame>_vis.png)",
    )
    parser.add_argument("--device", help="cpu, cuda, ... (default: the accelerator, if any)")
    parser.add_argument("--batch-size", type=int, metavar="N", help="instead of the config's")
    parser.add_argument(
        "--baselines",
        nargs="*",
        default=BASELINES,
        choices=BASELINES,
        help="what to compare with (default: all; mean_of_targets reads the training data)",
    )
    parser.add_argument(
        "--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="config changes"
    )
    add_inference_arguments(parser)
    parsed = parser.parse_args()
    inference = take_inference_options(parsed)
    args = vars(parsed)
    report = evaluate(args.pop("config"), args.pop("checkpoint"), inference=inference, **args)
    print(f"{format_count(report)}, {report['config']}, {report['checkpoint']}")
    print(format_table(report["results"]))
    for path in (args["out"], args["preview"], args["images_out"]):
        if path is not None:
            print(f"wrote {path}")


if __name__ == "__main__":
    run(main)
