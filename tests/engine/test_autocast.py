"""Mixed precision: per network, close to float32, resumed exactly."""

from __future__ import annotations

import copy
import statistics
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from toy_training import CPU, smoke_file, toy_config, toy_file

from gfla_video.apis import train
from gfla_video.apis.config import load_config
from gfla_video.engine.autocast import AutocastOptimWrapper, use_autocast
from gfla_video.engine.checkpoint import read_checkpoint
from gfla_video.engine.optim import PerNetworkOptimConstructor
from gfla_video.engine.runner import run_stage
from gfla_video.engine.stages import expand_stages
from gfla_video.registry import MODELS
from gfla_video.utils.errors import UserError

SMOKE = Path(__file__).resolve().parents[2] / "configs" / "_smoke" / "pose.py"


def batch() -> dict[str, Any]:
    pictures, structures = torch.rand(2, 2, 3, 64, 64) * 2 - 1, torch.rand(2, 2, 18, 64, 64)
    inputs = {"sources": [pictures[0]], "source_structures": [structures[0]]}
    return {
        "inputs": {**inputs, "target_structure": structures[1]},
        "targets": {"image": pictures[1]},
    }


def one_step(stage: int, amp: str | None) -> tuple[dict[str, float], dict[str, list[Tensor]]]:
    """Losses of one step of the smoke config, and the gradients that each optimiser used."""
    config = load_config(SMOKE)
    if amp:
        use_autocast(config, amp)
    settings = expand_stages(config, "")[stage].config
    torch.manual_seed(0)
    model = MODELS.build(settings.model).train()
    data, seen = batch(), {}
    wrapper: Any
    if stage == 0:
        wrapper = build(model.flow_estimator, settings.optim_wrapper)
        optimizers = {"flow_estimator": wrapper.optimizer}
    else:
        options = {k: v for k, v in settings.optim_wrapper.items() if k != "constructor"}
        wrapper = PerNetworkOptimConstructor(options)(model)
        optimizers = {name: part.optimizer for name, part in wrapper.items()}
    for name, optimizer in optimizers.items():
        for group in optimizer.param_groups:
            group["lr"] = 0.0  # else the generator meets another discriminator

        def keep(optimizer: Any, args: Any, kwargs: Any, name: str = name) -> None:
            weights = [p for group in optimizer.param_groups for p in group["params"]]
            seen[name] = [weight.grad.clone() for weight in weights]

        optimizer.register_step_pre_hook(keep)
    logs = model.train_step(data, wrapper)
    return {name: float(value.detach()) for name, value in logs.items()}, seen


def build(network: nn.Module, config: Any) -> OptimWrapper:
    return PerNetworkOptimConstructor({"it": config})(nn.ModuleDict({"it": network}))["it"]


@pytest.mark.parametrize("stage", [0, 1])
def test_a_step_in_bfloat16_is_close_to_one_in_float32(stage: int) -> None:
    true, gradients = one_step(stage, None)
    losses, half = one_step(stage, "bfloat16")
    assert losses.keys() == true.keys()
    for name, value in true.items():
        assert losses[name] == pytest.approx(value, rel=0.03, abs=3e-3), name
    assert losses != true  # something was computed in bfloat16
    assert half.keys() == gradients.keys()
    for name in gradients:
        assert all(g.dtype == torch.float32 for g in half[name])
        # at 64 x 64 the deepest maps are 2 x 2 and normalised over 4 numbers: those few gradients
        # hang on every rounding, the median does not
        alike = [
            float(nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0))
            for one, other in zip(gradients[name], half[name], strict=True)
        ]
        assert statistics.median(alike) > 0.9, name


def test_a_run_in_bfloat16_resumes_bit_equal(sample_data: Path, tmp_path: Path) -> None:
    config = smoke_file(tmp_path / "smoke.py", sample_data)
    train(config, tmp_path / "run", device="cpu", amp="bfloat16")
    written = load_config(tmp_path / "run" / "config.py")  # what was trained, --amp included
    for stage in expand_stages(written, tmp_path / "again"):
        folder = tmp_path / "run" / stage.label
        run_stage(stage, CPU, folder / "iter_2.pth", resume=True)
        ours, theirs = (read_checkpoint(place / "iter_4.pth") for place in (stage.folder, folder))
        for name, tensor in theirs["state_dict"].items():
            assert torch.equal(ours["state_dict"][name], tensor), name
        assert all(
            tensor.dtype == torch.float32
            for tensor in theirs["state_dict"].values()
            if tensor.is_floating_point()
        )
    generator = written.stages[1].optim_wrapper.generator
    assert (generator.type, generator.dtype) == ("AutocastOptimWrapper", "bfloat16")


def scaled(network: nn.Module, **settings: Any) -> AutocastOptimWrapper:
    """A wrapper that scales its loss as with float16 (which the CPU does not train in)."""
    wrapper = AutocastOptimWrapper(torch.optim.SGD(network.parameters(), lr=1.0), **settings)
    wrapper.scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)  # type: ignore[attr-defined]
    return wrapper


def test_the_scaled_loss_gives_the_plain_update() -> None:
    network = nn.Linear(3, 1)
    plain = copy.deepcopy(network)
    x = torch.randn(4, 3)
    for settings in ({}, {"clip_grad": {"max_norm": 0.1}}):
        reference = OptimWrapper(
            torch.optim.SGD(plain.parameters(), lr=1.0), **copy.deepcopy(settings)
        )
        reference.update_params(plain(x).square().mean())
        scaled(network, **copy.deepcopy(settings)).update_params(network(x).square().mean())
        for own, true in zip(network.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(own, true)


def test_an_overflow_skips_the_step_and_the_scaler_is_resumed() -> None:
    network = nn.Linear(3, 1)
    before = copy.deepcopy(network.state_dict())
    wrapper = scaled(network)
    wrapper.update_params(network(torch.full((1, 3), torch.inf)).sum())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert wrapper.scaler.get_scale() == 4.0
    again = scaled(network)
    again.load_state_dict(wrapper.state_dict())
    assert again.scaler.get_scale() == 4.0
    unscaled = AutocastOptimWrapper(torch.optim.SGD(network.parameters(), lr=0.5))
    state = unscaled.state_dict()
    assert set(state) == {"state", "param_groups"}  # bfloat16 needs no scaler
    unscaled.load_state_dict(wrapper.state_dict())  # a run may change its type
    again.load_state_dict(state)
    assert again.scaler.get_scale() == 4.0


@pytest.mark.parametrize(
    ("dtype", "message"),
    [("float16", "float16 trains on a GPU only, take bfloat16"), ("half", "bfloat16 or float16")],
)
def test_types_that_do_not_work_here(dtype: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        AutocastOptimWrapper(torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0), dtype=dtype)


def test_float16_on_the_cpu_is_said_in_one_sentence(tmp_path: Path) -> None:
    config = toy_file(tmp_path / "toy.py")
    with pytest.raises(UserError, match="float16 trains on a GPU only"):
        train(config, tmp_path / "run", device="cpu", amp="float16")
    with pytest.raises(UserError, match="--amp float8: choose bfloat16 or float16"):
        train(config, tmp_path / "run", device="cpu", amp="float8")


def test_what_a_stage_leaves_out_stays_out() -> None:
    """``_delete_`` of a stage: the common part's other optimisers do not come back."""
    adam = {"optimizer": {"type": "Adam", "lr": 0.1}}
    config = Config(
        {
            "optim_wrapper": {"generator": adam, "discriminator": adam},
            "stages": [
                {"name": "one", "optim_wrapper": {"_delete_": True, "generator": adam}},
                {"name": "two"},
            ],
        },
        format_python_code=False,
    )
    use_autocast(config, "bfloat16")
    one, two = (set(stage.config.optim_wrapper) for stage in expand_stages(config, ""))
    assert (one, two) == ({"generator"}, {"generator", "discriminator"})


def test_a_wrapper_of_another_kind_is_not_replaced() -> None:
    config = load_config(Config(toy_config(), format_python_code=False))
    config.stages[1].optim_wrapper.generator["type"] = "AmpOptimWrapper"
    with pytest.raises(UserError, match=r"stage 2 \(full\): optim_wrapper.generator is a AmpOpt"):
        use_autocast(config, "bfloat16")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="float16 needs a GPU")
def test_float16_on_a_gpu_resumes_with_its_scalers(sample_data: Path, tmp_path: Path) -> None:
    config = smoke_file(tmp_path / "smoke.py", sample_data)
    train(config, tmp_path / "run", device="cuda", amp="float16")
    last = read_checkpoint(tmp_path / "run" / "stage2_full" / "iter_4.pth")
    for name in ("generator", "discriminator"):
        assert last["optimizer"][name]["loss_scaler"]["scale"] > 0
    more = {f"stages.{index}.train_cfg.max_iters": 5 for index in (0, 1)}
    train(config, tmp_path / "run", device="cuda", amp="float16", resume=True, cfg_options=more)
    final = read_checkpoint(tmp_path / "run" / "model.pth")
    assert final["meta"]["iter"] == 5
    assert all(bool(tensor.isfinite().all()) for tensor in final["state_dict"].values())
