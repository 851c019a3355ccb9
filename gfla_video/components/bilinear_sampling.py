"""Bilinear sampling of the source at the flow: the paper's ablation of content-aware sampling."""

from __future__ import annotations

from torch import Tensor, nn

from gfla_video.components.attention import EncodedSource
from gfla_video.ops import bilinear_warp
from gfla_video.registry import MODELS


@MODELS.register_module()
class BilinearSampling(nn.Module):
    """Every target position takes the four source positions round the end of its flow.

    The paper's Bi-Sample model (section 4.3) in the place of a :class:`LocalAttention`: the weights
    come from the fraction of the flow alone, not from the features, and nothing is learnt here.

    Args:
        channels: C of source and target features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def encode_source(self, source: Tensor) -> EncodedSource:
        """The features ``[B, C, H, W]`` themselves; there are no keys to compute."""
        return EncodedSource(source, source)

    def forward(self, encoded: EncodedSource, target: Tensor, flow: Tensor) -> Tensor:
        """The flowed feature ``[B, C, h, w]``.

        Args:
            encoded: of :meth:`encode_source`.
            target: its values are not looked at.
            flow: ``[B, 2, h, w]`` in feature pixels.
        """
        return bilinear_warp(encoded.values, flow)
