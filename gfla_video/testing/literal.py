"""The local attention as the paper writes it, materialised (facts 1.3).

Slow, memory-hungry and plain: every k x k patch is built by index gathers, nothing of the algebra
of ``ops`` is used. Tests compare with it; nothing else should.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gfla_video.components.attention import LocalAttention


def extract_patches(source: Tensor, flow: Tensor, kernel_size: int) -> Tensor:
    """Bilinear k x k patches around ``l + flow(l)``: ``[B, C, h*k, w*k]``, borders clamped.

    Args:
        source: ``[B, C, H, W]``.
        flow: ``[B, 2, h, w]`` in source pixels.
        kernel_size: k; taps run from -(k // 2).
    """
    batch, channels, height, width = source.shape
    k = kernel_size
    rows, cols = flow.shape[-2] * k, flow.shape[-1] * k
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    cell = flow[:, :, y // k, x // k]  # [B, 2, h*k, w*k]
    px = x // k + (x % k - k // 2) + cell[:, 0]
    py = y // k + (y % k - k // 2) + cell[:, 1]
    x0, y0 = px.detach().floor(), py.detach().floor()
    a, b = (px - x0).unsqueeze(1), (py - y0).unsqueeze(1)

    def tap(dx: int, dy: int) -> Tensor:
        column = (x0 + dx).long().clamp(0, width - 1)
        row = (y0 + dy).long().clamp(0, height - 1)
        index = (row * width + column).view(batch, 1, -1).expand(-1, channels, -1)
        return source.flatten(2).gather(2, index).view(batch, channels, rows, cols)

    upper = tap(0, 0) * (1 - a) + tap(1, 0) * a
    lower = tap(0, 1) * (1 - a) + tap(1, 1) * a
    return upper * (1 - b) + lower * b


def literal_attention(
    block: LocalAttention, source: Tensor, target: Tensor, flow: Tensor
) -> tuple[Tensor, Tensor]:
    """Kernel prediction and sampling on materialised patches, with the weights of ``block``.

    Args:
        block: the attention whose convolutions are used.
        source: ``[B, C, h, w]``.
        target: ``[B, C, h, w]``.
        flow: ``[B, 2, h, w]``.

    Returns:
        The result ``[B, C, h, w]`` (divided by k^2) and the attention ``[B, k*k, h, w]``.
    """
    k = block.kernel_size
    source_patches = extract_patches(source, flow, k)
    target_patches = extract_patches(target, torch.zeros_like(flow), k)
    weight = torch.cat([block.target_conv.weight, block.source_conv.weight], dim=1)
    hidden = F.conv2d(
        torch.cat([target_patches, source_patches], dim=1), weight, block.target_conv.bias, stride=k
    )
    attention = torch.softmax(block.to_kernel(block.act(hidden)), dim=1)
    laid_out = F.pixel_shuffle(attention, k)  # [B, 1, h*k, w*k], channel = ky * k + kx
    return F.avg_pool2d(laid_out * source_patches, k), attention
