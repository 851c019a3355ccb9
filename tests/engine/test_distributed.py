"""The smoke config in two processes on the CPU, resumed by two and by one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
import toy_training

from gfla_video.apis import train
from gfla_video.engine.checkpoint import last_checkpoint, read_checkpoint
from gfla_video.engine.distributed import start_processes
from gfla_video.utils.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


def run_two(
    config: Path, work_dir: Path, *more: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    variables = {"PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1", **environment}
    command = [ROOT / "tools" / "dist_train.sh", config, "2", "--work-dir", work_dir]
    return subprocess.run(
        [*map(str, command), "--device", "cpu", *more],
        env={**os.environ, **variables},
        cwd=work_dir.parent,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, sample_data: Path) -> Path:
    return toy_training.smoke_file(tmp_path_factory.mktemp("config") / "smoke.py", sample_data)


@pytest.fixture(scope="module")
def pair(config: Path) -> Path:
    """An uninterrupted run of two processes. Read only."""
    folder = config.parent / "pair"
    done = run_two(config, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_gradients_are_equal_on_both_processes(pair: Path) -> None:
    """Taken before they are zeroed; each process had its own data."""
    one, two = (torch.load(pair / f"stage2_full/gradients_{rank}.pt") for rank in (0, 1))
    for name in ("generator", "discriminator"):
        assert len(one[name]) == 4
        for ours, theirs in zip(one[name], two[name], strict=True):
            assert torch.equal(ours, theirs), name
            assert ours.abs().sum() > 0
    for ours, theirs in zip(one["data"], two["data"], strict=True):
        assert not torch.equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["face", "view_synthesis"])
def test_other_tasks_train_in_two_processes(
    tmp_path: Path, task: str, request: pytest.FixtureRequest
) -> None:
    """Clips: several passes of one network before its backward pass, and three networks. Codes."""
    samples = request.getfixturevalue({"face": "face_samples"}.get(task, "view_samples"))
    config = toy_training.smoke_file(tmp_path / "smoke.py", samples, task)
    done = run_two(config, tmp_path / "pair")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "pair" / "stage2_full"
    one, two = (torch.load(folder / f"gradients_{rank}.pt") for rank in (0, 1))
    clips = ("clip_discriminator",) if task == "face" else ()
    for name in ("generator", "discriminator", *clips):
        assert len(one[name]) == 4
        assert all(torch.equal(*both) for both in zip(one[name], two[name], strict=True)), name
        assert all(gradient.abs().sum() > 0 for gradient in one[name])
    assert not any(torch.equal(*both) for both in zip(one["data"], two["data"], strict=True))


@pytest.mark.slow
def test_checkpoints_of_two_processes_are_plain(pair: Path) -> None:
    last = read_checkpoint(pair / "stage2_full" / "iter_4.pth")
    assert not any(".module." in name for name in last["state_dict"])
    assert (last["meta"]["samples"], len(last["rng"])) == (16, 2)


@pytest.mark.slow
def test_a_killed_pair_resumes_as_two_and_as_one(
    config: Path, pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run_two(config, tmp_path / "two", TOY_KILL="2:3")
    assert done.returncode != 0
    assert last_checkpoint(tmp_path / "two" / "stage2_full").name == "iter_2.pth"
    shutil.copytree(tmp_path / "two", tmp_path / "one")

    done = run_two(config, tmp_path / "two", "--resume")
    assert done.returncode == 0, done.stdout + done.stderr
    ours = read_checkpoint(tmp_path / "two" / "model.pth")["state_dict"]
    theirs = read_checkpoint(pair / "model.pth")["state_dict"]
    assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())

    train(config, tmp_path / "one", resume=True, device="cpu")
    assert "had 2 process(es), now 1: it goes on at sample 8" in capsys.readouterr().out
    meta = read_checkpoint(tmp_path / "one" / "model.pth")["meta"]
    assert (meta["iter"], meta["samples"]) == (4, 12)  # 2 iterations of 4, then 2 of 2


def test_one_process_of_several_needs_the_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(UserError, match="pass --launcher pytorch"):
        start_processes("none", torch.device("cpu"))


def test_the_script_says_how_it_is_used(tmp_path: Path) -> None:
    script = ROOT / "tools" / "dist_train.sh"
    done = subprocess.run([script, "a.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage: tools/dist_train.sh CONFIG PROCESSES" in done.stderr
