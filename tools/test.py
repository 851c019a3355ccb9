#!/usr/bin/env python
"""Measure a checkpoint on the held-out samples of its config, or anybody's pictures in a folder."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from mmengine.config import DictAction

from gfla_video.apis.evaluation.evaluate import evaluate
from gfla_video.apis.evaluation.measure import measure_images
from gfla_video.apis.evaluation.measures import Measures, describe_protocols
from gfla_video.apis.evaluation.weights import read_weights
from gfla_video.apis.inference import (
    InferenceOptions,
    add_inference_arguments,
    take_inference_options,
)
from gfla_video.apis.tables import BASELINES, format_tables
from gfla_video.utils.cli import run
from gfla_video.utils.errors import UserError

_OF_CHECKPOINTS = ("preview", "images_out", "baselines", "cfg_options")


def main() -> None:
    """Parse the arguments, measure, print the tables."""
    parsed = _parser().parse_args()
    inference = take_inference_options(parsed)
    args = vars(parsed)
    names, images, reference = (args.pop(key) for key in ("protocol", "images", "reference"))
    if "list" in names:
        if len(names) > 1:
            raise UserError("--protocol list: prints the protocols and stands alone")
        print(describe_protocols())
        return
    weights = read_weights(args.pop("weights"))
    measures = Measures(names, weights, args.pop("train_images"), args.pop("seed"))
    args["command"] = shlex.join(["tools/test.py", *sys.argv[1:]])
    _check_one_way(args, images, reference)
    if images is None:
        args["baselines"] = BASELINES if args["baselines"] is None else args["baselines"]
        written = [args[key] for key in ("out", "preview", "images_out", "report")]
        found = evaluate(measures=measures, inference=inference, **args)
        print(f"{found['config']}, {found['checkpoint']}")
    else:
        _refuse_of_checkpoints(args, inference)
        shared = {key: args[key] for key in ("out", "report", "device", "batch_size", "command")}
        written = [shared["out"], shared["report"]]
        found = measure_images(images, reference, measures, **shared)
        told = found["matching"]
        print(f"{told['matched']} of {told['pictures']} pictures in {images} have a reference")
    print(format_tables(found))
    for path in filter(None, written):
        print(f"wrote {path}")


def _check_one_way(args: dict[str, object], images: Path | None, reference: Path | None) -> None:
    """A config and its checkpoint, or two folders."""
    pair = args["config"] is not None and args["checkpoint"] is not None
    if pair and images is None and reference is None:
        return
    if args["config"] is None and images is not None and reference is not None:
        return
    raise UserError("give CONFIG and CHECKPOINT, or --images DIR and --reference DIR")


def _refuse_of_checkpoints(args: dict[str, object], inference: InferenceOptions) -> None:
    """Options that pictures of a folder have no use for."""
    given = [key for key in _OF_CHECKPOINTS if args[key] is not None]
    plain = vars(InferenceOptions())
    given += [key for key, value in vars(inference).items() if value != plain[key]]
    if given:
        raise UserError(
            f"--{given[0].replace('_', '-')}: is for a config and its checkpoint, with --images "
            "there is no network; leave it out"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, nargs="?", help="such as configs/pose/sample.py")
    parser.add_argument("checkpoint", type=Path, nargs="?", help="trained or converted .pth")
    parser.add_argument("--images", type=Path, metavar="DIR", help="measure these pictures")
    parser.add_argument("--reference", type=Path, metavar="DIR", help="against these, by name")
    _add_measures(parser)
    parser.add_argument("--out", type=Path, metavar="JSON", help="write the numbers there")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write a static HTML report")
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
        choices=BASELINES,
        help="what to compare with (default: all; mean_of_targets reads the training data)",
    )
    parser.add_argument(
        "--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="config changes"
    )
    add_inference_arguments(parser)
    return parser


def _add_measures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--protocol",
        nargs="+",
        default=[],
        metavar="NAME",
        help="one table for each: a built-in name, one of the config, a .py file, or 'config' for "
        "the config's own metrics (default); 'list' prints them",
    )
    parser.add_argument(
        "--weights",
        nargs="+",
        default=[],
        metavar="NAME=FILE",
        help="weights of the metrics: inception, lpips-alex, lpips-vgg, lpips-squeeze",
    )
    parser.add_argument(
        "--train-images", type=Path, metavar="DIR", help="FID's real pictures (default: config's)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of torch (default: 0)")


if __name__ == "__main__":
    run(main)
