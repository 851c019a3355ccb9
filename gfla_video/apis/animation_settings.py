"""What an animation takes from a config or a checkpoint: size, structure and driver."""

from __future__ import annotations

import inspect
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry

from gfla_video.apis.config import load_config
from gfla_video.apis.load import check_task
from gfla_video.registry import DRIVERS, STRUCTURES
from gfla_video.utils.errors import UserError


def animation_settings(
    config: Config | str | Path | None,
    cfg_options: Mapping[str, Any] | None,
    meta: Mapping[str, Any],
    checkpoint: str | Path,
) -> Mapping[str, Any]:
    """``size``, ``structure`` and ``driver``: from the config, else from the checkpoint.

    Args:
        config: file or config; None where the checkpoint's record will do.
        cfg_options: changes to the config by dotted path.
        meta: the checkpoint's.
        checkpoint: its file, for messages.

    Raises:
        UserError: something is not said, not registered, or of another task.
    """
    if config is None:
        if cfg_options:
            raise UserError("--cfg-options: change a config, but none was given")
        settings: Mapping[str, Any] = meta
        where = f"{checkpoint}: the checkpoint"
    else:
        settings = load_config(config, cfg_options)
        name = config.filename if isinstance(config, Config) else config
        where = f"{name}: the config"
        check_task(meta, settings, checkpoint)
    for key in ("size", "structure", "driver"):
        if settings.get(key) is None:
            raise UserError(f"{where} says no {key}, pass a config that does")
    _registered(STRUCTURES, "structure", settings["structure"], where)
    _registered(DRIVERS, "driver", settings["driver"], where)
    _same_channels(settings["structure"], meta.get("structure"), where, checkpoint)
    return settings


def _same_channels(cfg: Any, trained: Any, where: str, checkpoint: str | Path) -> None:
    """Refuse a structure that the networks cannot take, before anything is read."""
    if not isinstance(trained, Mapping) or trained.get("type") not in STRUCTURES.module_dict:
        return  # the checkpoint does not say
    given, known = (STRUCTURES.build(dict(values)) for values in (cfg, trained))
    counts = [getattr(structure, "channels", None) for structure in (given, known)]
    if counts[0] != counts[1]:
        raise UserError(
            f"{where} has the structure {cfg['type']} of {counts[0]} channels, {checkpoint} was "
            f"trained with {trained['type']} of {counts[1]}; pass the config that it was trained "
            "with"
        )


def add_driver_arguments(
    parser: ArgumentParser,
    config: str | Path | Config,
    cfg_options: Mapping[str, Any] | None = None,
) -> None:
    """Add the options that the driver of a config declares to a command's parser.

    Raises:
        UserError: the config can't be read or names no registered driver.
    """
    settings = load_config(config, cfg_options)
    where = f"{config}: the config"
    _registered(DRIVERS, "driver", settings.get("driver"), where).add_arguments(parser)


def _registered(registry: Registry, kind: str, cfg: Mapping[str, Any] | None, where: str) -> Any:
    """The class of a part of the task; nobody may have imported it (``custom_imports`` would)."""
    if cfg and not isinstance(cfg, Mapping):
        raise UserError(f"{where} says {kind}={cfg!r}, which is no dict(type=..., ...); correct it")
    name = cfg.get("type") if cfg else None
    found = registry.get(name) if isinstance(name, str) else name
    if not inspect.isclass(found):
        known = ", ".join(sorted(registry.module_dict))
        raise UserError(
            f"{where} names the {kind} {name!r}, which is not registered (there are {known}); "
            "import its task or pass a config that does (custom_imports)"
        )
    return found
