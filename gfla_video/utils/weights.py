"""Reading weight files that somebody else made."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from gfla_video.utils.errors import UserError

_SHOWN = 4
_UNREADABLE = (
    *(pickle.UnpicklingError, zipfile.BadZipFile, OSError, EOFError, RuntimeError),
    *(ValueError, KeyError, IndexError, TypeError, AttributeError),  # what damaged bytes give
)


def read_torch_file(path: Path | str) -> Any:
    """``torch.load`` that runs no code of the file.

    Raises:
        UserError: no such file, not a torch file, or a file with more than plain data in it.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; give the path of a checkpoint")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def load_weights(path: Path | str) -> dict[str, Tensor]:
    """A flat name -> tensor mapping from ``.pth``/``.pt``, ``.npz`` or ``.safetensors``.

    Raises:
        UserError: no such file, or it holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such weights file; download it and give its path")
    if path.suffix == ".npz":
        try:
            with np.load(path) as arrays:
                return {name: torch.from_numpy(arrays[name]).float() for name in arrays.files}
        except _UNREADABLE as error:
            raise _unreadable(path, error) from error
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise _unreadable(path, error) from error
    state = read_torch_file(path)
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UserError(f"{path}: holds no mapping of names to tensors")
    return dict(state)


def _unreadable(path: Path, error: Exception) -> UserError:
    told = isinstance(error, (pickle.UnpicklingError, OSError, RuntimeError, SafetensorError))
    reason = str(error).splitlines()[0] if told and str(error) else "damaged, or of another kind"
    return UserError(f"{path}: cannot be read as a file of plain weights ({reason[:160]})")


def load_strict(
    module: nn.Module,
    state: Mapping[str, Tensor],
    origin: Path | str,
    advice: str = "pass another file",
) -> None:
    """Copy ``state`` into ``module``; every name and every shape must fit.

    Raises:
        UserError: a name is missing, is unknown, or has another shape.
    """
    copy_strict(module.state_dict(keep_vars=True), state, type(module).__name__, origin, advice)


def copy_strict(
    own: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    name: str,
    origin: Path | str,
    advice: str,
) -> None:
    """Copy the tensors of ``state`` into those of ``own``; every name and every shape must fit.

    Args:
        own: the network's tensors themselves.
        state: what is loaded.
        name: of the network, for the message.
        origin: the file, for the message.
        advice: what to do, the message's end.

    Raises:
        UserError: a name is missing, is unknown, or has another shape.
    """
    missing, surplus = own.keys() - state.keys(), state.keys() - own.keys()
    if missing or surplus:
        parts = []
        if missing:
            parts.append(f"lacks {shown(missing)}")
        if surplus:
            parts.append(f"has {shown(surplus)} which the model does not know")
        raise UserError(f"{origin}: does not fit {name}, it {' and '.join(parts)}; {advice}")
    copy_tensors(own, state, origin, advice)


def copy_tensors(
    own: Mapping[str, Tensor], state: Mapping[str, Tensor], origin: Path | str, advice: str
) -> None:
    """Copy the tensors of ``state`` into those of ``own`` that have the same names.

    Raises:
        UserError: a shape differs.
    """
    for name, tensor in state.items():
        if own[name].shape != tensor.shape:
            raise UserError(
                f"{origin}: '{name}' is {_shape(tensor)}, the model needs {_shape(own[name])}; "
                f"{advice}"
            )
    with torch.no_grad():
        for name, tensor in state.items():
            own[name].copy_(tensor)


def shown(names: Iterable[str]) -> str:
    """A few of ``names`` and how many more there are, for a message."""
    ordered = sorted(names)
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(f"'{name}'" for name in ordered[:_SHOWN]) + more


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"
