"""Stages: merging, weights handed on, changes named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import nn

from gfla_video.engine.stages import carry_over, expand_stages, settings_changes, with_defaults
from gfla_video.utils.errors import UserError


def expand(**config: Any) -> list[Any]:
    return expand_stages(with_defaults(Config(config, format_python_code=False)), "work")


def test_a_stage_is_merged_over_the_common_part() -> None:
    first, second = expand(
        model={"type": "A", "width": 1},
        train_cfg={"max_iters": 5},
        stages=[
            {"name": "flow", "model": {"_delete_": True, "type": "B"}},
            {"name": "full", "train_cfg": {"max_iters": 9}},
        ],
    )
    assert first.config.model == {"type": "B"}
    assert second.config.model == {"type": "A", "width": 1}
    assert (first.config.train_cfg.max_iters, second.config.train_cfg.max_iters) == (5, 9)
    assert second.config.train_cfg.type == "ResumableTrainLoop"
    assert (first.folder, second.folder) == (Path("work/stage1_flow"), Path("work/stage2_full"))
    assert "stages" not in second.config


def test_defaults_stay_under_a_partial_override() -> None:
    (stage,) = expand(default_hooks={"checkpoint": {"interval": 7}})
    checkpoint = stage.config.default_hooks.checkpoint
    assert (checkpoint.type, checkpoint.interval) == ("AtomicCheckpointHook", 7)
    assert stage.label == "stage1_train"


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([{"model": {}}], r"stages\.0\.name"),
        ([{"name": "a/b"}], r"stages\.0\.name"),
        ([{"name": "a"}, {"name": "a"}], "taken by an earlier stage"),
        ([], "a list of dicts"),
        ([{"name": "a", "task": {"x": 1}}], r"stages\.0: the config cannot be merged"),
    ],
)
def test_wrong_stages_are_said(stages: list, message: str) -> None:
    with pytest.raises(UserError, match=message):
        expand(task="pose", stages=stages)


def test_meta_describes_the_checkpoint() -> None:
    generator = {"type": "G", "scales": (3, 5)}
    (stage,) = expand(task="pose", size=(8, 16), model={"type": "M", "generator": generator})
    meta = stage.meta()
    assert meta["generator"] == generator
    assert (meta["task"], meta["size"]) == ("pose", [8, 16])
    assert meta["stage"] == {"number": 1, "name": "train"}
    assert "generator" in meta["config"]


class Generator(nn.Module):
    def __init__(self, estimators: int = 1) -> None:
        super().__init__()
        self.flow_estimator = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
        self.render = nn.Linear(1, 1)
        if estimators > 1:
            self.previous = nn.Module()
            self.previous.flow_estimator = nn.Linear(2, 2)


class Model(nn.Module):
    def __init__(self, estimators: int = 1) -> None:
        super().__init__()
        self.generator = Generator(estimators)
        self.discriminator = nn.Linear(1, 1)


def test_weights_go_to_the_network_of_the_same_name() -> None:
    model = Model()
    before = model.discriminator.weight.clone()
    state = {"flow_estimator.0.weight": torch.ones(2, 2), "flow_estimator.0.bias": torch.zeros(2)}
    lines = carry_over(model, state, "one.pth")
    assert torch.equal(model.generator.flow_estimator[0].weight, torch.ones(2, 2))
    assert torch.equal(model.discriminator.weight, before)
    assert lines[0] == "generator.flow_estimator: weights of 'flow_estimator' from one.pth"
    assert lines[1].endswith("discriminator, generator.flow_estimator.1, generator.render")


def test_a_direct_child_is_taken_first() -> None:
    model = Model()
    lines = carry_over(model, {"discriminator.weight": torch.ones(1, 1)}, "x")
    assert model.discriminator.weight.item() == 1
    assert "discriminator.bias, generator" in lines[1]


@pytest.mark.parametrize(
    ("state", "estimators", "message"),
    [
        ({"flow_estimator.0.weight": (3, 2)}, 1, "is 3x2, the model needs 2x2"),
        ({"flow_estimator.9.weight": (2, 2)}, 1, "does not fit Model"),
        ({"critic.weight": (2, 2)}, 1, "'critic', but Model has no such part"),
        ({"flow_estimator.0.weight": (2, 2)}, 2, "several places"),
    ],
)
def test_weights_without_a_fitting_place_are_an_error(
    state: dict, estimators: int, message: str
) -> None:
    tensors = {name: torch.zeros(shape) for name, shape in state.items()}
    with pytest.raises(UserError, match=message):
        carry_over(Model(estimators), tensors, "one.pth")


def test_changed_settings_are_named() -> None:
    old = {"model": {"width": 3, "scales": (1, 2)}, "work_dir": "a", "_x": 1}
    new = {"model": {"width": 4, "scales": [1, 2]}, "work_dir": "b", "seed": 5}
    assert settings_changes(old, new) == ["model.width: 3 -> 4", "seed: not set -> 5"]
