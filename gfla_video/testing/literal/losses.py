"""The released losses as facts 1.5 states them, each by itself, nothing shared or chunked."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from gfla_video.testing.literal.patches import grid_sample_patches, patch_positions

EPS = 1e-8


def gaussian_patches_warp(
    source: Tensor, flow: Tensor, window: int = 4, sigma: float = 2.0
) -> Tensor:
    """Gaussian sampling with every tap materialised: ``[B, C, h, w]``.

    The taps are whole pixels from ``floor(l + flow) - (window / 2 - 1)`` on, clamped at the border;
    their weights are normalised to the sum 1.

    Args:
        source: ``[B, C, H, W]``.
        flow: ``[B, 2, h, w]`` in source pixels.
        window: even number of taps per axis.
        sigma: width of the Gaussian in pixels.
    """
    x, y = patch_positions(flow, 1)  # [B, h, w]
    fraction = torch.stack([x - x.detach().floor(), y - y.detach().floor()], dim=1)
    # patches of an even window start at -window / 2, the Gaussian's taps one later
    whole = flow.detach() - fraction.detach() + 1
    taps = grid_sample_patches(source, whole, window, mode="nearest")  # [B, C, h*K, w*K]
    offset = torch.arange(window, device=flow.device, dtype=flow.dtype) - (window // 2 - 1)
    columns = offset.repeat(flow.shape[3]).view(1, 1, -1)
    rows = offset.repeat(flow.shape[2]).view(1, -1, 1)
    spread = fraction.repeat_interleave(window, dim=2).repeat_interleave(window, dim=3)
    squared = (columns - spread[:, 0]).square() + (rows - spread[:, 1]).square()
    weights = torch.exp(-squared / (2 * sigma * sigma)).unsqueeze(1)  # [B, 1, h*K, w*K]
    weights = weights / (F.avg_pool2d(weights, window) * window**2).repeat_interleave(
        window, dim=2
    ).repeat_interleave(window, dim=3)
    return F.avg_pool2d(taps * weights, window) * window**2


def best_similarity_full(source: Tensor, target: Tensor) -> Tensor:
    """Highest cosine of each target feature with any source feature, from the whole N x N matrix.

    Args:
        source: ``[B, C, h, w]``.
        target: ``[B, C, h, w]``.

    Returns:
        ``[B, h*w]``.
    """
    source, target = source.flatten(2), target.flatten(2)
    source = source / (source.norm(dim=1, keepdim=True) + EPS)
    target = target / (target.norm(dim=1, keepdim=True) + EPS)
    matrix = torch.bmm(target.transpose(1, 2), source)  # [B, N target, N source]
    return matrix.max(dim=2).values


def correctness(source: Tensor, target: Tensor, flow: Tensor) -> Tensor:
    """Sampling correctness at one scale; a scalar.

    Args:
        source: features ``[B, C, h, w]``.
        target: features ``[B, C, h, w]``.
        flow: ``[B, 2, h', w']``, resized by nearest neighbour with its values kept.
    """
    flow = F.interpolate(flow, size=target.shape[-2:], mode="nearest")
    best = best_similarity_full(source, target)
    sampled = gaussian_patches_warp(source, flow).flatten(2)
    similarity = F.cosine_similarity(sampled, target.flatten(2), dim=1, eps=EPS)
    return (torch.exp(-similarity / (best + EPS)) - math.exp(-1)).mean()


def content(fake: Tensor, true: Tensor) -> Tensor:
    """Mean absolute difference of two feature maps."""
    return (fake - true).abs().mean()


def style(fake: Tensor, true: Tensor) -> Tensor:
    """Mean absolute difference of two Gram matrices ``F F^T / (h * w * C)``."""
    channels, height, width = fake.shape[1:]
    grams = [
        torch.bmm(x.flatten(2), x.flatten(2).transpose(1, 2)) / (height * width * channels)
        for x in (fake, true)
    ]
    return (grams[0] - grams[1]).abs().mean()


def regularization(flow: Tensor, size: int) -> Tensor:
    """Affine regularisation ``g^T K^T K g`` over materialised windows, x part + y part; a scalar.

    Args:
        flow: ``[B, 2, h, w]``; g are the absolute sampling coordinates of a window.
        size: width of the windows.
    """
    line = torch.arange(size, dtype=flow.dtype, device=flow.device)
    row, col = torch.meshgrid(line, line, indexing="ij")
    rows = torch.stack([row.flatten(), col.flatten(), torch.ones_like(row).flatten()], dim=1)
    inverse = torch.linalg.inv(rows.T @ rows)
    residual = rows @ inverse @ rows.T - torch.eye(size * size).to(flow)  # K, [k*k, k*k]
    total = flow.new_zeros(())
    for coordinate in patch_positions(flow, 1):
        windows = F.unfold(coordinate.unsqueeze(1), size)  # [B, k*k, windows]
        total = total + (residual @ windows).square().sum(dim=1).mean()
    return total
