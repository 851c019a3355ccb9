"""Both stages through the tool: killed, resumed, in several processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
TOY_FOLDER = ROOT / "tests" / "engine"
sys.path.insert(0, str(TOY_FOLDER))

import toy_training  # noqa: E402

from gfla_video.apis import train  # noqa: E402
from gfla_video.engine import loop  # noqa: E402
from gfla_video.engine.checkpoint import (  # noqa: E402
    last_checkpoint,
    read_checkpoint,
    write_checkpoint,
    write_pointer,
)
from gfla_video.utils.errors import UserError  # noqa: E402

PATHS = f"{ROOT}:{TOY_FOLDER}"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_training.toy_file(tmp_path_factory.mktemp("config") / "toy.py")


@pytest.fixture(scope="module")
def finished(config: Path) -> Path:
    """An uninterrupted run. Read only."""
    folder = config.parent / "finished"
    assert train(config, folder, device="cpu") == folder / "model.pth"
    return folder


def same_weights(one: Path, other: Path) -> bool:
    ours, theirs = (read_checkpoint(path)["state_dict"] for path in (one, other))
    assert ours.keys() == theirs.keys()
    return all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.slow
def test_killed_in_either_stage_it_resumes_bit_equal(
    tmp_path: Path,
    sample_data: Path,
    run_tool: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    config = toy_training.smoke_file(tmp_path / "smoke.py", sample_data)
    run, whole = tmp_path / "run", tmp_path / "whole"
    arguments = ("tools/train.py", config, "--work-dir", run, "--device", "cpu")

    def killed(at: str, *more: str) -> None:
        done = run_tool(*arguments, *more, check=False, PYTHONPATH=PATHS, TOY_KILL=at)
        assert done.returncode == -9, done.stderr

    killed("1:3")  # checkpoints are written after iterations 2 and 4
    assert last_checkpoint(run / "stage1_flow") == run / "stage1_flow" / "iter_2.pth"
    killed("2:3", "--resume")
    assert last_checkpoint(run / "stage2_full") == run / "stage2_full" / "iter_2.pth"
    done = run_tool(*arguments, "--resume", PYTHONPATH=PATHS)
    assert "resumed" in done.stdout
    assert "stage 1" not in done.stdout
    train(config, whole, device="cpu")
    for name in ("model.pth", "stage1_flow/iter_4.pth", "stage2_full/iter_4.pth"):
        assert same_weights(run / name, whole / name)


def test_stages_one_by_one_equal_both_at_once(config: Path, finished: Path, tmp_path: Path) -> None:
    first = train(config, tmp_path, stage=1, device="cpu")
    assert first == tmp_path / "stage1_flow" / "iter_6.pth"
    assert not (tmp_path / "model.pth").exists()
    assert same_weights(train(config, tmp_path, stage=2, device="cpu"), finished / "model.pth")


def test_a_finished_run_has_nothing_left_to_train(
    config: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (finished / "stage2_full" / "iter_6.pth").stat().st_mtime_ns
    train(config, finished, resume=True, device="cpu")
    assert "stage 2 (full) is finished already" in capsys.readouterr().out
    assert (finished / "stage2_full" / "iter_6.pth").stat().st_mtime_ns == before


def test_a_longer_stage_goes_on(config: Path, finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "run")
    more = {"stages.1.train_cfg": {"max_iters": 7}}
    train(config, tmp_path / "run", resume=True, cfg_options=more, device="cpu")
    meta = read_checkpoint(tmp_path / "run" / "model.pth")["meta"]
    assert (meta["iter"], meta["samples"]) == (7, 14)


@pytest.fixture
def ten_seconds_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that only training moves, by ten seconds per iteration."""
    now, step = [1000.0], loop.ResumableTrainLoop.run_iter

    def timed(self: loop.ResumableTrainLoop, batch: object) -> None:
        now[0] += 10
        step(self, batch)

    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(loop.ResumableTrainLoop, "run_iter", timed)


def seconds(checkpoint: Path) -> float | None:
    return read_checkpoint(checkpoint)["meta"]["train_seconds"]


def test_the_seconds_of_stages_and_resumed_runs_are_summed(
    config: Path, tmp_path: Path, ten_seconds_a_step: None
) -> None:
    final = train(config, tmp_path, device="cpu")
    flow, full = tmp_path / "stage1_flow", tmp_path / "stage2_full"
    assert [seconds(flow / f"iter_{done}.pth") for done in (4, 6)] == [40, 60]
    assert [seconds(full / f"iter_{done}.pth") for done in (4, 6)] == [100, 120]
    assert seconds(final) == 120
    write_pointer(full, full / "iter_4.pth")  # as if killed after it: what came then is lost
    assert seconds(train(config, tmp_path, resume=True, device="cpu")) == 120
    train(config, tmp_path, resume=True, device="cpu")  # a finished run
    assert seconds(final) == 120
    longer = {"stages.1.train_cfg": {"max_iters": 7}}
    train(config, tmp_path, resume=True, cfg_options=longer, device="cpu")
    assert seconds(final) == 130
    assert seconds(train(config, tmp_path, stage=1, overwrite=True, device="cpu")) == 60


@pytest.mark.parametrize("resume", [False, True])
def test_the_seconds_are_unknown_after_weights_that_do_not_say_them(
    config: Path, finished: Path, tmp_path: Path, resume: bool
) -> None:
    content = read_checkpoint(finished / "stage1_flow" / "iter_4.pth")
    del content["meta"]["train_seconds"]
    silent = tmp_path / "stage1_flow" / "silent.pth" if resume else tmp_path / "silent.pth"
    write_checkpoint(content, silent)
    if resume:
        write_pointer(silent.parent, silent)
    options = {} if resume else {"load_from": str(silent)}
    trained = train(config, tmp_path, 1, resume, cfg_options=options, device="cpu")
    assert seconds(trained) is None


def test_resume_without_a_run_starts_one(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(config, tmp_path, stage=1, resume=True, device="cpu")
    assert "nothing to resume" in capsys.readouterr().out


def test_an_earlier_run_is_not_thrown_away_unasked(
    config: Path, finished: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="holds an earlier run; pass --resume"):
        train(config, finished, device="cpu")
    shutil.copytree(finished, tmp_path / "run")
    short = {"train_cfg.max_iters": 1}
    train(config, tmp_path / "run", overwrite=True, cfg_options=short, device="cpu")
    assert read_checkpoint(tmp_path / "run" / "model.pth")["meta"]["iter"] == 1


def test_weights_to_start_from(config: Path, finished: Path, tmp_path: Path) -> None:
    options = {
        "load_from": str(finished / "stage1_flow" / "iter_4.pth"),
        "train_cfg.max_iters": 1,
        "stages.0.optim_wrapper.optimizer.lr": 0.0,
    }
    train(config, tmp_path, stage=1, cfg_options=options, device="cpu")
    own = last_checkpoint(tmp_path / "stage1_flow")
    assert own is not None
    assert same_weights(own, finished / "stage1_flow" / "iter_4.pth")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stage": 2}, "there is none; train that first"),
        ({"stage": 3}, "the config has stages 1 to 2"),
        ({"device": "tpu"}, "choose cpu or cuda"),
        ({"seed": -1}, "--seed -1: must be 0 or more"),
        ({"launcher": "pytorch"}, "RANK, WORLD_SIZE.*tools/dist_train.sh"),
        ({"launcher": "mpi"}, "choose none or pytorch"),
        (
            {"cfg_options": {"model.width": 3}},
            r"model\.width: unknown key; ToyFlowModel takes flow_estimator",
        ),
        (
            {"cfg_options": {"stages.0.model.flow_estimator.widht": 3}},
            r"stages\.0\.model\.flow_estimator\.widht: unknown key; ToyFlow takes width; "
            "did you mean 'width'",
        ),
        ({"cfg_options": {"stages.7.model.width": 3}}, "--cfg-options: do not fit"),
        ({"cfg_options": {"custom_imports.imports": ["no_such_module"]}}, "custom_imports"),
        ({"cfg_options": {"train_cfg": {"_delete_": True, "max_epochs": 3}}}, "max_epochs"),
        ({"cfg_options": {"load_from": "no/such.pth"}}, r"no/such\.pth"),
    ],
)
def test_what_does_not_fit_is_said(
    config: Path, tmp_path: Path, arguments: dict, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        train(config, tmp_path, **{"device": "cpu", **arguments})


def test_a_folder_that_cannot_be_written(config: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        train(config, tmp_path / "file" / "run", device="cpu")


@pytest.mark.parametrize("text", ["model = dict(", "model = undefined_name", "_base_ = 'no.py'"])
def test_a_file_that_is_no_config(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(UserError, match=r"broken\.py: is not a readable config"):
        train(tmp_path / "broken.py", tmp_path, device="cpu")
    with pytest.raises(UserError, match=r"none\.py: there is no such config"):
        train(tmp_path / "none.py", tmp_path, device="cpu")


@pytest.mark.slow
def test_the_tool_trains_in_bfloat16(
    tmp_path: Path,
    sample_data: Path,
    run_tool: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    config = toy_training.smoke_file(tmp_path / "smoke.py", sample_data)
    arguments = ("tools/train.py", config, "--device", "cpu", "--work-dir", tmp_path / "run")
    run_tool(*arguments, "--amp", PYTHONPATH=PATHS)
    written = (tmp_path / "run" / "config.py").read_text()
    assert written.count("type='AutocastOptimWrapper'") == 3
    assert written.count("dtype='bfloat16'") == 3
    done = run_tool(*(*arguments, "--overwrite", "--amp", "float16"), check=False, PYTHONPATH=PATHS)
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "error: optim_wrapper.dtype: float16 trains on a GPU only, take bfloat16 (--amp bfloat16) "
        "on the CPU"
    )


@pytest.mark.slow
def test_the_tool_says_one_sentence(
    config: Path, tmp_path: Path, run_tool: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = run_tool(
        *("tools/train.py", config, "--work-dir", tmp_path, "--cfg-options", "modle.width=3"),
        check=False,
        PYTHONPATH=PATHS,
    )
    assert done.returncode == 2
    assert done.stderr.strip() == "error: modle: unknown key; did you mean 'model'?"
