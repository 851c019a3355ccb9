"""An optional guide of the flow: landmarks that the structure maps show move as they do."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gfla_video.components.losses.inputs import LossInputs, TransferLoss
from gfla_video.components.precision import in_float32
from gfla_video.registry import MODELS

PRESENT = 0.5  # a map whose maximum is lower shows no landmark


def peaks(structure: Tensor) -> tuple[Tensor, Tensor]:
    """Place and presence of each channel's maximum.

    Args:
        structure: ``[B, C, H, W]``, one blob per channel with maximum 1.

    Returns:
        ``[B, C, 2]`` = (x, y) in pixels, and bool ``[B, C]``.
    """
    value, index = structure.flatten(2).max(dim=2)
    width = structure.shape[3]
    place = torch.stack([index % width, index // width], dim=2)
    return place.to(structure.dtype), value > PRESENT


@in_float32
def landmark_flow(flow: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Mean distance of the flow, around each target landmark, from the landmark's own motion.

    Args:
        flow: ``[B, 2, h, w]`` in its own pixels.
        source: source structure ``[B, C, H, W]``.
        target: target structure ``[B, C, H, W]``; its maps are the weights.

    Returns:
        A scalar in flow pixels; 0 where there is no landmark in both.
    """
    scale = flow.new_tensor([flow.shape[3] / target.shape[3], flow.shape[2] / target.shape[2]])
    source_place, in_source = peaks(source)
    target_place, in_target = peaks(target)
    motion = (source_place - target_place) * scale  # [B, C, 2]
    weight = F.interpolate(target, size=flow.shape[-2:], mode="area")
    weight = weight * (in_source & in_target)[:, :, None, None]  # [B, C, h, w]
    apart = (flow.unsqueeze(1) - motion[..., None, None]).abs().sum(dim=2)
    return (weight * apart).sum() / weight.sum().clamp(min=1e-6)


@MODELS.register_module()
class LandmarkFlowLoss(TransferLoss):
    """Pulls the flow at visible landmarks towards their displacement; not in the papers.

    The sampling correctness has many local minima where textures repeat, and needs long training to
    leave them. Structures with one blob per channel (joint maps) already say where some points of
    the target are in the source. Summed over scales and references.
    """

    def forward(self, inputs: LossInputs) -> Tensor:
        """A scalar."""
        total = inputs.target.new_zeros(())
        for flows, structure in zip(inputs.flows, inputs.source_structures, strict=True):
            for flow in flows:
                total = total + landmark_flow(flow, structure, inputs.target_structure)
        return self.weight * total
