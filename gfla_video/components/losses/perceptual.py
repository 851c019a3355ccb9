"""Perceptual and style losses (paper Eq. 13-14) on the shared feature extractor's maps."""

from __future__ import annotations

import torch
from torch import Tensor

from gfla_video.components.losses.inputs import LossInputs, TransferLoss
from gfla_video.components.precision import in_float32, mean_absolute_difference
from gfla_video.registry import MODELS


@in_float32
def gram_matrix(feature: Tensor) -> Tensor:
    """``F F^T / (h * w * C)`` of ``[B, C, h, w]``: ``[B, C, C]``."""
    batch, channels, height, width = feature.shape
    flat = feature.reshape(batch, channels, height * width)
    return torch.bmm(flat, flat.transpose(1, 2)) / (channels * height * width)


@MODELS.register_module()
class PerceptualLoss(TransferLoss):
    """Sum over the extractor's content layers of the mean absolute feature difference (Eq. 13)."""

    needs = {"target": ("content",), "fake": ("content",)}

    def forward(self, inputs: LossInputs) -> Tensor:
        """A scalar."""
        total = inputs.target.new_zeros(())
        for name in inputs.layers["content"]:
            fake, true = inputs.fake_features[name], inputs.target_features[name]
            total = total + mean_absolute_difference(fake, true)
        return self.weight * total


@MODELS.register_module()
class StyleLoss(TransferLoss):
    """Sum over the style layers of the mean absolute difference of Gram matrices (Eq. 14)."""

    needs = {"target": ("style",), "fake": ("style",)}

    def forward(self, inputs: LossInputs) -> Tensor:
        """A scalar."""
        total = inputs.target.new_zeros(())
        for name in inputs.layers["style"]:
            fake, true = inputs.fake_features[name], inputs.target_features[name]
            total = total + mean_absolute_difference(gram_matrix(fake), gram_matrix(true))
        return self.weight * total
