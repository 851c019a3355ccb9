"""Which code serves a tensor: the native kernels or plain torch, and why.

``auto`` takes the native kernels where they are and where they pass a one-time self-check, else the
reference, and says so once. ``GFLA_BACKEND`` sets what ``auto`` means, ``GFLA_SELF_CHECK=0`` turns
the check off.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from gfla_video.ops import native, self_check

BACKENDS = ("auto", "reference", "native")


class BackendChoice(NamedTuple):
    """``name`` is ``native`` or ``reference``; ``reason`` says in a sentence why."""

    name: str
    reason: str


_default = "auto"
_announced: set[str] = set()
_refused: dict[tuple[str, torch.dtype], str] = {}  # what the self-check found, empty: nothing
_lock = threading.Lock()


@contextmanager
def using_backend(name: str) -> Iterator[None]:
    """What ``auto`` means inside; for benchmarks and tests. Compiled graphs keep their choice.

    Raises:
        ValueError: no such backend.
    """
    global _default
    _check_name(name)
    before, _default = _default, name
    try:
        yield
    finally:
        _default = before


def backend_for(tensor: Tensor, backend: str = "auto") -> BackendChoice:
    """Which backend serves a source like ``tensor`` (its device and type), and why.

    Raises:
        ValueError: no such backend.
        RuntimeError: ``native`` is asked for and cannot serve.
    """
    return _choose(backend, tensor.device, tensor.dtype)


def _check_name(name: str) -> None:
    if name not in BACKENDS:
        raise ValueError(f"backend must be {', '.join(BACKENDS)}, got {name!r}")


def _choose(backend: str, device: torch.device, dtype: torch.dtype) -> BackendChoice:
    _check_name(backend)
    asked = backend
    if backend == "auto":
        backend = _default if _default != "auto" else os.environ.get("GFLA_BACKEND", "auto")
        asked = f"GFLA_BACKEND={backend}" if _default == "auto" else f"using_backend({backend!r})"
        if backend not in BACKENDS:
            raise ValueError(f"GFLA_BACKEND={backend}: choose {', '.join(BACKENDS)}")
    if backend == "reference":
        return BackendChoice("reference", f"{asked} asks for it")
    problem = native.load(device.type) or _problem_found(device, dtype)
    if not problem:
        return BackendChoice("native", f"the {device.type} kernels are loaded")
    if backend == "native":
        raise RuntimeError(f"the native windowed gather cannot serve {device.type}: {problem}")
    _announce(f"plain torch serves the windowed gather on {device.type}: {problem}")
    return BackendChoice("reference", problem)


def _problem_found(device: torch.device, dtype: torch.dtype) -> str:
    """What the self-check says, asked once for each kind of device and type."""
    key = (device.type, dtype)
    if key not in _refused:
        if os.environ.get("GFLA_SELF_CHECK", "1") == "0" or self_check.must_wait(device.type):
            return ""
        with _lock:
            if key not in _refused:
                _refused[key] = self_check.problem(device, dtype)
    return _refused[key]


def _announce(sentence: str) -> None:
    if sentence not in _announced:
        _announced.add(sentence)
        warnings.warn(sentence, RuntimeWarning, stacklevel=2)


@torch.compiler.assume_constant_result  # a traced graph keeps the choice made at its tracing
def serves_natively(backend: str, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the native operator is to be called."""
    return _choose(backend, device, dtype).name == "native"
