"""The random generators of a process as plain values, saved and restored with a checkpoint."""

from __future__ import annotations

import logging
import random
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object, get_rank


def rng_state() -> dict[str, Any]:
    """States of Python's, NumPy's and torch's generators, as tensors and plain values."""
    version, internal, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": [version, torch.tensor(internal), gauss],
        "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        "accelerator": torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None,
    }


def set_rng_state(state: dict[str, Any]) -> None:
    """Restore what :func:`rng_state` gave."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal.tolist()), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if state["accelerator"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["accelerator"])


def gather_rng_states() -> list[dict[str, Any]]:
    """States of all processes, by rank. Every process must call it."""
    return all_gather_object(rng_state())


def restore_rng(states: list[dict[str, Any]], logger: logging.Logger) -> None:
    """Restore this process's generators from the states of a run's processes.

    A run that goes on with more processes than it had has no state for the new ones: they keep
    what they were seeded with, which is said.
    """
    rank = get_rank()
    if rank < len(states):
        set_rng_state(states[rank])
    else:
        logger.warning(
            f"process {rank} is new ({len(states)} were saved): it starts from the run's seed"
        )
