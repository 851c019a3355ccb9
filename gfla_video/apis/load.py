"""Checkpoints to networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from gfla_video.engine.checkpoint import read_checkpoint
from gfla_video.registry import MODELS
from gfla_video.utils.errors import UserError
from gfla_video.utils.weights import load_strict


def check_task(meta: Mapping[str, Any], config: Config, origin: Path | str) -> None:
    """Refuse a checkpoint of another task; one of the two that names no task fits any.

    Args:
        meta: the checkpoint's.
        config: what it is to be used with.
        origin: the checkpoint's file, for the message.

    Raises:
        UserError: both name a task, and not the same.
    """
    task, wanted = meta.get("task"), config.get("task")
    if task and wanted and task != wanted:
        name = config.filename or "the config"
        raise UserError(
            f"{origin}: is a checkpoint of the task {task}, but {name} is for {wanted}; "
            "pass the config that it was trained with"
        )


def build_network(
    checkpoint: Mapping[str, Any], name: str, origin: Path | str, device: str | torch.device = "cpu"
) -> nn.Module:
    """One network of a checkpoint, strictly loaded, in eval mode.

    Args:
        checkpoint: of :func:`read_checkpoint`.
        name: the model's child, e.g. ``generator``.
        origin: the file, for messages.
        device: where to put it.

    Raises:
        UserError: the checkpoint has no such network, or its tensors do not fit.
    """
    meta = checkpoint["meta"]
    if not isinstance(meta.get(name), Mapping):
        there = sorted(k for k, v in meta.items() if isinstance(v, Mapping) and "type" in v)
        raise UserError(f"{origin}: holds no {name} (it holds: {', '.join(there) or 'nothing'})")
    network = MODELS.build(dict(meta[name]))
    state = checkpoint["state_dict"]
    own = {k[len(name) + 1 :]: v for k, v in state.items() if k.startswith(name + ".")}
    load_strict(network, own, origin)
    return network.eval().to(device)  # type: ignore[no-any-return]


def load_network(path: Path | str, name: str, device: str | torch.device = "cpu") -> nn.Module:
    """The network ``name`` of a checkpoint file, see :func:`build_network`."""
    return build_network(read_checkpoint(path), name, path, device)


def load_generator(path: Path | str, device: str | torch.device = "cpu") -> nn.Module:
    """The generator of a trained or converted checkpoint, in eval mode.

    ``generator(sources, source_structures, target_structure)`` takes lists over references and
    returns an object with ``image [B, 3, H, W]``, ``flows[r][scale]``, ``masks[r][scale]``.

    Raises:
        UserError: no such file, no generator in it, or tensors that do not fit.
    """
    return load_network(path, "generator", device)
