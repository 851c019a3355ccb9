"""Stages of a training: one config each, weights handed from one to the next."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from gfla_video.engine.checkpoint import ADVICE, plain_state
from gfla_video.engine.optim import unwrapped
from gfla_video.utils.errors import UserError
from gfla_video.utils.weights import copy_tensors, shown

# Under every config; what a config says goes before it.
DEFAULTS: dict[str, Any] = {
    "default_scope": "gfla_video",
    "default_hooks": {
        "runtime_info": {"type": "RuntimeInfoHook"},
        "timer": {"type": "IterTimerHook"},
        "sampler_seed": {"type": "DistSamplerSeedHook"},
        "logger": {"type": "ProgressHook", "interval": 100},
        "param_scheduler": {"type": "ParamSchedulerHook"},
        "checkpoint": {"type": "AtomicCheckpointHook", "interval": 1000, "max_keep_ckpts": 2},
    },
    "log_processor": {"type": "LogProcessor", "by_epoch": False, "window_size": 20},
    "env_cfg": {"mp_cfg": {"mp_start_method": "fork", "opencv_num_threads": 0}},
    "randomness": {"seed": 0},
    "train_cfg": {"type": "ResumableTrainLoop"},
    "model_wrapper_cfg": {"type": "MMSeparateDistributedDataParallel", "device_ids": None},
}
_DESCRIBED = ("task", "structure", "driver")
_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Stage:
    """One stage: a plain Runner's config and where it stands in the whole.

    Attributes:
        number: 1 for the first.
        name: as the config says.
        config: the common part with the stage's overrides, work folder included.
        text: the whole config (all stages) as Python.
    """

    number: int
    name: str
    config: Config
    text: str

    @property
    def label(self) -> str:
        """``stage1_flow``: name of its folder in the work folder."""
        return f"stage{self.number}_{self.name}"

    @property
    def title(self) -> str:
        """``stage 1 (flow)``, for people."""
        return f"stage {self.number} ({self.name})"

    @property
    def folder(self) -> Path:
        """Its own work folder."""
        return Path(self.config.work_dir)

    @property
    def settings(self) -> dict[str, Any]:
        """Its config as plain values; what is no plain value is named by its ``repr``."""
        return _plain_settings(self.config.to_dict())

    def meta(self) -> dict[str, Any]:
        """What a checkpoint says about itself: task, structure, size, stage, config, networks.

        Every part of the model that a config dict made stands under its name (``generator``).
        """
        settings = self.settings
        parts = settings.get("model", {}).items()
        return {
            **{key: part for key, part in parts if isinstance(part, Mapping) and "type" in part},
            **{key: settings.get(key) for key in _DESCRIBED},
            "size": list(settings.get("size") or []),
            "stage": {"number": self.number, "name": self.name},
            "settings": settings,
            "config": self.text,
        }


def with_defaults(config: Config) -> Config:
    """``config`` over :data:`DEFAULTS`, merged as MMEngine merges a config over its base.

    Raises:
        UserError: a dict of the defaults is replaced by something that is none.
    """
    merged = Config(DEFAULTS, filename=config.filename, format_python_code=False)
    _merge(merged, config.to_dict(), "")
    return merged


def expand_stages(config: Config, work_dir: Path | str) -> list[Stage]:
    """Make one config per entry of ``stages`` by merging the entry over the common part.

    ``_delete_=True`` in a dict of an entry replaces the common dict instead of merging. A config
    without ``stages`` is one stage named ``train``.

    Args:
        config: the whole config, defaults included.
        work_dir: each stage gets the sub-folder ``stage<number>_<name>``.

    Raises:
        UserError: a stage without a usable name, two of one name, or an override that can't merge.
    """
    text = config.pretty_text
    common = {key: value for key, value in config.to_dict().items() if key != "stages"}
    entries = config.to_dict().get("stages", [{"name": "train"}])
    if not isinstance(entries, (list, tuple)) or not entries:
        raise UserError("stages: must be a list of dicts, one per stage")
    stages: list[Stage] = []
    for index, entry in enumerate(entries):
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UserError(
                f"stages.{index}.name: every stage needs a name of letters, digits, '-' and '_', "
                f"got {name!r}"
            )
        if any(stage.name == name for stage in stages):
            raise UserError(f"stages.{index}.name: '{name}' is taken by an earlier stage")
        merged = Config(common, filename=config.filename, format_python_code=False)
        _merge(
            merged, {key: item for key, item in entry.items() if key != "name"}, f"stages.{index}"
        )
        stage = Stage(index + 1, name, merged, text)
        merged.work_dir = str(Path(work_dir) / stage.label)
        stages.append(stage)
    return stages


def carry_over(model: nn.Module, state: Mapping[str, torch.Tensor], source: str) -> list[str]:
    """Start ``model`` from the weights of an earlier stage (or of a converted checkpoint).

    A child network of the earlier model goes into the child of the same name, or else into the one
    sub-module of a child whose attribute has that name: ``flow_estimator.*`` of stage 1 becomes
    ``generator.flow_estimator.*`` of stage 2. What the earlier weights lack keeps its
    initialisation.

    Returns:
        Lines for the log: what came from where, and which modules keep their initialisation.

    Raises:
        UserError: a network has no place or several, a name does not fit, a shape differs.
    """
    own = plain_state(model)
    lines, loaded = [], set()
    for child in dict.fromkeys(name.split(".", 1)[0] for name in state):
        place = _place_of(child, model, source)
        part = {
            place + name.removeprefix(child): tensor
            for name, tensor in state.items()
            if name.split(".", 1)[0] == child
        }
        surplus = part.keys() - own.keys()
        if surplus:
            raise UserError(
                f"{source}: {shown(surplus)} does not fit {type(unwrapped(model)).__name__}, "
                "which has no such tensor; make the networks of the two stages alike"
            )
        copy_tensors(own, part, source, ADVICE)
        loaded |= part.keys()
        lines.append(f"{place}: weights of '{child}' from {source}")
    fresh = list(_whole_modules(own.keys() - loaded, own.keys()))
    if fresh:
        lines.append(f"not in {source}, keep their initialisation: {', '.join(fresh)}")
    return lines


def settings_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Lines ``path: old -> new`` for settings that differ (work folder and ``_`` names aside)."""
    before, after = dict(_flat(old)), dict(_flat(new))
    lines = []
    for path in sorted(before.keys() | after.keys()):
        if path.startswith(("work_dir", "_", "launcher", "load_from", "resume")):
            continue
        was, now = before.get(path, "not set"), after.get(path, "not set")
        if was != now:
            lines.append(f"{path}: {was} -> {now}")
    return lines


def _merge(config: Config, override: dict[str, Any], where: str) -> None:
    try:
        config.merge_from_dict(override, allow_list_keys=False)
    except (TypeError, KeyError) as error:
        place = f"{where}: " if where else ""
        raise UserError(f"{place}the config cannot be merged ({error})") from error


def _place_of(child: str, model: nn.Module, source: str) -> str:
    children = dict(unwrapped(model).named_children())
    if child in children:
        return child
    found = [
        f"{name}.{path}"
        for name, network in children.items()
        for path, _ in unwrapped(network).named_modules()
        if path.split(".")[-1] == child
    ]
    if len(found) == 1:
        return found[0]
    reason = f"has several places for it ({', '.join(found)})" if found else "has no such part"
    raise UserError(
        f"{source}: holds the network '{child}', but {type(unwrapped(model)).__name__} {reason}"
    )


def _whole_modules(names: set[str], everything: Any) -> Iterator[str]:
    """The fewest module paths that together hold ``names`` and nothing else of ``everything``."""
    others = set(everything) - names
    done: set[str] = set()
    for name in sorted(names):
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            path = ".".join(parts[:depth])
            if not any(other.startswith(f"{path}.") for other in others):
                if path not in done:
                    done.add(path)
                    yield path
                break


def _plain_settings(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain_settings(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        plain = [_plain_settings(item) for item in value]
        return plain if isinstance(value, list) else tuple(plain)
    return value if value is None or isinstance(value, (bool, int, float, str)) else repr(value)


def _flat(settings: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if not settings or not isinstance(settings, (Mapping, list, tuple)):
        yield path, settings
        return
    items = settings.items() if isinstance(settings, Mapping) else enumerate(settings)
    for key, item in items:
        yield from _flat(item, f"{path}.{key}" if path else str(key))
