"""Child registries of MMEngine's: what a config can name.

``MODELS`` holds networks, their building blocks, losses and feature extractors. Its ``build``
makes nested dicts with a ``type`` into modules first, so that constructors take modules and plain
values and never see a config. The locations are imported at the first look-up, not at import.
"""

from __future__ import annotations

from typing import Any

from mmengine import registry as _parent
from mmengine.registry import Registry

_SCOPE = "gfla_video"


def build_nested(cfg: Any, registry: Registry, default_args: dict[str, Any] | None = None) -> Any:
    """Build ``cfg`` after building every nested dict of it that has a ``type``.

    Args:
        cfg: dict with a ``type``, or an object that is built already (returned as it is).
        registry: where the types are looked up, for nested ones as well.
        default_args: keyword arguments that ``cfg`` may override.
    """
    if not isinstance(cfg, dict):
        return cfg
    built = {key: _build_value(value, registry) for key, value in cfg.items()}
    return _parent.build_from_cfg(built, registry, default_args)


def _build_value(value: Any, registry: Registry) -> Any:
    if isinstance(value, dict):
        if "type" in value:
            return registry.build(value)
        return {key: _build_value(item, registry) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_build_value(item, registry) for item in value)
    return value


def _child(name: str, parent: Registry | None, *locations: str, **kwargs: Any) -> Registry:
    places = [f"{_SCOPE}.{place}" for place in locations]
    return Registry(name, parent=parent, scope=_SCOPE, locations=places, **kwargs)


MODELS = _child("model", _parent.MODELS, "components", "models", "tasks", build_func=build_nested)
DATASETS = _child("dataset", _parent.DATASETS, "datasets", "tasks")
DATA_SAMPLERS = _child("data sampler", _parent.DATA_SAMPLERS, "datasets")
METRICS = _child("metric", _parent.METRICS, "evaluation", "tasks")
HOOKS = _child("hook", _parent.HOOKS, "engine")
LOOPS = _child("loop", _parent.LOOPS, "engine")
OPTIM_WRAPPER_CONSTRUCTORS = _child(
    "optimizer wrapper constructor", _parent.OPTIM_WRAPPER_CONSTRUCTORS, "engine"
)
VISUALIZERS = _child("visualizer", _parent.VISUALIZERS, "visualization")
STRUCTURES = _child("structure", None, "tasks")
DRIVERS = _child("driver", None, "tasks")
DETECTORS = _child("detector", None, "detectors")
CONVERTERS = _child("converter", None, "tasks")
