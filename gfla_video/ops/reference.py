"""The windowed gather in plain torch: a loop over the taps, exact on every device, always there.

It never holds a tensor K^2 times larger than its result, forward or backward.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def accumulation_type(dtype: torch.dtype) -> torch.dtype:
    """What sums are held in: float64 for float64, else float32."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def gather_reference(source: Tensor, weights: Tensor, base: Tensor) -> Tensor:
    """See :func:`gfla_video.ops.windowed_gather`; arguments are not checked."""
    return _WindowedGather.apply(source, weights, base)  # type: ignore[no-any-return]


def _rows(x: Tensor) -> Tensor:
    """``[B, C, h, w] -> [B*h*w, C]`` in the accumulation type: a tap is one contiguous row."""
    rows = x.permute(0, 2, 3, 1).flatten(0, 2)
    return rows.to(accumulation_type(x.dtype))


def _maps(rows: Tensor, batch: int, height: int, width: int) -> Tensor:
    """``[B*h*w, C] -> [B, C, h, w]``, channels last in memory."""
    return rows.view(batch, height, width, rows.shape[1]).permute(0, 3, 1, 2)


def _tap_index(base: Tensor, size: tuple[int, int], ky: int, kx: int) -> Tensor:
    """Row of every position's tap (ky, kx), ``[B*h*w]`` int64, borders clamped."""
    height, width = size
    x = (base[:, 0].long() + kx).clamp_(0, width - 1)
    y = (base[:, 1].long() + ky).clamp_(0, height - 1)
    first = torch.arange(base.shape[0], device=base.device).view(-1, 1, 1) * (height * width)
    return (y * width + x + first).flatten()


class _WindowedGather(torch.autograd.Function):
    """The loop over the taps, run again in the backward pass instead of being stored."""

    @staticmethod
    def forward(ctx: Any, source: Tensor, weights: Tensor, base: Tensor) -> Tensor:
        ctx.save_for_backward(source, weights, base)
        batch, _, *size = source.shape
        window = math.isqrt(weights.shape[1])
        rows, tap_weights = _rows(source), _rows(weights)
        out = rows.new_zeros(tap_weights.shape[0], rows.shape[1])
        for j in range(window * window):
            index = _tap_index(base, (size[0], size[1]), *divmod(j, window))
            out.addcmul_(rows.index_select(0, index), tap_weights[:, j : j + 1])
        return _maps(out, batch, *weights.shape[2:]).to(source.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        source, weights, base = ctx.saved_tensors
        batch, _, *size = source.shape
        window = math.isqrt(weights.shape[1])
        rows, tap_weights, grad_rows = _rows(source), _rows(weights), _rows(grad)
        need_source, need_weights = ctx.needs_input_grad[:2]
        grad_source = torch.zeros_like(rows) if need_source else None
        grad_weights = torch.empty_like(tap_weights) if need_weights else None
        for j in range(window * window):
            index = _tap_index(base, (size[0], size[1]), *divmod(j, window))
            if grad_weights is not None:
                grad_weights[:, j] = (rows.index_select(0, index) * grad_rows).sum(1)
            if grad_source is not None:
                grad_source.index_add_(0, index, grad_rows * tap_weights[:, j : j + 1])
        return (
            None if grad_source is None else _maps(grad_source, batch, *size).to(source.dtype),
            None
            if grad_weights is None
            else _maps(grad_weights, batch, *weights.shape[2:]).to(weights.dtype),
            None,
        )
