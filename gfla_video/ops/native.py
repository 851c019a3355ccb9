"""The compiled operators: loading, shapes for tracing (fake kernels), gradients.

Nothing here runs at import. A library lies beside this file as ``_native_<device type>*``; the
CPU's one also holds the schemas, so it is loaded first. ``_native_build.json``, written by
``setup.py``, says with which torch each was built, or why it was not.
"""

from __future__ import annotations

import functools
import json
import math
import threading
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gfla_video.ops.reference import accumulation_type

FOLDER = Path(__file__).parent
RECORD = FOLDER / "_native_build.json"
_LOADABLE = (".so", ".dylib", ".dll", ".pyd")
_lock = threading.RLock()


def load(device_type: str) -> str:
    """Load the kernels of a kind of device, once.

    Returns:
        The reason why there are none, empty where they are loaded.
    """
    with _lock:
        return _load(device_type)


@functools.cache
def _load(device_type: str) -> str:
    if device_type != "cpu" and (reason := _load("cpu")):
        return reason
    entry = build_record().get(device_type, {})
    library = find_library(device_type)
    if library is None and entry.get("built"):
        return f"the native kernels for {device_type} were built, but are gone: install again"
    if library is None:
        return str(entry.get("reason") or f"no native kernels were built for {device_type}")
    built, running = str(entry.get("torch", "")), torch.__version__
    if built and _release(built) != _release(running):
        return f"{library.name} was built for torch {built}, this is {running}: install again"
    try:
        torch.ops.load_library(str(library))
    except OSError as error:
        return f"{library.name} could not be loaded ({str(error).splitlines()[0]}): install again"
    if device_type == "cpu":
        _register()
    return ""


def build_record() -> dict[str, Any]:
    """What ``setup.py`` wrote down, by kind of device; empty where nothing was built."""
    try:
        record = json.loads(RECORD.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def find_library(device_type: str) -> Path | None:
    """The compiled library of a kind of device."""
    found = sorted(FOLDER.glob(f"_native_{device_type}.*"))
    return next((path for path in found if path.suffix in _LOADABLE), None)


def _release(version: str) -> list[str]:
    """Major and minor: within them torch's binary interface holds."""
    return version.split("+")[0].split(".")[:2]


def gather_native(source: Tensor, weights: Tensor, base: Tensor) -> Tensor:
    """See :func:`gfla_video.ops.windowed_gather`; the library of the device must be loaded."""
    found: Tensor = torch.ops.gfla_video.windowed_gather(source, weights, base)
    return found


def _maps(like: Tensor, dtype: torch.dtype, channels: int, height: int, width: int) -> Tensor:
    size = (like.shape[0], channels, height, width)
    return torch.empty(
        size, dtype=dtype, device=like.device, memory_format=torch.channels_last
    )  # as the kernels lay it out


def _fake_forward(source: Tensor, weights: Tensor, base: Tensor) -> Tensor:
    return _maps(source, source.dtype, source.shape[1], *weights.shape[2:])


def _fake_grad_source(
    grad: Tensor, weights: Tensor, base: Tensor, height: int, width: int
) -> Tensor:
    return _maps(grad, grad.dtype, grad.shape[1], height, width)


def _fake_grad_weights(grad: Tensor, source: Tensor, base: Tensor, window: int) -> Tensor:
    return _maps(grad, accumulation_type(source.dtype), window * window, *grad.shape[2:])


def _remember(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
    source, weights, base = ctx.saved_tensors
    operators = torch.ops.gfla_video
    grad_source = grad_weights = None
    if ctx.needs_input_grad[0]:
        grad_source = operators.windowed_gather_grad_source(
            grad, weights, base, source.shape[2], source.shape[3]
        )
    if ctx.needs_input_grad[1]:
        window = math.isqrt(weights.shape[1])
        grad_weights = operators.windowed_gather_grad_weights(grad, source, base, window)
        grad_weights = grad_weights.to(weights.dtype)
    return grad_source, grad_weights, None


def _refuse(ctx: Any, grad: Tensor) -> None:
    raise RuntimeError("the windowed gather is differentiable once, not twice")


def _register() -> None:
    """What the dispatcher needs from Python, once the schemas are there."""
    name = "gfla_video::windowed_gather"
    library = torch.library
    library.register_fake(name, _fake_forward)
    library.register_fake(f"{name}_grad_source", _fake_grad_source)
    library.register_fake(f"{name}_grad_weights", _fake_grad_weights)
    library.register_autograd(name, _backward, setup_context=_remember)
    library.register_autograd(f"{name}_grad_source", _refuse)
    library.register_autograd(f"{name}_grad_weights", _refuse)
