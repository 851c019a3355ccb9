"""The one op under every flow-guided sampling: a weighted sum over a K x K integer window.

    out[b, c, l] = sum_j weights[b, j, l] * source[b, c, clamp(base(l) + j)],   j = ky * K + kx

Convention: ``base`` = (x, y) of the window's top left in source pixels; positions outside the
source take its border.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gfla_video.ops.backends import serves_natively
from gfla_video.ops.native import gather_native
from gfla_video.ops.reference import accumulation_type, gather_reference


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


def windowed_gather(source: Tensor, weights: Tensor, base: Tensor, backend: str = "auto") -> Tensor:
    """Weighted sum over a K x K window of ``source`` at every output position.

    Any strides are taken; the fast path is a channels-last source. Sums are held in float32 for
    half types. Differentiable once.

    Args:
        source: ``[B, C, H, W]``, float32, float64, float16 or bfloat16.
        weights: ``[B, K*K, h, w]``, j = ky * K + kx; h x w may differ from H x W. In the source's
            type, or in float32 beside a half type.
        base: int32 ``[B, 2, h, w]`` = (x, y) of each window's top left, see :func:`window_base`.
            Any value is safe: outside of the source every tap takes the border.
        backend: ``auto``, ``reference`` or ``native``, see :func:`gfla_video.ops.backend_for`.

    Returns:
        ``[B, C, h, w]`` in the source's type, channels last in memory, with gradients for
        ``source`` and ``weights`` (DESIGN section 4).

    Raises:
        ValueError: shapes or types do not fit, or no such backend.
        RuntimeError: ``native`` is asked for and cannot serve.
    """
    _check(source, weights, base)
    if serves_natively(backend, source.device, source.dtype):
        return gather_native(source, weights, base)
    return gather_reference(source, weights, base)


def _check(source: Tensor, weights: Tensor, base: Tensor) -> None:
    if source.dim() != 4 or weights.dim() != 4 or base.dim() != 4:
        raise ValueError(
            "windowed_gather expects source [B, C, H, W], weights [B, K*K, h, w] and base "
            f"[B, 2, h, w]; got {tuple(source.shape)}, {tuple(weights.shape)}, {tuple(base.shape)}"
        )
    batch, taps = weights.shape[:2]
    if taps == 0 or math.isqrt(taps) ** 2 != taps:
        raise ValueError(f"weights must have K*K channels for a whole K, got {taps}")
    if source.shape[0] != batch or base.shape != (batch, 2, *weights.shape[2:]):
        raise ValueError(
            f"batch or output size differ: source {tuple(source.shape)}, weights "
            f"{tuple(weights.shape)}, base {tuple(base.shape)} (expected [B, 2, h, w])"
        )
    if base.dtype != torch.int32:
        raise ValueError(f"base must be int32 (make it with window_base), got {base.dtype}")
    if weights.dtype not in (source.dtype, accumulation_type(source.dtype)):
        raise ValueError(
            f"weights must be {source.dtype} as the source or "
            f"{accumulation_type(source.dtype)}, got {weights.dtype}"
        )
    if source.numel() == 0 and weights.numel() > 0:
        raise ValueError(f"source is empty: {tuple(source.shape)}")
