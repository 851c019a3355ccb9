"""Checkpoints: whole or not there, plain values and tensors only, loaded strictly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.model import is_model_wrapper
from torch import nn

from gfla_video.engine.optim import unwrapped
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import atomic_path
from gfla_video.utils.weights import copy_strict, read_torch_file

POINTER = "last_checkpoint"
HISTORY = 2000
ADVICE = "use the config it was trained with"
# Set anew by every run, so that a resumed one would only show what is no longer true.
_RUN_INFO = {"cfg", "experiment_name", "mmengine_version", "seed", "max_iters", "max_epochs", "eta"}


def write_checkpoint(content: dict[str, Any], path: Path | str) -> None:
    """Write a checkpoint under a temporary name, flush it to the disk and rename it.

    A crash at any moment leaves the older file of that name, or none, never half a file.

    Args:
        content: state dicts and whatever :func:`to_plain` can express.
        path: the checkpoint.

    Raises:
        UserError: the file cannot be written (a full disk, a folder without permission).
    """
    plain = to_plain(content, Path(path).name)
    try:
        with atomic_path(path) as temporary:
            torch.save(plain, temporary)
    except (OSError, RuntimeError) as error:  # torch's zip writer reports a full disk as the latter
        raise UserError(f"{path}: the checkpoint cannot be written ({error})") from error


def read_checkpoint(path: Path | str) -> dict[str, Any]:
    """Load a checkpoint without running code from it (``weights_only``), tensors on the CPU.

    Raises:
        UserError: not there, damaged, or not a checkpoint of this package.
    """
    content = read_torch_file(path)
    parts = ("state_dict", "meta")
    if not isinstance(content, dict) or not all(isinstance(content.get(k), dict) for k in parts):
        raise UserError(
            f"{path}: is no checkpoint of gfla_video (it holds no 'state_dict' and 'meta'); "
            "convert weights of other programs with tools/convert_checkpoint.py"
        )
    return content


def write_pointer(folder: Path | str, checkpoint: Path | str) -> None:
    """Let ``folder/last_checkpoint`` name ``checkpoint``, in one step."""
    with atomic_path(Path(folder) / POINTER) as temporary:
        temporary.write_text(str(checkpoint), encoding="utf-8")


def last_checkpoint(folder: Path | str) -> Path | None:
    """The checkpoint that ``folder/last_checkpoint`` names, or None where there is no such file.

    Only the file's name counts, so a work folder may be moved.

    Raises:
        UserError: the named file is gone.
    """
    pointer = Path(folder) / POINTER
    if not pointer.is_file():
        return None
    path = pointer.parent / Path(pointer.read_text(encoding="utf-8").strip()).name
    if not path.is_file():
        raise UserError(f"{pointer}: names {path.name}, which is gone; name another file in it")
    return path


def plain_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """State dict of ``model`` (the tensors themselves) under the names of one-process training.

    ``MMSeparateDistributedDataParallel`` wraps every child, which adds ``.module`` to its names.
    """
    model = unwrapped(model)
    wrapped = [
        f"{name}.module." for name, child in model.named_children() if is_model_wrapper(child)
    ]
    state = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        prefix = next((prefix for prefix in wrapped if name.startswith(prefix)), None)
        if prefix is not None:
            name = prefix.removesuffix("module.") + name.removeprefix(prefix)
        state[name] = tensor
    return state


def load_strict(model: nn.Module, state: Mapping[str, torch.Tensor], source: str) -> None:
    """Copy ``state`` into ``model``, wrapped or not; every name and every shape must fit.

    Raises:
        UserError: names are missing, too many, or shapes differ.
    """
    copy_strict(plain_state(model), state, type(unwrapped(model)).__name__, source, ADVICE)


def to_plain(value: Any, where: str) -> Any:
    """Express ``value`` with tensors and Python's own types, which ``weights_only`` loads.

    Raises:
        UserError: something else is in it; ``where`` names the place.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value))
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {_key(key): to_plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        plain = [to_plain(item, f"{where}.{index}") for index, item in enumerate(value)]
        return plain if isinstance(value, list) else tuple(plain)
    raise UserError(
        f"{where}: a {type(value).__name__} cannot be stored in a checkpoint, "
        "only tensors, numbers, texts, lists and dicts"
    )


def pack_messages(hub: MessageHub) -> dict[str, Any]:
    """The logged scalars and facts of a run, without MMEngine's own classes.

    Of each scalar the last 2000 values are kept: enough for every average that is printed.
    """
    state = hub.state_dict()
    info = {key: item for key, item in state["runtime_info"].items() if key not in _RUN_INFO}
    scalars = {}
    for key, buffer in state["log_scalars"].items():
        values, counts = buffer.data
        scalars[key] = {
            "values": torch.tensor(values[-HISTORY:], dtype=torch.float64),
            "counts": torch.tensor(counts[-HISTORY:], dtype=torch.int64),
        }
    kept = {key: flag for key, flag in state["resumed_keys"].items() if key in {**scalars, **info}}
    return {"log_scalars": scalars, "runtime_info": info, "resumed_keys": kept}


def unpack_messages(packed: dict[str, Any]) -> dict[str, Any]:
    """What ``MessageHub.load_state_dict`` takes, from what :func:`pack_messages` gave."""
    buffers = {
        key: HistoryBuffer(item["values"].tolist(), item["counts"].tolist())
        for key, item in packed["log_scalars"].items()
    }
    return {**packed, "log_scalars": buffers}


def _key(key: Any) -> Any:
    return key if isinstance(key, (str, int, float, bool)) else str(key)
