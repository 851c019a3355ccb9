"""The ablation: what its configs differ in, that it trains, shares, resumes, refuses and counts."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gfla_video.apis import ablation
from gfla_video.apis.ablation import ablate, in_own_process
from gfla_video.apis.config import load_config
from gfla_video.apis.evaluation.measures import Measures
from gfla_video.apis.training import train
from gfla_video.engine.checkpoint import read_checkpoint
from gfla_video.engine.stages import expand_stages, settings_changes
from gfla_video.utils.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
SMOKE = ROOT / "configs" / "_smoke" / "pose.py"
BASELINES = ROOT / "configs" / "baselines"
FLOW_LOSSES = {"correctness", "regularization", "masks", "landmarks"}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Trainings run in this process; gives the titles of those that ran."""
    ran: list[str] = []

    def direct(title: str, function: Callable[..., Any], *arguments: Any) -> Any:
        ran.append(title)
        return function(*arguments)

    monkeypatch.setattr(ablation, "in_own_process", direct)
    return ran


@pytest.fixture
def configs(tmp_path: Path) -> dict[str, Path]:
    """The smoke config, and the same with bilinear sampling in the place of attention."""
    other = tmp_path / "sampled.py"
    other.write_text(
        f"_base_ = {str(SMOKE)!r}\n"
        "_full = _base_.stages[1]\n"
        '_attentions = [dict(type="BilinearSampling", channels=16)] * 2\n'
        "_renderer = dict(_full.model.generator.renderer, attentions=_attentions)\n"
        "_generator = dict(_full.model.generator, renderer=_renderer)\n"
        "stages = [_base_.stages[0], dict(_full, model=dict(_full.model, generator=_generator))]\n"
    )
    return {"sampled": other, "full": SMOKE}


def on(data: Path, **more: Any) -> dict[str, Any]:
    """Options that point a config at sample data of 64x64."""
    parts = {
        f"{part}_dataloader.dataset.{key}": value
        for part in ("train", "test")
        for key, value in (("data_root", str(data)), ("size", (64, 64)))
    }
    frames = {f"{part}_dataloader.dataset.annotation_size": (64, 64) for part in ("train", "test")}
    return {**parts, **frames, "test_metrics": [{"type": "L1"}], **more}


def paths_changed(name: str) -> set[str]:
    """Where a baseline differs from the sample config, over the stages that both have."""
    full = expand_stages(load_config(ROOT / "configs" / "pose" / "sample.py"), "")
    other = expand_stages(load_config(BASELINES / f"{name}.py"), "")
    pairs = zip(full[-len(other) :], other, strict=True)
    lines = [line for pair in pairs for line in settings_changes(*(s.settings for s in pair))]
    return {line.split(":")[0] for line in lines}


def test_bilinear_sampling_differs_in_its_attentions_alone() -> None:
    changed = paths_changed("bilinear_sampling")
    assert changed
    assert all(path.startswith("model.generator.renderer.attentions.") for path in changed)


@pytest.mark.parametrize("name", ["no_attention", "global_attention"])
def test_baselines_without_flow_differ_in_generator_flow_losses_and_metrics(name: str) -> None:
    (stage,) = expand_stages(load_config(BASELINES / f"{name}.py"), "")
    assert set(stage.settings["model"]["losses"]) == {"reconstruction", "perceptual", "style"}
    assert {m["type"] for m in stage.settings["test_metrics"]} == {
        *("SSIM", "L1", "PSNR", "ForegroundL1"),
    }
    allowed = tuple(f"model.losses.{loss}." for loss in FLOW_LOSSES)
    where = ("model.generator", "test_metrics", *allowed)
    if name == "global_attention":
        where = ("model.generator.renderer.attentions.", "test_metrics", *allowed)
    assert all(path.startswith(where) for path in paths_changed(name))


@pytest.mark.parametrize("name", ["no_attention", "global_attention", "bilinear_sampling"])
def test_every_baseline_trains(name: str, sample_data: Path, tmp_path: Path) -> None:
    config = BASELINES / f"{name}.py"
    small = {"train_dataloader.batch_size": 2, "train_dataloader.num_workers": 0}
    count = len(load_config(config).stages)
    lengths = {f"stages.{index}.train_cfg.max_iters": 1 for index in range(count)}
    final = train(config, tmp_path, cfg_options=on(sample_data, **small, **lengths), device="cpu")
    state = read_checkpoint(final)["state_dict"]
    assert all(torch.isfinite(tensor).all() for tensor in state.values())


def test_trains_measures_shares_the_first_stage_and_goes_on(
    here: list[str], configs: dict[str, Path], sample_data: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    settings = {"seeds": [3, 4], "cfg_options": on(sample_data), "device": "cpu"}
    found = ablate(configs, work, **settings, command="tools/ablation.py --seeds 3 4")
    assert here == ["sampled, seed 3", "full, seed 3", "sampled, seed 4", "full, seed 4"]
    for name in configs:
        for seed in (3, 4):
            run = work / name / f"seed{seed}"
            assert read_checkpoint(run / "model.pth")["meta"]["seed"] == seed
            report = json.loads((run / "results.json").read_text())
            assert report["command"] == "tools/ablation.py --seeds 3 4"
    for seed in (3, 4):
        ours, theirs = (work / n / f"seed{seed}" / "stage1_flow" / "iter_2.pth" for n in configs)
        assert ours.read_bytes() == theirs.read_bytes()  # trained twice they would differ in time
    one, other = (read_checkpoint(work / "full" / f"seed{s}" / "model.pth") for s in (3, 4))
    name = "generator.renderer.to_image.conv.weight"
    assert not torch.equal(one["state_dict"][name], other["state_dict"][name])
    assert found == json.loads((work / "ablation.json").read_text())
    (table,) = found["tables"]
    values = table["results"]["full"]["l1"]["values"]
    assert table["results"]["full"]["l1"]["mean"] == pytest.approx(sum(values) / 2)
    assert list(table["results"]) == ["sampled", "full", "copy_source"]
    assert found["models"]["full"]["iterations"] == {"flow": 2, "full": 2}
    assert found["models"]["sampled"]["parameters"] < found["models"]["full"]["parameters"]
    assert "± " in (work / "ablation.md").read_text()

    here.clear()
    (work / "full" / "seed4" / "model.pth").unlink()
    assert ablate(configs, work, **settings)["tables"] == found["tables"]
    assert here == ["full, seed 4"]  # and that was finished but for its last file


def test_a_shared_stage_gives_what_training_it_gives(
    here: list[str], configs: dict[str, Path], sample_data: Path, tmp_path: Path
) -> None:
    options = on(sample_data)
    ablate(configs, tmp_path / "work", seeds=[5], cfg_options=options, device="cpu")
    alone = train(SMOKE, tmp_path / "alone", cfg_options=options, seed=5, device="cpu")
    shared = tmp_path / "work" / "full" / "seed5" / "model.pth"
    ours, theirs = (read_checkpoint(path)["state_dict"] for path in (shared, alone))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_refuses_a_run_with_other_settings(
    here: list[str], sample_data: Path, tmp_path: Path
) -> None:
    settings = {"seeds": [0], "cfg_options": on(sample_data), "device": "cpu"}
    ablate({"full": SMOKE}, tmp_path, **settings)
    with pytest.raises(UserError, match=r"seed0: holds a run with other settings \(.*max_iters"):
        ablate({"full": SMOKE}, tmp_path, **settings, iters_scale=2.0)
    # what it is measured on may change
    settings["cfg_options"]["test_metrics"] = [{"type": "PSNR"}]
    found = ablate({"full": SMOKE}, tmp_path, **settings)
    assert list(found["tables"][0]["results"]["full"]) == ["psnr"]


def test_iterations_are_scaled_and_never_none(
    here: list[str], sample_data: Path, tmp_path: Path
) -> None:
    settings = {"seeds": [0], "cfg_options": on(sample_data), "device": "cpu"}
    found = ablate({"full": SMOKE}, tmp_path, **settings, iters_scale=0.1)
    assert found["models"]["full"]["iterations"] == {"flow": 1, "full": 1}


def test_missing_data_are_said_before_anything_is_trained(
    here: list[str], configs: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="nothing_here"):
        ablate(configs, tmp_path / "w", cfg_options=on(tmp_path / "nothing_here"), device="cpu")
    assert not here


def test_so_is_an_unknown_protocol(here: list[str], sample_data: Path, tmp_path: Path) -> None:
    settings = {"cfg_options": on(sample_data), "device": "cpu"}
    with pytest.raises(UserError, match="no_such_protocol"):
        ablate({"full": SMOKE}, tmp_path, **settings, measures=Measures(["no_such_protocol"]))
    assert not here


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"seeds": []}, "--seeds, --config"),
        ({"seeds": [1, 1]}, "no seed twice"),
        ({"seeds": [0, -1]}, "--seeds -1: must be 0 or more"),
        ({"iters_scale": 0}, "--iters-scale 0: must be a number above 0"),
        ({"iters_scale": float("nan")}, "--iters-scale nan: must be a number"),
        ({"iters_scale": float("inf")}, "--iters-scale inf: must be a number"),
    ],
)
def test_bad_settings(settings: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        ablate({"full": SMOKE}, tmp_path, **settings)


def test_a_model_is_not_called_like_a_baseline(tmp_path: Path) -> None:
    """Said before anything is trained."""
    with pytest.raises(UserError, match="copy_source: is a baseline's row"):
        ablate({"full": SMOKE, "copy_source": SMOKE}, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../x", "data", "a/../../x", "/x", "."])
def test_a_model_has_a_folder_of_its_own(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"cannot be the name of a model's folder"):
        ablate({name: SMOKE}, tmp_path / "work")


def test_a_process_of_its_own() -> None:
    assert in_own_process("x", os.getpid) != os.getpid()
    with pytest.raises(ValueError, match="invalid literal"):
        in_own_process("x", int, "one")
    with pytest.raises(UserError, match="toy, seed 1: its process was ended from outside"):
        in_own_process("toy, seed 1", os._exit, 9)


@pytest.mark.slow
def test_the_command(run_tool: Any, configs: dict[str, Path], sample_data: Path) -> None:
    work = configs["sampled"].parent / "work"
    roots = [f"{part}_dataloader.dataset.data_root={sample_data}" for part in ("train", "test")]
    models = [f"{name}={path}" for name, path in configs.items()]
    arguments = ["--config", *models, "--work-dir", work, "--seeds", "0", "--device", "cpu"]
    done = run_tool("tools/ablation.py", *arguments, "--cfg-options", *roots)
    assert "stage 1 (flow) is that of sampled, seed 0" in done.stdout
    assert f"wrote {work / 'ablation.md'}" in done.stdout
    assert (work / "ablation.md").read_text() in done.stdout
