"""Find wrong keys in a config before anything is built from it."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from gfla_video import registry as own_registry
from gfla_video.utils.errors import UserError

# Top-level keys beside the arguments of MMEngine's Runner.
_OWN_KEYS = {
    *(
        "task",
        "size",
        "structure",
        "driver",
        "stages",
        "test_metrics",
        "metric_weights",
        "picture_fit",
        "protocol",
        "custom_imports",
    ),
    *("model_wrapper_cfg", "sync_bn", "find_unused_parameters", "compile"),
    *("activation_checkpointing", "efficient_conv_bn_eval"),
}
_META_KEYS = {"type", "_scope_", "_delete_"}
_LOADER_KEYS = {
    *("dataset", "sampler", "batch_sampler", "collate_fn", "worker_init_fn"),
    *("num_batch_per_epoch", "disable_subprocess_warning"),
}
# Dicts with fixed keys and no `type`.
_FIXED = {
    "env_cfg": {"cudnn_benchmark", "mp_cfg", "dist_cfg", "resource_limit"},
    "env_cfg.mp_cfg": {"mp_start_method", "opencv_num_threads"},
    "randomness": {"seed", "diff_rank_seed", "deterministic"},
    "custom_imports": {"imports", "allow_failed_imports"},
    "auto_scale_lr": {"enable", "base_batch_size"},
}
# What is built when a dict at this place has no `type`, and the keys that its builder takes away.
_IMPLIED = {
    "train_cfg": ("IterBasedTrainLoop", {"by_epoch"}),
    "val_cfg": ("ValLoop", set()),
    "test_cfg": ("TestLoop", set()),
    "optim_wrapper": ("OptimWrapper", {"constructor", "paramwise_cfg"}),
    "log_processor": ("LogProcessor", set()),
    "model_wrapper_cfg": ("MMDistributedDataParallel", set()),
}
# Keys that a builder takes away before it calls the class.
_EXTRA = {"param_scheduler": {"convert_to_iter_based"}, "custom_hooks": {"priority"}}
# What MMEngine's builders pass to a constructor beside the config.
_PASSED = {
    *("params", "optimizer", "optim_wrapper", "runner", "dataloader", "evaluator", "module"),
    *("model", "dataset", "save_dir", "cfg", "optim_wrapper_cfg", "model_wrapper"),
}
_LISTED = 12


class _WrongKeyError(Exception):
    """A wrong key at a path of the merged config."""

    def __init__(self, path: tuple[str, ...], text: str) -> None:
        super().__init__(text)
        self.path = path


def check_config(config: Mapping[str, Any], override: Mapping[str, Any] | None = None) -> None:
    """Walk a config and find keys that nothing would take, and arguments that nothing gives.

    Every dict with a ``type`` is bound to the signature of that class (through ``**kwargs`` to its
    parents); top-level keys, data loaders, loops and optimisers are checked against what reads
    them. Names that begin with ``_`` at the top level are free.

    Args:
        config: merged config of one stage (or one without stages).
        override: what stage k added, as ``{"stages.k": {...}}``: an error whose key stands there is
            named by its place there.

    Raises:
        UserError: the first wrong key, unknown type or missing argument, by its path, with what is
            taken there and the nearest valid name.
    """
    try:
        _check_top(config)
    except _WrongKeyError as error:
        raise UserError(f"{_place(error.path, override or {})}: {error}") from error


def check_stages(config: Mapping[str, Any], stages: Iterable[Mapping[str, Any]]) -> None:
    """Check a whole config: its common part's keys, and every merged stage.

    Args:
        config: the whole config, with ``stages``.
        stages: the merged config of each stage.

    Raises:
        UserError: as :func:`check_config`.
    """
    entries = config.get("stages", [{}])
    for index, (entry, merged) in enumerate(zip(entries, stages, strict=True)):
        check_config(merged, {f"stages.{index}": entry})


def _place(path: tuple[str, ...], override: Mapping[str, Any]) -> str:
    for prefix, entry in override.items():
        inside: Any = entry
        for part in path:
            if isinstance(inside, Mapping) and part in inside:
                inside = inside[part]
            elif isinstance(inside, (list, tuple)) and part.isdigit() and int(part) < len(inside):
                inside = inside[int(part)]
            else:
                break
        else:
            return ".".join([prefix, *path])
    return ".".join(path)


def _check_top(config: Mapping[str, Any]) -> None:
    runner_keys = set(inspect.signature(Runner.__init__).parameters) - {"self", "cfg"}
    known = runner_keys | _OWN_KEYS
    for key, value in config.items():
        if key.startswith("_"):
            continue
        _known((key,), key, known, "a config", listed=False)
        _check_place((key,), key, value)


def _check_place(path: tuple[str, ...], key: str, value: Any) -> None:
    """Check the value of one top-level key."""
    if not isinstance(value, Mapping):
        _check_value(path, value, _EXTRA.get(key, set()))
    elif key.endswith("_dataloader"):
        _check_keys(path, value, keyword_arguments(DataLoader) | _LOADER_KEYS, "a data loader")
        _check_inside(path, value)
    elif key == "optim_wrapper" and "constructor" in value and "optimizer" not in value:
        _check_optimisers(path, value)
    elif key == "default_hooks":
        for name, hook in value.items():
            _check_value((*path, name), hook, _EXTRA["custom_hooks"], needs_type=True)
    elif key == "env_cfg":
        _check_keys(path, value, _FIXED[key], "env_cfg")
        mp_cfg = value.get("mp_cfg", {})
        _check_keys((*path, "mp_cfg"), mp_cfg, _FIXED["env_cfg.mp_cfg"], "mp_cfg")
    elif key in _FIXED:
        _check_keys(path, value, _FIXED[key], key)
    elif key in _IMPLIED:
        implied, extra = _IMPLIED[key]
        # Its defaults are under every config; whoever trains asks for what they lack.
        _check_typed(path, {"type": implied, **value}, extra, complete=False)
    elif key == "param_scheduler":
        groups = [value] if "type" in value else list(value.values())
        for group in groups:
            _check_value(path, group, _EXTRA[key])
    else:
        _check_value(path, value, set())


def _check_optimisers(path: tuple[str, ...], value: Mapping[str, Any]) -> None:
    """One optimiser per network: every other key is a network's name."""
    _classes((*path, "constructor"), value["constructor"])
    for name, config in value.items():
        if name in ("constructor", "type", "paramwise_cfg"):
            continue
        if not isinstance(config, Mapping):
            raise _WrongKeyError((*path, name), "must be the config of that network's optimiser")
        implied, extra = _IMPLIED["optim_wrapper"]
        _check_typed((*path, name), {"type": implied, **config}, extra, complete=False)


def _check_value(
    path: tuple[str, ...], value: Any, extra: set[str], needs_type: bool = False
) -> None:
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _check_value((*path, str(index)), item, extra)
    elif isinstance(value, Mapping):
        if "type" in value:
            _check_typed(path, value, extra)
        elif needs_type:
            raise _WrongKeyError(path, "unknown name without a 'type'; give it one or drop it")
        else:
            _check_inside(path, value)


def _check_inside(path: tuple[str, ...], value: Mapping[str, Any]) -> None:
    for key, item in value.items():
        _check_value((*path, str(key)), item, set())


def _check_typed(
    path: tuple[str, ...], value: Mapping[str, Any], extra: set[str], complete: bool = True
) -> None:
    classes = _classes((*path, "type"), value["type"])
    errors = []
    for found in classes:
        taken = keyword_arguments(found)
        if taken is None:
            break
        try:
            _check_keys(path, value, taken | extra | _META_KEYS, found.__name__, taken)
            if complete:
                _check_complete(path, value, found)
        except _WrongKeyError as error:
            errors.append(error)
        else:
            break
    else:
        raise errors[0]
    _check_inside(path, value)


def _check_complete(
    path: tuple[str, ...], value: Mapping[str, Any], found: Callable[..., Any]
) -> None:
    missing = [name for name in _required(found) if name not in value and name not in _PASSED]
    if missing:
        names = ", ".join(f"'{name}'" for name in missing)
        raise _WrongKeyError(path, f"lacks {names}, which {found.__name__} needs")


def _check_keys(
    path: tuple[str, ...],
    value: Mapping[str, Any],
    known: set[str],
    owner: str,
    listed: set[str] | None = None,
) -> None:
    for key in value:
        _known((*path, str(key)), str(key), known, owner, listed)


def _known(
    path: tuple[str, ...],
    key: str,
    known: set[str],
    owner: str,
    listed: Any = None,
) -> None:
    if key in known:
        return
    text = "unknown key"
    if listed is not False:
        names = sorted(listed if listed else known)
        more = ", ..." if len(names) > _LISTED else ""
        text += f"; {owner} takes {', '.join(names[:_LISTED]) or 'nothing'}{more}"
    raise _WrongKeyError(path, text + _nearest(key, known))


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _classes(path: tuple[str, ...], kind: Any) -> list[Callable[..., Any]]:
    """What ``type=kind`` may mean: the registries' entries of that name, most special first."""
    if not isinstance(kind, str):
        return [kind]
    name = kind.rpartition(".")[2]
    found = [item for known, item in _registered() if known == name]
    if not found and "." in kind:
        direct = mmengine_registry.MODELS.get(kind)
        found = [direct] if direct is not None else []
    if not found:
        names = {known for known, _ in _registered()}
        raise _WrongKeyError(path, f"unknown type '{kind}'{_nearest(kind, names)}")
    return found


def _registered() -> Iterator[tuple[str, Callable[..., Any]]]:
    for registry in _registries():
        registry.import_from_location()
        yield from registry.module_dict.items()


def _registries() -> list[Registry]:
    """Our registries and their children (other packages), then MMEngine's."""
    found: list[Registry] = []
    for module in (own_registry, mmengine_registry):
        for registry in vars(module).values():
            if isinstance(registry, Registry):
                _collect(registry, found)
    return found


def _collect(registry: Registry, found: list[Registry]) -> None:
    if not any(registry is known for known in found):
        found.append(registry)
        for child in registry.children.values():
            _collect(child, found)


def keyword_arguments(target: Callable[..., Any]) -> set[str] | None:
    """Names of the keyword arguments of a class or function; None if it takes any.

    A class's ``**kwargs`` goes on to its parent's constructor.
    """
    if not inspect.isclass(target):
        return _named(target)[0] if not _named(target)[1] else None
    names: set[str] = set()
    for cls in target.__mro__:
        if cls.__module__.startswith("torch.nn.modules.module") or cls is object:
            break
        if "__init__" not in vars(cls):
            continue
        own, more = _named(cls.__init__)
        names |= own
        if not more:
            break
    return names


def _required(target: Callable[..., Any]) -> list[str]:
    """Arguments without a default of a class's own constructor."""
    if not inspect.isclass(target):
        return []
    owner = next(cls for cls in target.__mro__ if "__init__" in vars(cls))
    if owner is object:
        return []
    parameters = list(inspect.signature(owner.__init__).parameters.values())[1:]
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [item.name for item in parameters if item.default is item.empty and item.kind in kinds]


def _named(target: Callable[..., Any]) -> tuple[set[str], bool]:
    try:
        parameters = inspect.signature(target).parameters.values()
    except ValueError:  # a built-in without a signature
        return set(), True
    free = any(item.kind is item.VAR_KEYWORD for item in parameters)
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {item.name for item in parameters if item.kind in kinds} - {"self", "cls"}, free
