"""Wrong keys are found before anything is built, and named by their path."""

from __future__ import annotations

from typing import Any

import pytest
from mmengine.registry import Registry
from torch import nn

from gfla_video.registry import MODELS
from gfla_video.utils.config_check import check_config, check_stages, keyword_arguments
from gfla_video.utils.errors import UserError


class Base(nn.Module):
    def __init__(self, width: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)


@MODELS.register_module()
class NeedyNetwork(nn.Module):
    def __init__(self, depth: int, part: nn.Module, width: int = 1) -> None:
        super().__init__()


@MODELS.register_module()
class CheckedNetwork(Base):
    def __init__(self, depth: int = 1, part: nn.Module | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)


def checked(**config: Any) -> str:
    """The message for a wrong config, '' for a right one."""
    try:
        check_config(config)
    except UserError as error:
        return str(error)
    return ""


NETWORK = {"type": "CheckedNetwork"}


@pytest.mark.parametrize(
    "config",
    [
        {"_helper": {"type": "Nobody", "x": 1}, "task": "pose", "size": (1, 2), "work_dir": "x"},
        {"model": {**NETWORK, "depth": 2, "width": 3, "part": {**NETWORK, "width": 1}}},
        {"model": {"type": "mmengine.BaseDataPreprocessor", "non_blocking": True}},
        {
            "optim_wrapper": {
                "optimizer": {"type": "Adam", "lr": 1e-3},
                "clip_grad": {"max_norm": 1},
            }
        },
        {
            "optim_wrapper": {
                "constructor": "PerNetworkOptimConstructor",
                "any_name": {"optimizer": {}},
            }
        },
        {"train_cfg": {"type": "ResumableTrainLoop", "max_iters": 3, "val_interval": 2}},
        {"train_cfg": {"by_epoch": True, "type": "EpochBasedTrainLoop", "max_epochs": 1}},
        {"train_dataloader": {"batch_size": 1, "collate_fn": {"type": "default_collate"}}},
        {"param_scheduler": [{"type": "MultiStepLR", "milestones": [3], "by_epoch": False}]},
        {"param_scheduler": {"generator": {"type": "LinearLR", "convert_to_iter_based": True}}},
        {"custom_hooks": [{"type": "EMAHook", "priority": "LOW"}]},
        {"default_hooks": {"checkpoint": {"type": "AtomicCheckpointHook", "save_last": True}}},
        {"visualizer": {"type": "Visualizer", "vis_backends": [{"type": "LocalVisBackend"}]}},
    ],
)
def test_right_configs_pass(config: dict[str, Any]) -> None:
    assert checked(**config) == ""


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"modle": 1}, "modle: unknown key; did you mean 'model'?"),
        (
            {"model": {**NETWORK, "part": {**NETWORK, "widht": 1}}},
            "model.part.widht: unknown key; CheckedNetwork takes depth, part, width; "
            "did you mean 'width'?",
        ),
        (
            {"model": {"type": "CheckedNetwrok"}},
            "model.type: unknown type 'CheckedNetwrok'; did you mean 'CheckedNetwork'?",
        ),
        ({"model": {**NETWORK, "part": [NETWORK, {**NETWORK, "dept": 1}]}}, "model.part.1.dept: "),
        ({"train_cfg": {"max_iter": 3}}, "train_cfg.max_iter: "),
        ({"train_dataloader": {"batchsize": 3}}, "train_dataloader.batchsize: "),
        (
            {"train_dataloader": {"sampler": {"type": "ResumableInfiniteSampler", "shufle": True}}},
            "train_dataloader.sampler.shufle: ",
        ),
        (
            {"optim_wrapper": {"optimizer": {"type": "Adam", "lrr": 1}}},
            "optim_wrapper.optimizer.lrr: ",
        ),
        (
            {
                "optim_wrapper": {
                    "constructor": "PerNetworkOptimConstructor",
                    "g": {"optimiser": {}},
                }
            },
            "optim_wrapper.g.optimiser: ",
        ),
        ({"optim_wrapper": {"constructor": "PerNetwork", "g": {}}}, "optim_wrapper.constructor: "),
        (
            {"param_scheduler": [{"type": "MultiStepLR", "milestone": 1}]},
            "param_scheduler.0.milestone",
        ),
        ({"custom_hooks": [{"type": "EMAHook", "momentun": 1}]}, "custom_hooks.0.momentun: "),
        (
            {"default_hooks": {"checkpont": {"interval": 3}}},
            "default_hooks.checkpont: unknown name",
        ),
        ({"randomness": {"sed": 1}}, "randomness.sed: "),
        ({"env_cfg": {"mp_cfg": {"threads": 1}}}, "env_cfg.mp_cfg.threads: "),
        ({"test_metrics": [{"type": "SSIM", "windw": 1}]}, "test_metrics.0.windw: "),
        ({"custom_imports": {"import": []}}, "custom_imports.import: "),
        (
            {"model": {**NETWORK, "part": {"type": "NeedyNetwork", "depth": 1}}},
            "model.part: lacks 'part', which NeedyNetwork needs",
        ),
        ({"model": {"type": "NeedyNetwork"}}, "model: lacks 'depth', 'part', which NeedyNetwork"),
        ({"custom_hooks": [{"type": "EarlyStoppingHook"}]}, "custom_hooks.0: lacks 'monitor'"),
    ],
)
def test_wrong_keys_are_named(config: dict[str, Any], message: str) -> None:
    assert checked(**config).startswith(message)


def test_an_error_of_a_stage_is_named_by_its_place() -> None:
    entries = [
        {"name": "flow", "model": {"depht": 1}},
        {"name": "full", "model": {"part": [{"type": "Nobody"}]}},
    ]
    common = {"model": {**NETWORK, "width": 1}}
    with pytest.raises(UserError, match=r"^stages\.0\.model\.depht: unknown key; CheckedNetwork"):
        check_stages({**common, "stages": entries}, [{"model": {**NETWORK, "depht": 1}}, common])
    merged = {"model": {**NETWORK, "part": [{"type": "Nobody"}]}}
    with pytest.raises(UserError, match=r"^stages\.1\.model\.part\.0\.type: unknown type"):
        check_stages({**common, "stages": entries}, [common, merged])


def test_an_error_of_the_common_part_is_named_there() -> None:
    common = {"model": {**NETWORK, "widht": 1}}
    entries = [{"name": "flow", "model": {"depth": 1}}]
    with pytest.raises(UserError, match=r"^model\.widht: "):
        check_stages({**common, "stages": entries}, [{"model": {**common["model"], "depth": 1}}])


def test_types_of_other_packages_are_found() -> None:
    other = Registry("model", parent=MODELS, scope="another_package")

    @other.register_module()
    class Foreign:
        def __init__(self, size: int) -> None:
            self.size = size

    assert checked(model={"type": "another_package.Foreign", "size": 1}) == ""
    assert checked(model={"type": "Foreign", "sice": 1}).startswith("model.sice: unknown key")


def test_keyword_arguments_follow_the_parents() -> None:
    assert keyword_arguments(CheckedNetwork) == {"depth", "part", "width"}
    assert keyword_arguments(lambda **anything: None) is None
