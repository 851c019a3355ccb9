"""A whole generator in the released layout."""

from __future__ import annotations

import copy

import torch
from torch import nn

from gfla_video.components.attention import LocalAttention
from gfla_video.components.blocks import InstanceNorm
from gfla_video.testing.literal.attention import MaterialisedAttention, Patches
from gfla_video.testing.literal.patches import grid_sample_patches


def materialised(
    generator: nn.Module, patches: Patches = grid_sample_patches, keep_layers: bool = False
) -> nn.Module:
    """A copy of ``generator`` whose attention blocks materialise their patches.

    Its other layers become the plain ones too: ``nn.InstanceNorm2d``, activations with a result of
    their own. What remains of ours (the sum of a residual block in place) is too small to matter.

    Args:
        generator: any network with :class:`LocalAttention` blocks; stays as it is.
        patches: how patches are made.
        keep_layers: exchange the attention blocks only, to see what they alone make.

    Raises:
        ValueError: it has no such block, so that there would be nothing to compare.
    """
    literal = copy.deepcopy(generator)
    attentions = 0
    places = [(p, name, c) for p in literal.modules() for name, c in p.named_children()]
    for parent, name, child in places:
        if isinstance(child, LocalAttention):
            parent.add_module(name, MaterialisedAttention(child, patches).train(child.training))
            attentions += 1
        elif isinstance(child, InstanceNorm) and not keep_layers:
            parent.add_module(name, _plain_norm(child))
        elif isinstance(child, nn.LeakyReLU) and not keep_layers:
            child.inplace = False
    if not attentions:
        raise ValueError(f"{type(generator).__name__} has no LocalAttention to materialise")
    return literal


def _plain_norm(layer: InstanceNorm) -> nn.InstanceNorm2d:
    """The same normalisation by torch's own layer."""
    plain = nn.InstanceNorm2d(layer.num_channels, layer.eps, affine=True).to(layer.weight)
    with torch.no_grad():
        plain.weight.copy_(layer.weight)
        plain.bias.copy_(layer.bias)
    return plain.train(layer.training)
