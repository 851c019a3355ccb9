#!/usr/bin/env python
"""The paper's ablation (its Table 2): train all models with several seeds, measure, compare."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from mmengine.config import DictAction

from gfla_video.apis.ablation import ablate
from gfla_video.apis.ablation_table import ablation_markdown
from gfla_video.apis.evaluation.measures import Measures
from gfla_video.apis.evaluation.weights import read_weights
from gfla_video.utils.cli import run
from gfla_video.utils.errors import UserError
from gfla_video.utils.named_paths import named_paths

ROOT = Path(__file__).resolve().parents[1]
# In the order of the paper's table.
MODELS = (
    "no_attention=configs/baselines/no_attention.py",
    "global_attention=configs/baselines/global_attention.py",
    "bilinear_sampling=configs/baselines/bilinear_sampling.py",
    "full=configs/pose/sample.py",
)


def main() -> None:
    """Parse the arguments, make sample data if asked to, train, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--config",
        nargs="+",
        default=MODELS,
        metavar="[NAME=]FILE",
        help="the models by their names in the table (default: the paper's four)",
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N")
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/ablation"), metavar="DIR")
    parser.add_argument(
        "--make-samples",
        action="store_true",
        help="make the sample people in DIR/data, unless they are there, and use them",
    )
    parser.add_argument(
        "--iters-scale", type=float, default=1.0, metavar="X", help="factor of all iterations"
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], help="default: a GPU if there is one")
    parser.add_argument(
        "--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="of every config"
    )
    parser.add_argument(
        "--protocol", nargs="+", default=[], metavar="NAME", help="as tools/test.py, one table each"
    )
    parser.add_argument(
        "--weights", nargs="+", default=[], metavar="NAME=FILE", help="of metrics, as tools/test.py"
    )
    args = parser.parse_args()
    options = dict(args.cfg_options or {})
    if args.make_samples:
        data = _samples(args.work_dir / "data").resolve()  # the same wherever it is called from
        options |= {f"{part}_dataloader.dataset.data_root": str(data) for part in ("train", "test")}
    found = ablate(
        named_paths(args.config, "--config"),
        args.work_dir,
        seeds=args.seeds,
        iters_scale=args.iters_scale,
        cfg_options=options,
        device=args.device,
        measures=Measures(args.protocol, read_weights(args.weights)),
        command=shlex.join(["tools/ablation.py", *sys.argv[1:]]),
    )
    print(ablation_markdown(found), end="")
    for name in ("ablation.json", "ablation.md"):
        print(f"wrote {args.work_dir / name}")


def _samples(folder: Path) -> Path:
    """The sample people; ``samples.json`` is written when they are complete."""
    if not (folder / "samples.json").is_file():
        command = [sys.executable, ROOT / "data_prep" / "make_samples.py", "--task", "pose"]
        if subprocess.run([*command, "--out", folder], check=False).returncode:
            raise UserError(f"--make-samples: the sample data could not be made in {folder}")
    return folder


if __name__ == "__main__":
    run(main)
