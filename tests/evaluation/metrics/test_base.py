"""Sums over processes: what the sampler repeats is counted once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gfla_video.evaluation import L1
from tests.evaluation.metrics.pictures import run_in_two_processes

SCRIPT = """
import sys, torch, torch.distributed as dist
from mmengine.dataset import DefaultSampler
from gfla_video.evaluation import L1

rank, meeting = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
for size in map(int, sys.argv[3:]):
    values = torch.arange(1, size + 1).float() ** 2 / 100
    indices = list(DefaultSampler(list(range(size)), shuffle=False))
    metric = L1()
    for start in range(0, len(indices), 2):
        part = indices[start : start + 2]
        made = [{"image": torch.zeros(3, 8, 8) + 2 * values[i]} for i in part]
        metric.process({"targets": {"image": torch.zeros(len(part), 3, 8, 8)}}, made)
    print("RESULT", metric.evaluate(size)["l1"])
dist.barrier()
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_count_every_sample_once(tmp_path: Path, repo_root: Path) -> None:
    """5 samples over 2 processes: the sampler repeats one, which must not count."""
    printed = run_in_two_processes(SCRIPT, tmp_path, repo_root, "5", "6", "1")
    expected = [sum(i**2 / 100 for i in range(1, n + 1)) / n for n in (5, 6, 1)]
    for out in printed:
        found = [float(line.split()[1]) for line in out.splitlines() if line.startswith("RESULT")]
        assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("count", "counted"), [(11, 8), (8, 8), (4, 4), (3, 3)])
@pytest.mark.parametrize("sizes", [1, 3])
def test_the_incomplete_last_batch_may_be_dropped(count: int, counted: int, sizes: int) -> None:
    """Whatever the size of the batches in which the samples come."""
    values = torch.arange(1, count + 1).float() ** 2 / 150
    metric = L1(whole_batches=4)
    for part in (2 * values).split(sizes):
        made = [{"image": torch.zeros(3, 8, 8) + value} for value in part]
        metric.process({"targets": {"image": torch.zeros(len(part), 3, 8, 8)}}, made)
    assert metric.evaluate(count)["l1"] == pytest.approx(float(values[:counted].mean()), rel=1e-5)
