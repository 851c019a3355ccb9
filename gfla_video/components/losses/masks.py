"""An optional teacher of the occlusion mask; not in the papers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gfla_video.components.losses.inputs import LossInputs, TransferLoss
from gfla_video.components.precision import in_float32
from gfla_video.ops import window_base, windowed_gather
from gfla_video.ops.sampling import positions
from gfla_video.registry import MODELS
from gfla_video.structures import to_full_resolution


def nearest_difference(source: Tensor, target: Tensor, flow: Tensor, radius: int) -> Tensor:
    """How unlike the target is the most alike source pixel around ``l + flow(l)``.

    Args:
        source: picture ``[B, 3, H, W]``.
        target: picture ``[B, 3, H, W]``.
        flow: ``[B, 2, H, W]`` in pixels of the pictures.
        radius: r; (2 r + 1)^2 whole pixels around the rounded place are looked at.

    Returns:
        ``[B, 1, H, W]``, mean absolute difference over the channels.
    """
    window = 2 * radius + 1
    size = (source.shape[2], source.shape[3])
    base = window_base(positions(flow) + 0.5, size, window, before=radius)
    one = source.new_ones(flow.shape[0], 1, *flow.shape[2:])
    differences = [
        (windowed_gather(source, one, base + base.new_tensor([dx, dy]).view(1, 2, 1, 1)) - target)
        .abs()
        .mean(dim=1, keepdim=True)
        for dy in range(window)
        for dx in range(window)
    ]
    return torch.stack(differences).amin(dim=0)


@in_float32
def mask_cross_entropy(mask: Tensor, label: Tensor) -> Tensor:
    """Mean cross entropy of a mask with what it should be, a scalar.

    Args:
        mask: ``[B, 1, h, w]`` in [0, 1].
        label: ``[B, 1, H, W]`` in [0, 1], averaged over each position of the mask.
    """
    return F.binary_cross_entropy(mask, F.interpolate(label, size=mask.shape[-2:], mode="area"))


@MODELS.register_module()
class MaskVisibilityLoss(TransferLoss):
    """Cross entropy of the mask with "what the flow points at looks like the target here".

    With the papers' losses the mask is trained by the renderer alone and learns person against
    background. Here it is asked to tell where the source has the target's colour within a few
    pixels of the flow: a visible place is found in spite of a small error of the flow, an occluded
    one is not. The finest flow is used for all scales; it gets no gradient from this loss. Summed
    over scales, averaged over references.

    Args:
        weight: factor of the loss.
        radius: of the search, in pixels of the picture.
        low: colour difference (of [-1, 1] pictures) up to which a place counts as found.
        high: difference from which it counts as not found; linear between.
    """

    trains_masks = True

    def __init__(
        self, weight: float = 1.0, radius: int = 2, low: float = 0.02, high: float = 0.12
    ) -> None:
        super().__init__(weight)
        if not low < high:
            raise ValueError(f"low must be below high, got {low} and {high}")
        self.radius, self.low, self.high = radius, low, high

    def label(self, source: Tensor, target: Tensor, flow: Tensor) -> Tensor:
        """What the mask should be at full resolution: ``[B, 1, H, W]`` in [0, 1].

        Args:
            source: picture ``[B, 3, H, W]``.
            target: picture ``[B, 3, H, W]``.
            flow: ``[B, 2, h, w]`` in pixels of its own map.
        """
        with torch.no_grad():
            full = to_full_resolution(flow, (target.shape[2], target.shape[3]))
            difference = nearest_difference(source, target, full, self.radius)
            return ((self.high - difference) / (self.high - self.low)).clamp(0, 1)

    def forward(self, inputs: LossInputs) -> Tensor:
        """A scalar."""
        total = inputs.target.new_zeros(())
        for source, flows, masks in zip(inputs.sources, inputs.flows, inputs.masks, strict=True):
            label = self.label(source, inputs.target, flows[-1])
            for mask in masks:
                total = total + mask_cross_entropy(mask, label)
        return self.weight * total / max(len(inputs.sources), 1)
