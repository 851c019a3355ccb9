"""A flow estimator for pictures of one size, with fully connected layers in the middle."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gfla_video.components.code_join import CODE_WIDTHS, code_layers
from gfla_video.components.dense_layers import (
    check_size,
    first_flow,
    grid_decoder,
    image_branch,
    init_for_relu,
)
from gfla_video.components.flow_estimator import FloatConv, code_of
from gfla_video.registry import MODELS
from gfla_video.structures import FlowOutput


@MODELS.register_module()
class DenseFlowEstimator(nn.Module):
    """The layers of appearance flow in the place of :class:`FlowEstimator`, for codes.

    Every place of the target sees the whole source through weights of its own (Zhou et al. 2016;
    facts 4), so that the outlines of a turning object are learned in minutes where convolutions
    and attention need far longer. The price is one size of pictures. One flow and one mask are
    made at the finest level; those of coarser levels are their means.

    Args:
        structure_channels: C of the codes.
        size: (H, W) of the pictures, multiples of 2 to the coarsest of ``flow_levels``.
        flow_levels: levels L (1 / 2^L of the resolution) of the flows, coarse to fine.
        encoder_channels: of the convolutions, each of which halves the resolution.
        decoder_channels: of the transposed convolutions from 8 to 15, 29, 57, ... pixels; the maps
            are resized from there to the finest level.
        width: of the fully connected layers.
        grid_channels: at 8 x 8, where the decoder begins.
        code: ``difference`` or ``both``, see :class:`FlowEstimator`.
        first_mask: what the masks are before they know anything, between 0 and 1.

    Raises:
        ValueError: levels or size that do not go together, another ``code``.
    """

    def __init__(
        self,
        structure_channels: int,
        size: tuple[int, int] = (64, 64),
        flow_levels: Sequence[int] = (2, 1),
        encoder_channels: Sequence[int] = (16, 32, 64, 128),
        decoder_channels: Sequence[int] = (128, 64),
        width: int = 512,
        grid_channels: int = 32,
        code: str = "both",
        first_mask: float = 0.9,
    ) -> None:
        super().__init__()
        self.flow_levels = tuple(flow_levels)
        if not flow_levels or list(flow_levels) != sorted(set(flow_levels), reverse=True):
            raise ValueError(f"flow_levels must go coarse to fine, got {self.flow_levels}")
        self.size = (int(size[0]), int(size[1]))
        if self.flow_levels[-1] < 0 or any(side % 2 ** flow_levels[0] for side in self.size):
            raise ValueError(f"a size of {self.size} cannot be halved to levels {self.flow_levels}")
        self.code = code_of(code)
        self.image_branch = image_branch(self.size, encoder_channels, width)
        self.view_branch = code_layers(structure_channels * (1 + (code == "both")))
        self.decoder = grid_decoder(width + CODE_WIDTHS[-1], width, grid_channels, decoder_channels)
        init_for_relu(self)
        self.flow_head = first_flow(FloatConv(decoder_channels[-1], 2, 3, padding=1))
        self.mask_head = first_flow(FloatConv(decoder_channels[-1], 1, 3, padding=1))
        nn.init.constant_(self.mask_head.bias, math.log(first_mask / (1 - first_mask)))

    def mask_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters that only the masks depend on: without a mask's user they get no gradient."""
        return self.mask_head.parameters()

    def forward(
        self,
        sources: Sequence[Tensor],
        source_structures: Sequence[Tensor],
        target_structure: Tensor,
    ) -> FlowOutput:
        """Flows and masks of every source, in float32 also under autocast.

        Args:
            sources: R images ``[B, 3, H, W]`` in [-1, 1].
            source_structures: R codes ``[B, C, 1, 1]``.
            target_structure: ``[B, C, 1, 1]``.

        Raises:
            UserError: pictures of another size.
        """
        flows, masks = [], []
        finest = [side >> self.flow_levels[-1] for side in self.size]
        for source, structure in zip(sources, source_structures, strict=True):
            check_size(source, self.size, type(self).__name__)
            view = self.view_branch(self.code(structure, target_structure).flatten(1))
            maps = self.decoder(torch.cat([self.image_branch(source), view], dim=1))
            flow, logit = (
                F.interpolate(head(maps), size=finest, mode="bilinear", align_corners=False)
                for head in (self.flow_head, self.mask_head)
            )  # [B, 2, h, w], [B, 1, h, w]
            means = [2 ** (level - self.flow_levels[-1]) for level in self.flow_levels]
            flows.append([F.avg_pool2d(flow, mean) / mean for mean in means])
            masks.append([torch.sigmoid(F.avg_pool2d(logit, mean)) for mean in means])
        return FlowOutput(flows, masks)
