"""Attention over all positions of the source: the ablation of the paper, and a painter's help."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gfla_video.components.attention import EncodedSource
from gfla_video.components.positions import PLACE, positions_of
from gfla_video.registry import MODELS


@MODELS.register_module()
class GlobalAttention(nn.Module):
    """Every target position takes from all source positions alike; the flow plays no part.

    The paper's global-attention ablation (section 4.3) in the place of a :class:`LocalAttention`.
    At a coarse level beside local attention at finer ones it gives parts that the source does not
    show the source's colours. Keys and queries know their positions. The flow gets a gradient of
    zero: a head with none would break training in several processes.

    Args:
        channels: C of source and target features.
        hidden: channels of keys and queries, a multiple of ``heads``.
        heads: of the attention; C must be a multiple of it.
    """

    def __init__(self, channels: int, hidden: int = 64, heads: int = 4) -> None:
        super().__init__()
        if channels % heads or hidden % heads:
            raise ValueError(
                f"channels and hidden must be multiples of {heads} heads, got {channels}, {hidden}"
            )
        self.channels = channels
        self.heads = heads
        self.to_query = nn.Conv2d(channels + PLACE, hidden, 1)
        self.to_key = nn.Conv2d(channels + PLACE, hidden, 1)

    def encode_source(self, source: Tensor) -> EncodedSource:
        """The source's features ``[B, C, H, W]`` with their keys ``[B, hidden, H, W]``."""
        return EncodedSource(source, self.to_key(torch.cat([source, positions_of(source)], dim=1)))

    def forward(self, encoded: EncodedSource, target: Tensor, flow: Tensor) -> Tensor:
        """The attended feature ``[B, C, H, W]``.

        Args:
            encoded: of :meth:`encode_source`.
            target: ``[B, C, H, W]``.
            flow: its values are not looked at.
        """
        query = self.to_query(torch.cat([target, positions_of(target)], dim=1))
        out = attend_everywhere(query, encoded.keys, encoded.values, self.heads)
        return out + 0 * flow.sum().to(out.dtype) if flow.requires_grad else out


def attend_everywhere(query: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
    """Scaled dot-product attention of every position over all positions of another map.

    Args:
        query: ``[B, k, h, w]``.
        keys: ``[B, k, H, W]``.
        values: ``[B, v, H, W]``.
        heads: divides k and v.

    Returns:
        ``[B, v, h, w]``, in the query's type.
    """
    asked, known, given = (
        maps.to(query.dtype).unflatten(1, (heads, -1)).flatten(3).transpose(2, 3)
        for maps in (query, keys, values)
    )  # [B, heads, positions, channels / heads]
    answer = F.scaled_dot_product_attention(asked, known, given).transpose(2, 3)
    return answer.flatten(1, 2).unflatten(2, query.shape[-2:])
