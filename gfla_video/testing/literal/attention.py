"""The local attention as released: materialised patches, a stride-k convolution, a pooling."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gfla_video.components.attention import EncodedSource, LocalAttention
from gfla_video.testing.literal.patches import extract_patches, grid_sample_patches

Patches = Callable[[Tensor, Tensor, int], Tensor]


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
    return _weigh(attention, source_patches, k), attention


def _weigh(attention: Tensor, patches: Tensor, k: int) -> Tensor:
    """Multiply and pool: ``sum_j attention_j * patch_j / k^2``, ``[B, C, h, w]``."""
    laid_out = F.pixel_shuffle(attention, k)  # [B, 1, h*k, w*k], channel = ky * k + kx
    return F.avg_pool2d(laid_out * patches, k)


class MaterialisedAttention(nn.Module):
    """Takes the place of a :class:`LocalAttention` in a renderer, in the released layout.

    Target patches come first in the joint convolution (facts 1.3). Nothing of a source can be
    computed before the flow is known, so ``encode_source`` only hands the source on.

    Args:
        block: the attention whose weights are copied.
        patches: how patches are made; ``grid_sample`` unless given.
    """

    def __init__(self, block: LocalAttention, patches: Patches = grid_sample_patches) -> None:
        super().__init__()
        k = block.kernel_size
        self.kernel_size, self.channels = k, block.channels
        self.scale = block.scale * k * k  # the pooling divides by k^2 already: 1 as released
        self.patches = patches
        first, source = block.target_conv, block.source_conv
        self.both_conv = nn.Conv2d(2 * block.channels, first.out_channels, k, stride=k)
        with torch.no_grad():
            self.both_conv.weight.copy_(torch.cat([first.weight, source.weight], dim=1))
            self.both_conv.bias.copy_(first.bias)  # type: ignore[union-attr,arg-type]
        self.both_conv.to(first.weight)
        self.act = nn.LeakyReLU(0.1)
        self.to_kernel = nn.Conv2d(first.out_channels, k * k, 1).to(first.weight)
        self.to_kernel.load_state_dict(block.to_kernel.state_dict())

    def encode_source(self, source: Tensor) -> EncodedSource:
        """The source itself, ``[B, C, H, W]``."""
        return EncodedSource(source, source)

    def forward(self, encoded: EncodedSource, target: Tensor, flow: Tensor) -> Tensor:
        """The flowed feature ``[B, C, h, w]``; arguments as of :class:`LocalAttention`."""
        k = self.kernel_size
        source_patches = self.patches(encoded.values, flow, k)
        target_patches = self.patches(target, torch.zeros_like(flow), k)
        hidden = self.both_conv(torch.cat([target_patches, source_patches], dim=1))
        attention = torch.softmax(self.to_kernel(self.act(hidden)), dim=1)
        out = _weigh(attention, source_patches, k)
        return out if self.scale == 1 else out * self.scale
