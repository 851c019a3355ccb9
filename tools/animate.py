#!/usr/bin/env python
"""Animate a picture. CONFIG and CHECKPOINT come first; the config's task adds its options."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from mmengine.config import DictAction

from gfla_video.apis.animate import ACCELERATOR_BATCH, CPU_BATCH, Animator
from gfla_video.apis.animation_settings import add_driver_arguments
from gfla_video.apis.inference import add_inference_arguments, take_inference_options
from gfla_video.apis.panels import PANELS
from gfla_video.utils.cli import run


def _changes() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, default={}, help="key=value")
    return parser


def _parse(arguments: list[str]) -> tuple[argparse.Namespace, dict[str, Any]]:
    """The command's arguments, and apart from them those that the config's driver declares."""
    task = argparse.ArgumentParser(add_help=False)
    if arguments and not arguments[0].startswith("-"):
        changes, _ = _changes().parse_known_args(arguments)
        add_driver_arguments(task, arguments[0], changes.cfg_options)
    parser = argparse.ArgumentParser(
        description=__doc__, parents=[_changes(), task], allow_abbrev=False
    )
    add = parser.add_argument
    add("config", help="config that the checkpoint was trained with")
    add("checkpoint", help="model.pth of tools/train.py or of tools/convert_checkpoint.py")
    many = "picture to animate; some tasks take several of one object"
    add("--source", required=True, nargs="+", metavar="IMAGE", help=many)
    add("--driving", required=True, help="what moves it, a file or folder that the task reads")
    add("--out", required=True, help=".mp4 to write")
    add("--device", help="cpu, cuda, cuda:1, mps (default: the accelerator, if any)")
    batch = f"frames at once (default: {CPU_BATCH} on the CPU, {ACCELERATOR_BATCH} elsewhere)"
    add("--batch-size", type=int, metavar="N", help=batch)
    add("--show", default="result", help=f"panels beside the result, of {','.join(PANELS)}")
    add("--resize", choices=("pad", "stretch"), help="source to model size (default: the driver's)")
    add(
        "--overlap",
        action=argparse.BooleanOptionalAction,
        help="read, generate and write at the same time (default: not on the CPU)",
    )
    add("--no-sound", action="store_true", help="leave the driving clip's sound out")
    add_inference_arguments(parser)
    args = parser.parse_args(arguments)
    return args, {name: getattr(args, name) for name in vars(task.parse_args([]))}


def main() -> None:
    """Parse the arguments and animate."""
    args, driver_options = _parse(sys.argv[1:])
    inference = take_inference_options(args)
    animator = Animator(args.config, args.checkpoint, args.device, args.cfg_options, inference)
    summary = animator.animate(
        args.source,
        args.driving,
        args.out,
        batch_size=args.batch_size,
        show=args.show,
        resize=args.resize,
        overlap=args.overlap,
        sound=not args.no_sound,
        **driver_options,
    )
    print(summary["summary"])


if __name__ == "__main__":
    run(main)
