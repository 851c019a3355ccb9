"""Tasks outside the package train, resume, are measured and animate: no existing file knows them.

Their files are those of ``tests/toy_task``, the example of ``docs/add_a_task.md``, and of
``tests/toy_clip_task``, the same as clips, copied away from the checkout.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
import torch
from PIL import Image

Tool = Callable[..., subprocess.CompletedProcess[str]]
CENTRES = [(16.0 + 4 * step, 40.0) for step in range(7)]
CLIP_METRICS = {"landmark_l1", "warping_error", "warping_error_true", "warping_error_ratio"}


class Toy(NamedTuple):
    """A task and what its evaluation must say of the 3 samples of the test set."""

    folder: str
    task: str
    counts: dict[str, int]
    metrics: set[str]
    networks: set[str]
    views: int  # source pictures at once

    def sources(self, folder: Path) -> list[Path]:
        """So many pictures as the task takes."""
        return [folder / "disc.png"] * self.views


TOYS = [
    Toy("toy_task", "disc", {"count": 3}, {"l1", "ssim"}, {"generator", "discriminator"}, 2),
    Toy(
        "toy_clip_task",
        "disc_clips",
        {"count": 12, "clips": 3},
        {"l1", "ssim"} | CLIP_METRICS,
        {"generator", "discriminator", "clip_discriminator"},
        1,
    ),
]


@pytest.fixture
def folder(tmp_path: Path, repo_root: Path) -> Path:
    """The toy tasks' packages and configs, a picture of a disc and a file of centres."""
    for toy in TOYS:
        shutil.copytree(repo_root / "tests" / toy.folder, tmp_path / toy.folder)
    picture = np.full((80, 100, 3), 90, np.uint8)
    picture[30:50, 40:60] = (200, 40, 40)
    Image.fromarray(picture).save(tmp_path / "disc.png")
    (tmp_path / "centres.txt").write_text("".join(f"{x} {y}\n" for x, y in CENTRES))
    return tmp_path


@pytest.fixture
def tool(folder: Path, repo_root: Path, run_tool: Tool) -> Tool:
    """``run_tool`` with the toys' folders among the Python paths, as a user would set it."""
    paths = os.pathsep.join(map(str, [repo_root, *(folder / toy.folder for toy in TOYS)]))
    return lambda *arguments, **more: run_tool(*arguments, PYTHONPATH=paths, **more)


def checkpoint(path: Path) -> dict:
    return torch.load(path, weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.folder)
def test_a_task_is_added_without_editing_a_file(toy: Toy, tool: Tool, folder: Path) -> None:
    config, run = folder / toy.folder / "config.py", folder / "run"
    train = ("tools/train.py", config, "--work-dir", run, "--device", "cpu")
    tool(*train)
    short = checkpoint(run / "model.pth")
    assert (short["meta"]["task"], short["meta"]["iter"]) == (toy.task, 2)
    assert short["meta"]["structure"] == {"type": "DiscStructure", "sigma": 4.0}
    assert {key.split(".")[0] for key in short["state_dict"]} == toy.networks
    longer = tool(*train, "--resume", "--cfg-options", "stages.1.train_cfg.max_iters=4")
    assert "stage 1 (flow) ->" not in longer.stdout
    long = checkpoint(run / "model.pth")
    assert (long["meta"]["iter"], long["meta"]["samples"]) == (4, 8)
    assert not all(torch.equal(v, short["state_dict"][k]) for k, v in long["state_dict"].items())

    metrics, preview = folder / "metrics.json", folder / "preview.png"
    tool("tools/test.py", config, run / "model.pth", "--out", metrics, "--preview", preview)
    found = json.loads(metrics.read_text())
    assert found["task"] == toy.task
    (table,) = found["tables"]
    assert {key: table[key] for key in ("count", "clips") if key in table} == toy.counts
    results = table["results"]
    assert results["model"].keys() == results["copy_source"].keys() == toy.metrics
    assert Image.open(preview).size[0] > 64

    out = folder / "out.mp4"
    animate = ("tools/animate.py", config, run / "model.pth", "--out", out, "--device", "cpu")
    driving = ("--source", *toy.sources(folder), "--driving", folder / "centres.txt")
    centres = ("--disc-centre", *["50", "40"] * toy.views)
    options = (*centres, "--fps", "30000/1001", "--show", "driving,flow,mask")
    assert "7 centres read" in tool(*animate, *driving, *options).stdout
    with av.open(out) as video:
        stream = video.streams.video[0]
        assert (stream.codec_context.name, str(stream.average_rate)) == ("h264", "30000/1001")
        assert len(list(video.decode(stream))) == len(CENTRES)
    assert "--disc-centre" in tool("tools/animate.py", config, "--help").stdout
    (folder / "centres.txt").write_text("left right\n")
    refused = tool(*animate, *driving, check=False)
    assert refused.returncode == 2
    assert f"error: {folder / 'centres.txt'}: is no list of centres" in refused.stderr


def test_the_package_names_no_task_outside_of_the_tasks(repo_root: Path) -> None:
    """Shared code must not know which tasks there are."""
    package = repo_root / "gfla_video"
    tasks = [path.name for path in (package / "tasks").iterdir() if (path / "driver.py").is_file()]
    assert {"pose", "face"} <= set(tasks)
    imports = [
        f"{path.relative_to(repo_root)}: {line}"
        for path in package.rglob("*.py")
        for line in path.read_text().splitlines()
        if "tasks" not in path.relative_to(package).parts
        and any(f"gfla_video.tasks.{task}" in line for task in tasks)
    ]
    assert not imports
