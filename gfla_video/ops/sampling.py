"""Bilinear, Gaussian and attention sampling as windowed gathers.

Convention: flow ``[B, 2, h, w]`` = (dx, dy) in source pixels, target to source: the output at l
samples the source at ``l + flow(l)``. Everything is in pixel units and starts from ``floor``;
``grid_sample`` would normalise the coordinates, which flips the floor at integer flows. Borders
clamp. The gradient for the flow is the one-sided derivative at integer positions and zero where
all taps clamp.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gfla_video.ops.reference import accumulation_type
from gfla_video.ops.windowed_gather import windowed_gather

MARGIN = 64.0  # windows reach at most this far; farther positions give the border and no gradient


def positions(flow: Tensor) -> Tensor:
    """Absolute sampling positions ``l + flow(l)``: ``[B, 2, h, w]`` = (x, y) in pixels.

    In float32 for half types: they could not tell a fraction of a pixel from the next.
    """
    flow = flow.to(accumulation_type(flow.dtype))
    height, width = flow.shape[-2:]
    x = torch.arange(width, dtype=flow.dtype, device=flow.device).view(1, 1, width)
    y = torch.arange(height, dtype=flow.dtype, device=flow.device).view(1, height, 1)
    return torch.stack([flow[:, 0] + x, flow[:, 1] + y], dim=1)


class Location(NamedTuple):
    """Where windows lie in a source.

    ``corner`` int32 ``[B, 2, h, w]`` is the floor (x, y) of each position, ``fraction``
    ``[B, 2, h, w]`` in [0, 1) the rest, through which gradients go.
    """

    corner: Tensor
    fraction: Tensor


def locate(position: Tensor, size: tuple[int, int]) -> Location:
    """Corners and fractions of any positions, also of those that are not finite.

    Args:
        position: ``[B, 2, h, w]`` = (x, y) in source pixels. NaN counts as 0; positions more than
            ``MARGIN`` outside are moved there, where every tap is the border all the same.
        size: height and width of the source.
    """
    height, width = size
    finite = torch.nan_to_num(position, nan=0.0, posinf=1e9, neginf=-1e9)
    if height == width:
        bounded = finite.clamp(-MARGIN, width + MARGIN)
    else:
        x = finite[:, 0].clamp(-MARGIN, width + MARGIN)
        bounded = torch.stack([x, finite[:, 1].clamp(-MARGIN, height + MARGIN)], dim=1)
    floor = bounded.detach().floor()
    return Location(floor.to(torch.int32), bounded - floor)


def bilinear_at(source: Tensor, location: Location, backend: str = "auto") -> Tensor:
    """Sample ``source [B, C, H, W]`` bilinearly at a :class:`Location`: ``[B, C, h, w]``."""
    axes = torch.stack([1 - location.fraction, location.fraction], dim=1)  # [B, tap, xy, h, w]
    weights = (axes[:, :, None, 1] * axes[:, None, :, 0]).flatten(1, 2)  # [B, 4, h, w]
    return _gather(source, weights, location.corner, backend)


def bilinear_sample(source: Tensor, position: Tensor, backend: str = "auto") -> Tensor:
    """Sample ``source`` bilinearly at absolute positions.

    Args:
        source: ``[B, C, H, W]``.
        position: ``[B, 2, h, w]`` = (x, y) in source pixels.
        backend: see :func:`gfla_video.ops.windowed_gather`.

    Returns:
        ``[B, C, h, w]``; taps outside the map are clamped to its border.
    """
    return bilinear_at(source, locate(position, _size(source)), backend)


def _size(source: Tensor) -> tuple[int, int]:
    return source.shape[2], source.shape[3]


def bilinear_warp(source: Tensor, flow: Tensor, backend: str = "auto") -> Tensor:
    """Sample ``source [B, C, H, W]`` at ``l + flow(l)``: ``[B, C, h, w]``."""
    return bilinear_sample(source, positions(flow), backend)


def gaussian_warp(
    source: Tensor, flow: Tensor, window: int = 4, sigma: float = 2.0, backend: str = "auto"
) -> Tensor:
    """Sample with normalised Gaussian weights (sampling-correctness loss, facts 1.5).

    Args:
        source: ``[B, C, H, W]``.
        flow: ``[B, 2, h, w]`` in source pixels.
        window: even number of taps per axis, from ``floor - (window / 2 - 1)`` on.
        sigma: width of the Gaussian in pixels.
        backend: see :func:`gfla_video.ops.windowed_gather`.

    Returns:
        ``[B, C, h, w]``. Clamped taps keep their weights.

    Raises:
        ValueError: an odd window or a sigma that is not positive.
    """
    if window % 2 or window < 2:
        raise ValueError(f"gaussian_warp needs an even window of at least 2 taps, got {window}")
    if sigma <= 0:
        raise ValueError(f"gaussian_warp needs a positive sigma, got {sigma}")
    before = window // 2 - 1
    corner, fraction = locate(positions(flow), _size(source))
    taps = torch.arange(-before, window - before, dtype=fraction.dtype, device=flow.device)
    distance = taps.view(1, 1, -1, 1, 1) - fraction.unsqueeze(2)  # [B, 2, K, h, w]
    axis = torch.exp(distance.square() / (-2 * sigma * sigma))
    axis = axis / axis.sum(dim=2, keepdim=True)  # separable, so normalising each axis is enough
    weights = (axis[:, 1].unsqueeze(2) * axis[:, 0].unsqueeze(1)).flatten(1, 2)  # [B, K*K, h, w]
    return _gather(source, weights, corner - before, backend)


def local_attention(
    source: Tensor, attention: Tensor, flow: Tensor, backend: str = "auto"
) -> Tensor:
    """Attention-weighted k x k patch of the source around ``l + flow(l)`` (paper Eq. 9).

    All taps of a patch share one fractional offset, so k x k attention weights and 4 bilinear
    weights combine to (k+1) x (k+1) weights over integer positions (DESIGN section 4, fact 3).

    Args:
        source: ``[B, C, H, W]``.
        attention: ``[B, k*k, h, w]``, channel ky * k + kx, offset (kx - k // 2, ky - k // 2).
        flow: ``[B, 2, h, w]`` in source pixels.
        backend: see :func:`gfla_video.ops.windowed_gather`.

    Returns:
        ``[B, C, h, w]``, the plain weighted sum (no division by k^2).

    Raises:
        ValueError: attention whose channels are no k * k.
    """
    return attend_at(source, attention, locate(positions(flow), _size(source)), backend)


def attend_at(
    source: Tensor, attention: Tensor, location: Location, backend: str = "auto"
) -> Tensor:
    """:func:`local_attention` at a :class:`Location` that is known already."""
    kernel = math.isqrt(attention.shape[1])
    if kernel * kernel != attention.shape[1]:
        raise ValueError(f"attention must have k*k channels, got {attention.shape[1]}")
    a, b = location.fraction.unbind(1)
    taps = attention.to(a.dtype).unflatten(1, (kernel, kernel))
    weights = _spread(taps, a, b).flatten(1, 2)
    return _gather(source, weights, location.corner - kernel // 2, backend)


def _spread(taps: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Split every tap between itself and the next one, along x by ``a`` and along y by ``b``.

    ``[B, ky, kx, h, w] -> [B, ky+1, kx+1, h, w]``, fractions ``[B, h, w]``.
    """
    framed = F.pad(taps, (0, 0, 0, 0, 1, 1, 1, 1))
    along_x = torch.lerp(framed[:, :, 1:], framed[:, :, :-1], a[:, None, None])
    return torch.lerp(along_x[:, 1:], along_x[:, :-1], b[:, None, None])


def _gather(source: Tensor, weights: Tensor, base: Tensor, backend: str) -> Tensor:
    """The gather with weights in the precision that its sums have."""
    return windowed_gather(source, weights.to(accumulation_type(source.dtype)), base, backend)
