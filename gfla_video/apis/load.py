"""Checkpoints to networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gfla_video.registry import MODELS
from gfla_video.utils.errors import UserError
from gfla_video.utils.weights import load_strict, read_torch_file


def read_checkpoint(path: Path | str) -> dict[str, Any]:
    """``{"meta": ..., "state_dict": ...}`` of a file made by training or by the converter.

    Only plain data is read (``weights_only=True``).

    Raises:
        UserError: no such file, or not a checkpoint of this program.
    """
    content = read_torch_file(path)
    if not isinstance(content, Mapping) or not {"meta", "state_dict"} <= set(content):
        raise UserError(
            f"{path}: not a checkpoint of gfla_video (no meta and state_dict); "
            "convert a released one with tools/convert_checkpoint.py"
        )
    return dict(content)


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
