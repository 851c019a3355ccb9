"""An optional teacher of the flow, the objective of appearance flow; not in the paper."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from gfla_video.components.losses.inputs import LossInputs, TransferLoss
from gfla_video.components.precision import mean_absolute_difference
from gfla_video.ops import bilinear_warp
from gfla_video.registry import MODELS


@MODELS.register_module()
class WarpReconstructionLoss(TransferLoss):
    """Mean absolute difference between the source, warped by the flow, and the target.

    Each flow warps the source at its own resolution and, averaged down, at coarser ones, where far
    places come near enough to pull; summed over scales and resolutions, averaged over references
    (Zhou et al. 2016: facts 4). Sampling correctness compares a position with its best match alone
    and so says little about which way a far one lies; this loss also pulls along edges and
    outlines, where an object turns as a whole before a plain background.

    Args:
        weight: factor of the loss.
        octaves: resolutions per flow, each half the one before.
    """

    def __init__(self, weight: float = 1.0, octaves: int = 1) -> None:
        super().__init__(weight)
        if octaves < 1:
            raise ValueError(f"octaves must be 1 or more, got {octaves}")
        self.octaves = octaves

    def forward(self, inputs: LossInputs) -> Tensor:
        """A scalar."""
        total = inputs.target.new_zeros(())
        for source, flows in zip(inputs.sources, inputs.flows, strict=True):
            for flow in flows:
                for octave in range(self.octaves):
                    coarse = F.avg_pool2d(flow, 2**octave) / 2**octave
                    small, wanted = (_averaged(image, coarse) for image in (source, inputs.target))
                    total = total + mean_absolute_difference(bilinear_warp(small, coarse), wanted)
        return self.weight * total / max(len(inputs.sources), 1)


def _averaged(image: Tensor, flow: Tensor) -> Tensor:
    return F.interpolate(image, size=flow.shape[-2:], mode="area").to(flow.dtype)
