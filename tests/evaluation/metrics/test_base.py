"""Sums over processes: what the sampler repeats is counted once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
    script = tmp_path / "two.py"
    script.write_text(SCRIPT)
    running = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), str(tmp_path / "meeting"), "5", "6", "1"],
            cwd=repo_root,
            env={**os.environ, "PYTHONPATH": str(repo_root), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in running]
    expected = [sum(i**2 / 100 for i in range(1, n + 1)) / n for n in (5, 6, 1)]
    for process, (out, err) in zip(running, outputs, strict=True):
        assert process.returncode == 0, err
        found = [float(line.split()[1]) for line in out.splitlines() if line.startswith("RESULT")]
        assert found == pytest.approx(expected, rel=1e-5)
