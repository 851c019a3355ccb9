"""The one op under every flow-guided sampling: a weighted sum over a K x K integer window.

    out[b, c, l] = sum_j weights[b, j, l] * source[b, c, clamp(base(l) + j)],   j = ky * K + kx

Convention: ``base`` = (x, y) of the window's top left in source pixels; positions outside the
source take its border. This is the plain-torch reference: a loop over the taps that never holds a
tensor K^2 times larger than its result, forward or backward.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


def window_base(position: Tensor, size: tuple[int, int], window: int, before: int) -> Tensor:
    """Top left corner of the windows around ``position``, safe for any value.

    Args:
        position: ``[B, 2, h, w]`` = (x, y) in source pixels; NaN counts as 0.
        size: height and width of the source.
        window: K, the window's width.
        before: taps before ``floor(position)``.

    Returns:
        int32 ``[B, 2, h, w]``, each in [-K, size + K]: farther out every tap is the border anyway.
    """
    height, width = size
    corner = torch.nan_to_num(position.detach().floor() - before, nan=0.0)
    x = corner[:, 0].clamp(-window, width + window)
    y = corner[:, 1].clamp(-window, height + window)
    return torch.stack([x, y], dim=1).to(torch.int32)


def windowed_gather(source: Tensor, weights: Tensor, base: Tensor) -> Tensor:
    """Weighted sum over a K x K window of ``source`` at every output position.

    Args:
        source: ``[B, C, H, W]``, floating.
        weights: ``[B, K*K, h, w]``, j = ky * K + kx; h x w may differ from H x W.
        base: int32 ``[B, 2, h, w]`` = (x, y) of each window's top left, see :func:`window_base`.

    Returns:
        ``[B, C, h, w]``, differentiable in ``source`` and ``weights`` (DESIGN section 4).

    Raises:
        ValueError: shapes or types do not fit.
    """
    _check(source, weights, base)
    return _WindowedGather.apply(source, weights, base)  # type: ignore[no-any-return]


def _check(source: Tensor, weights: Tensor, base: Tensor) -> None:
    if source.dim() != 4 or weights.dim() != 4 or base.dim() != 4:
        raise ValueError(
            "windowed_gather expects source [B, C, H, W], weights [B, K*K, h, w] and base "
            f"[B, 2, h, w]; got {tuple(source.shape)}, {tuple(weights.shape)}, {tuple(base.shape)}"
        )
    batch, taps = weights.shape[:2]
    if math.isqrt(taps) ** 2 != taps:
        raise ValueError(f"weights must have K*K channels for a whole K, got {taps}")
    if source.shape[0] != batch or base.shape != (batch, 2, *weights.shape[2:]):
        raise ValueError(
            f"batch or output size differ: source {tuple(source.shape)}, weights "
            f"{tuple(weights.shape)}, base {tuple(base.shape)} (expected [B, 2, h, w])"
        )
    if base.dtype != torch.int32:
        raise ValueError(f"base must be int32 (make it with window_base), got {base.dtype}")
    if source.numel() == 0 and weights.numel() > 0:
        raise ValueError(f"source is empty: {tuple(source.shape)}")


def _rows(x: Tensor) -> Tensor:
    """``[B, C, h, w] -> [B*h*w, C]``: a tap is then one contiguous row."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


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
        batch, channels, *size = source.shape
        window = math.isqrt(weights.shape[1])
        rows, tap_weights = _rows(source), _rows(weights)
        out = rows.new_zeros(tap_weights.shape[0], channels)
        for j in range(window * window):
            index = _tap_index(base, (size[0], size[1]), *divmod(j, window))
            out.addcmul_(rows.index_select(0, index), tap_weights[:, j : j + 1])
        return _maps(out, batch, *weights.shape[2:])

    @staticmethod
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
            None if grad_source is None else _maps(grad_source, batch, *size),
            None if grad_weights is None else _maps(grad_weights, batch, *weights.shape[2:]),
            None,
        )
