"""Reading weight files that somebody else made."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gfla_video.utils.errors import UserError


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
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{path}: cannot be read as a file of plain weights ({reason[:160]})"
        ) from error


def load_weights(path: Path | str) -> dict[str, Tensor]:
    """A flat name -> float tensor mapping from ``.pth``/``.pt`` or ``.npz``.

    Raises:
        UserError: no such file, or it holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such weights file; download it and give its path")
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return {name: torch.from_numpy(arrays[name]).float() for name in arrays.files}
    state = read_torch_file(path)
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UserError(f"{path}: holds no mapping of names to tensors")
    return dict(state)


def load_strict(module: nn.Module, state: Mapping[str, Tensor], origin: Path | str) -> None:
    """Load every tensor or say which name or shape does not fit.

    Raises:
        UserError: a name is missing, is unknown, or has another shape.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in state]
    unknown = [name for name in state if name not in own]
    shaped = [n for n in own if n in state and own[n].shape != state[n].shape]
    if missing or unknown or shaped:
        parts = [
            f"{what}: {', '.join(names[:3])}{' ...' if len(names) > 3 else ''} ({len(names)})"
            for what, names in (("missing", missing), ("unknown", unknown), ("shape", shaped))
            if names
        ]
        name = type(module).__name__
        raise UserError(f"{origin}: the weights do not fit {name} ({'; '.join(parts)})")
    module.load_state_dict(state)
