"""Optional guides of the flow: landmarks, or points that the data know, move as they do."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gfla_video.components.losses.inputs import LossInputs, TransferLoss
from gfla_video.components.precision import in_float32
from gfla_video.registry import MODELS
from gfla_video.utils.errors import UserError

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
    return _weighted_distance(flow, motion, weight)


@in_float32
def point_flow(
    flow: Tensor, source: Tensor, target: Tensor, size: tuple[int, int], reach: float = 1.0
) -> Tensor:
    """Mean distance of the flow, around each target point, from the point's own motion.

    Args:
        flow: ``[B, 2, h, w]`` in its own pixels.
        source: points of the source ``[B, N, 3]`` (x, y, visible) in pixels of the picture.
        target: the same points of the target.
        size: (H, W) of the picture.
        reach: standard deviation of the Gaussian around a point, in pixels of the flow; 0: the flow
            at the point itself, between four pixels, which is by far the cheapest on large flows.

    Returns:
        A scalar in flow pixels; 0 where no point is visible in both.
    """
    height, width = flow.shape[-2:]
    scale = flow.new_tensor([width / size[1], height / size[0]])
    motion = (source[..., :2] - target[..., :2]) * scale  # [B, N, 2]
    seen = (source[..., 2] > PRESENT) & (target[..., 2] > PRESENT)  # [B, N]
    if reach == 0:
        places = target[..., :2] / flow.new_tensor([size[1], size[0]]) * 2 - 1
        there = F.grid_sample(
            flow, places.unsqueeze(1), padding_mode="border", align_corners=False
        )  # [B, 2, 1, N]
        apart = (there[:, :, 0] - motion.transpose(1, 2)).abs().sum(dim=1)
        return ((apart * seen).sum(1) / seen.sum(1).clamp(min=1)).mean()
    x, y = (target[..., :2] * scale - 0.5).split(1, dim=2)  # pixel centres lie at 0, 1, ...
    across = torch.arange(width, device=flow.device) - x  # [B, N, w]
    down = torch.arange(height, device=flow.device) - y  # [B, N, h]
    squared = across.square().unsqueeze(2) + down.square().unsqueeze(3)  # [B, N, h, w]
    weight = torch.exp(-squared / (2 * reach**2)) * seen[:, :, None, None]
    return _weighted_distance(flow, motion, weight)


def _weighted_distance(flow: Tensor, motion: Tensor, weight: Tensor) -> Tensor:
    """Mean of ``|flow - motion|`` by weights ``[B, N, h, w]``, then over pictures.

    Motion is ``[B, N, 2]``; a picture whose weights are all 0 counts as 0.
    """
    apart = (flow.unsqueeze(1) - motion[..., None, None]).abs().sum(dim=2)
    sums = (weight * apart).flatten(1).sum(1)
    return (sums / weight.flatten(1).sum(1).clamp(min=1e-6)).mean()


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


@MODELS.register_module()
class PointFlowLoss(TransferLoss):
    """Pulls the flow at points that the data know to their displacement; not in the papers.

    As :class:`LandmarkFlowLoss` for structures that do not show their landmarks one by one, such as
    the edges of a face. The data set gives ``points`` and ``source_points``. Summed over scales and
    references.

    Args:
        weight: factor of the loss.
        reach: how far around a point the flow is pulled, in pixels of the flow; 0: at it alone.
    """

    def __init__(self, weight: float = 1.0, reach: float = 1.0) -> None:
        super().__init__(weight)
        if reach < 0:
            raise ValueError(f"reach must be 0 pixels or more, got {reach}")
        self.reach = reach

    def forward(self, inputs: LossInputs) -> Tensor:
        """A scalar.

        Raises:
            UserError: the data have no points.
        """
        if inputs.points is None:
            raise UserError(
                "PointFlowLoss needs the targets 'points' and 'source_points', which these samples "
                "have not; take it out of the model's losses"
            )
        size = (inputs.target.shape[2], inputs.target.shape[3])
        total = inputs.target.new_zeros(())
        for flows, source in zip(inputs.flows, inputs.points.sources, strict=True):
            for flow in flows:
                total = total + point_flow(flow, source, inputs.points.target, size, self.reach)
        return self.weight * total
