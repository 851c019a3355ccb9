"""One stage's run: what its checkpoints hold and how it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toy_training import CPU, toy_stages

from gfla_video.engine.checkpoint import last_checkpoint, read_checkpoint, write_checkpoint
from gfla_video.engine.runner import StageRunner, run_stage
from gfla_video.utils.errors import UserError


def test_checkpoints_are_plain_and_complete(toy_run: Path) -> None:
    paths = [path for path in toy_run.rglob("*.pth") if not path.name.startswith(".")]
    assert len(paths) == 5
    for path in paths:
        content = torch.load(path, weights_only=True)
        assert content["meta"]["task"] == "toy"
        assert not any(".module." in name for name in content["state_dict"])
    last = read_checkpoint(toy_run / "stage2_full" / "iter_6.pth")
    assert set(last["optimizer"]) == set(last["param_schedulers"]) == {"generator", "discriminator"}
    assert (last["meta"]["iter"], last["meta"]["samples"]) == (6, 12)
    assert last["meta"]["generator"]["type"] == "ToyGenerator"
    assert len(last["rng"]) == 1
    final = read_checkpoint(toy_run / "model.pth")
    assert set(final) == {"meta", "state_dict"}
    for name, tensor in last["state_dict"].items():
        assert torch.equal(final["state_dict"][name], tensor)


def test_only_the_last_checkpoints_stay(toy_run: Path) -> None:
    assert {path.name for path in (toy_run / "stage1_flow").glob("*.pth")} == {
        "iter_4.pth",
        "iter_6.pth",
    }
    assert last_checkpoint(toy_run / "stage1_flow") == toy_run / "stage1_flow" / "iter_6.pth"


def test_stage_two_starts_from_stage_one(toy_run: Path, tmp_path: Path) -> None:
    first = read_checkpoint(toy_run / "stage1_flow" / "iter_6.pth")["state_dict"]
    runner = StageRunner.from_stage(
        toy_stages(tmp_path)[1], CPU, toy_run / "stage1_flow" / "iter_6.pth"
    )
    runner.load_or_resume()
    own = runner.model.state_dict()
    assert first
    for name, tensor in first.items():
        assert torch.equal(own[f"generator.{name}"], tensor)


def test_a_resumed_stage_ends_bit_equal(toy_run: Path, tmp_path: Path) -> None:
    for number, label in enumerate(("stage1_flow", "stage2_full")):
        stage = toy_stages(tmp_path)[number]
        run_stage(stage, CPU, toy_run / label / "iter_4.pth", resume=True)
        ours = read_checkpoint(tmp_path / label / "iter_6.pth")
        theirs = read_checkpoint(toy_run / label / "iter_6.pth")
        for name, tensor in theirs["state_dict"].items():
            assert torch.equal(ours["state_dict"][name], tensor), name
        assert ours["param_schedulers"] == theirs["param_schedulers"]
        assert ours["meta"]["samples"] == 12


def test_a_resume_without_the_generators_would_differ(toy_run: Path, tmp_path: Path) -> None:
    """The toy's dropout makes the test above depend on the saved random generators."""
    content = read_checkpoint(toy_run / "stage1_flow" / "iter_4.pth")
    write_checkpoint({**content, "rng": []}, tmp_path / "iter_4.pth")
    run_stage(toy_stages(tmp_path)[0], CPU, tmp_path / "iter_4.pth", resume=True)
    ours = read_checkpoint(tmp_path / "stage1_flow" / "iter_6.pth")["state_dict"]
    theirs = read_checkpoint(toy_run / "stage1_flow" / "iter_6.pth")["state_dict"]
    assert not torch.equal(ours["flow_estimator.flow.weight"], theirs["flow_estimator.flow.weight"])


def test_a_changed_config_is_said(
    toy_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = toy_stages(tmp_path, train_cfg={"max_iters": 5})[0]
    run_stage(stage, CPU, toy_run / "stage1_flow" / "iter_4.pth", resume=True)
    shown = capsys.readouterr().out
    assert "config changed since the checkpoint: train_cfg.max_iters: 6 -> 5" in shown
    assert "stage 1 (flow) 5/5" in shown
    assert "at iteration 4/5" in shown


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", "does not fit ToyFlowModel, it lacks 'flow_estimator.body.bias'"),
        ("surplus", "which the model does not know"),
        ("shape", "the model needs 4x3x3x3"),
        ("schedule", "learning-rate schedules differ"),
        ("weights_only", "cannot be resumed from it, as it lacks message_hub, optimizer, rng"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    toy_run: Path, tmp_path: Path, change: str, message: str
) -> None:
    content = read_checkpoint(toy_run / "stage1_flow" / "iter_4.pth")
    state = content["state_dict"]
    if change == "missing":
        del state["flow_estimator.body.bias"]
    elif change == "surplus":
        state["flow_estimator.module.body.bias"] = torch.zeros(4)
    elif change == "shape":
        state["flow_estimator.body.weight"] = torch.zeros(4, 3, 5, 5)
    elif change == "schedule":
        content["param_schedulers"] = {}
    else:
        content = {key: content[key] for key in ("meta", "state_dict")}
    write_checkpoint(content, tmp_path / "bad.pth")
    with pytest.raises(UserError, match=message):
        run_stage(toy_stages(tmp_path)[0], CPU, tmp_path / "bad.pth", resume=True)


def test_data_and_augmentation_follow_the_seed(tmp_path: Path) -> None:
    stage = toy_stages(tmp_path, randomness={"seed": 5})[0]
    runner = StageRunner.from_stage(stage, CPU)
    loader = runner.build_dataloader(runner._train_dataloader, seed=runner.seed)
    assert loader.dataset.seed == 5
    assert loader.sampler.seed == 5


def test_compiled_networks_train_as_plain_ones(
    toy_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Traced and differentiated by torch.compile; code generation would take minutes."""
    stages = toy_stages(tmp_path, compile={"backend": "aot_eager"})
    for stage in stages:
        run_stage(stage, CPU, toy_run / stage.label / "iter_4.pth", resume=True)
        ours = read_checkpoint(stage.folder / "iter_6.pth")["state_dict"]
        theirs = read_checkpoint(toy_run / stage.label / "iter_6.pth")["state_dict"]
        torch.testing.assert_close(ours, theirs)
    shown = capsys.readouterr().out
    assert "flow_estimator is compiled" in shown
    assert "generator is compiled" in shown
    assert "discriminator is not compiled, as it has a spectral norm" in shown


def test_fused_optimisers_resume_bit_equal(tmp_path: Path) -> None:
    whole, again = (toy_stages(tmp_path / name)[0] for name in ("whole", "again"))
    for stage in (whole, again):
        stage.config.optim_wrapper.optimizer.fused = True
    run_stage(whole, CPU)
    run_stage(again, CPU, whole.folder / "iter_4.pth", resume=True)
    ours, theirs = (read_checkpoint(stage.folder / "iter_6.pth") for stage in (again, whole))
    for name, tensor in theirs["state_dict"].items():
        assert torch.equal(ours["state_dict"][name], tensor), name
    assert theirs["optimizer"]["param_groups"][0]["fused"]


def test_an_optimiser_that_cannot_be_built_is_said(tmp_path: Path) -> None:
    both = {"type": "Adam", "lr": 0.01, "fused": True, "foreach": True}
    stage = toy_stages(tmp_path)[0]
    stage.config.optim_wrapper = {"type": "OptimWrapper", "optimizer": both}
    message = r"stage 1 \(flow\): optim_wrapper cannot be built: .*fused.*, set fused=False"
    with pytest.raises(UserError, match=message):
        run_stage(stage, CPU)
