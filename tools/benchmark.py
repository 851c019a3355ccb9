#!/usr/bin/env python
"""Measure the released formulation, plain torch and the native op against each other."""

from __future__ import annotations

import argparse
from pathlib import Path

from gfla_video.apis.device import choose_device
from gfla_video.testing.benchmark import (
    COMMANDS,
    DTYPES,
    FORMATS,
    Settings,
    benchmark,
    format_report,
)
from gfla_video.utils.cli import run


def main() -> None:
    """Parse the arguments, measure, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("command", choices=tuple(COMMANDS), help="what to measure")
    add("--json", type=Path, metavar="FILE", help="write everything that was measured there")
    add("--device", default="cpu", choices=("cpu", "cuda"), help="default: cpu")
    add("--repeats", type=int, metavar="N", help="interleaved rounds (default: by command)")
    add("--warmup", type=int, default=2, metavar="N", help="rounds before that (default: 2)")
    add("--threads", type=int, metavar="N", help="CPU threads (default: torch's choice)")
    add("--batch", type=int, nargs="+", metavar="N", help="batch sizes (default: by command)")
    add("--dtype", choices=tuple(DTYPES), default="float32", help="of op's tensors")
    add(
        "--memory-format",
        choices=tuple(FORMATS),
        nargs="+",
        default=tuple(FORMATS),
        help="of op and model (default: both)",
    )
    add("--compile", action="store_true", help="model: add variants under torch.compile")
    add("--graphs", action="store_true", help="model: add CUDA graphs (--device cuda)")
    add("--frames", type=int, metavar="N", help="animate: length of the clip")
    add(
        "--keep-memory",
        action="store_true",
        help="all variants: keep freed memory as our other tools do (default: the system's way)",
    )
    add("--seed", type=int, default=0, help="of weights and inputs (default: 0)")
    add("--quick", action="store_true", help="tiny sizes, two rounds: does it all run?")
    args = parser.parse_args()
    settings = Settings(
        device=choose_device(args.device),
        repeats=args.repeats,
        warmup=args.warmup,
        quick=args.quick,
        threads=args.threads,
        batches=tuple(args.batch) if args.batch else None,
        dtype=args.dtype,
        formats=tuple(args.memory_format),
        compiled=args.compile,
        graphs=args.graphs,
        frames=args.frames,
        seed=args.seed,
        keep_memory=args.keep_memory,
    )
    print(format_report(benchmark(args.command, settings, args.json)))
    if args.json is not None:
        print(f"wrote {args.json}")


if __name__ == "__main__":
    run(main, prepare=False)  # every variant in a process as PyTorch finds it
