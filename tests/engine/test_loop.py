"""The loop counts samples over everything and puts the sampler where a run stood."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch
from toy_training import CPU, toy_config, toy_stages

from gfla_video.engine.checkpoint import read_checkpoint
from gfla_video.engine.loop import ResumableTrainLoop
from gfla_video.engine.runner import StageRunner, run_stage
from gfla_video.utils.errors import UserError


def loader(**changes: object) -> dict:
    return {**toy_config()["train_dataloader"], **changes}


def test_another_batch_size_goes_on_at_the_same_sample(toy_run: Path, tmp_path: Path) -> None:
    """8 samples were seen in 4 iterations; two iterations of 3 follow, from the ninth on."""
    stage = toy_stages(tmp_path, train_dataloader=loader(batch_size=3))[0]
    run_stage(stage, CPU, toy_run / "stage1_flow" / "iter_4.pth", resume=True)
    assert read_checkpoint(stage.folder / "iter_6.pth")["meta"]["samples"] == 14
    seen = torch.load(stage.folder / "gradients_0.pt")["data"]
    runner = StageRunner.from_stage(toy_stages(tmp_path / "other")[0], CPU)
    data = runner.build_dataloader(runner._train_dataloader, seed=runner.seed)
    keys = list(islice(data.sampler, 14))
    for sums, chosen in zip(seen, (keys[8:11], keys[11:14]), strict=True):
        images = torch.stack([data.dataset[key]["image"] for key in chosen])
        torch.testing.assert_close(sums[0], images.sum())


def test_worker_processes_give_the_same_batches(toy_run: Path, tmp_path: Path) -> None:
    changed = loader(num_workers=1, persistent_workers=True)
    stage = toy_stages(tmp_path, train_dataloader=changed)[0]
    run_stage(stage, CPU, toy_run / "stage1_flow" / "iter_4.pth", resume=True)
    ours = read_checkpoint(stage.folder / "iter_6.pth")["state_dict"]
    theirs = read_checkpoint(toy_run / "stage1_flow" / "iter_6.pth")["state_dict"]
    assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())


def test_settings_of_workers_are_dropped_without_workers(tmp_path: Path) -> None:
    changed = loader(num_workers=0, persistent_workers=True)
    run_stage(toy_stages(tmp_path, train_dataloader=changed, train_cfg={"max_iters": 1})[0], CPU)


def test_a_sampler_that_cannot_be_positioned_is_refused(toy_run: Path, tmp_path: Path) -> None:
    changed = loader(sampler={"type": "InfiniteSampler"})
    stage = toy_stages(tmp_path, train_dataloader=changed)[0]
    with pytest.raises(UserError, match="InfiniteSampler cannot be resumed"):
        run_stage(stage, CPU, toy_run / "stage1_flow" / "iter_4.pth", resume=True)


def test_epochs_are_refused() -> None:
    with pytest.raises(UserError, match=r"train_cfg\.by_epoch"):
        ResumableTrainLoop(None, None, 3, by_epoch=True)
