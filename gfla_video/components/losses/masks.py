"""An optional teacher of the occlusion mask; not in the papers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gfla_video.components.losses.inputs import LossInputs, TransferLoss
from gfla_video.ops import bilinear_warp
from gfla_video.registry import MODELS


@MODELS.register_module()
class MaskCorrectnessLoss(TransferLoss):
    """Cross entropy of the mask with "the flowed source looks like the target here".

    With the papers' losses the mask is trained by the renderer alone and learns person against
    background. Here each mask is asked to tell where the warped source feature is similar to the
    true target feature: cosine ``low`` and below = not there, ``high`` and above = there. The label
    gets no gradient, so the flow is not changed by this loss. Summed over scales, references.

    Args:
        weight: factor of the loss.
        levels: the levels whose feature roles are read; those of the flow estimator.
        low: cosine that counts as 0.
        high: cosine that counts as 1.
    """

    trains_masks = True

    def __init__(
        self,
        weight: float = 1.0,
        levels: tuple[int, ...] = (3, 2),
        low: float = 0.2,
        high: float = 0.8,
    ) -> None:
        super().__init__(weight)
        if not low < high:
            raise ValueError(f"low must be below high, got {low} and {high}")
        self.low, self.high = low, high
        roles = tuple(f"level{level}" for level in levels)
        self.needs = {"target": roles, "source": roles}

    def label(self, source: Tensor, target: Tensor, flow: Tensor) -> Tensor:
        """What the mask should be: ``[B, 1, h, w]`` in [0, 1] at the flow's resolution.

        Args:
            source: source features ``[B, C, h, w]``.
            target: target features ``[B, C, h, w]``.
            flow: ``[B, 2, h, w]``.
        """
        with torch.no_grad():
            size = flow.shape[-2:]
            if target.shape[-2:] != size:
                source, target = (
                    F.interpolate(x, size=size, mode="area") for x in (source, target)
                )
            alike = F.cosine_similarity(bilinear_warp(source, flow), target, dim=1)
            return ((alike - self.low) / (self.high - self.low)).clamp(0, 1).unsqueeze(1)

    def forward(self, inputs: LossInputs) -> Tensor:
        """A scalar."""
        total = inputs.target.new_zeros(())
        for flows, masks, features in zip(
            inputs.flows, inputs.masks, inputs.source_features, strict=True
        ):
            for flow, mask, level in zip(flows, masks, inputs.levels, strict=True):
                for name in inputs.layers[f"level{level}"]:
                    label = self.label(features[name], inputs.target_features[name], flow)
                    total = total + F.binary_cross_entropy(mask, label)
        return self.weight * total
