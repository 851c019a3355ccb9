"""The mask's loss of appearance flow (facts 4): which pixels of the target are the object."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gfla_video.components.losses.inputs import LossInputs, TransferLoss
from gfla_video.components.losses.masks import mask_cross_entropy
from gfla_video.registry import MODELS


@MODELS.register_module()
class ForegroundMaskLoss(TransferLoss):
    """Cross entropy of the masks with the object's pixels in the target, averaged over references.

    For pictures on a plain background: the object is what does not have the background's colour.
    Where parts of it do (a white car on white) they count as background, which looks the same.

    The generator must have a mask head for it (``background=`` of the same colour).

    Args:
        weight: factor of the loss.
        background: its colour (R, G, B) of 0..255.
        tolerance: largest difference, of 255, in any channel that still counts as background.
    """

    trains_masks = True

    def __init__(
        self,
        weight: float = 1.0,
        background: Sequence[int] = (255, 255, 255),
        tolerance: float = 8.0,
    ) -> None:
        super().__init__(weight)
        self.tolerance = tolerance
        colour = torch.tensor([float(value) for value in background]).view(1, 3, 1, 1)
        self.register_buffer("background", colour, persistent=False)

    def label(self, target: Tensor) -> Tensor:
        """1 on the object, 0 on the background: ``[B, 1, H, W]`` of a picture in [-1, 1]."""
        colours = (target + 1) * 127.5
        difference = (colours - self.background).abs().amax(dim=1, keepdim=True)  # type: ignore[operator]
        return (difference > self.tolerance).to(target.dtype)

    def forward(self, inputs: LossInputs) -> Tensor:
        """A scalar; summed over scales."""
        label = self.label(inputs.target)
        total = inputs.target.new_zeros(())
        for masks in inputs.masks:
            for mask in masks:
                total = total + mask_cross_entropy(mask, label)
        return self.weight * total / max(len(inputs.masks), 1)
