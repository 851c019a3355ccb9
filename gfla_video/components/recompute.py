"""Activation checkpointing: keep a block's input, compute the rest again in the backward pass."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def run(block: Callable[[Tensor], Tensor], x: Tensor, checkpointing: bool) -> Tensor:
    """``block(x)``; with ``checkpointing`` the block runs again when its gradient is asked for.

    Values and gradients are the same bit for bit: what is computed again is computed alike, under
    the same autocast and with the same random numbers.

    Args:
        block: of one tensor, without state that a second run would change (no spectral norm).
        x: its input.
        checkpointing: whether to save memory at the cost of time.
    """
    if not checkpointing or not torch.is_grad_enabled():
        return block(x)
    out: Tensor = checkpoint(block, x, use_reentrant=False)
    return out


def set_checkpointing(network: nn.Module, checkpointing: bool = True) -> list[str]:
    """Switch every part that has an attribute ``checkpointing``; gives the names of those parts."""
    found = [
        (name, part) for name, part in network.named_modules() if hasattr(part, "checkpointing")
    ]
    for _, part in found:
        part.checkpointing = checkpointing  # type: ignore[assignment]
    return [name for name, _ in found]
