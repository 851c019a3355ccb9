"""Colour around a structure's points: does each part of the body wear its colours?"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gfla_video.evaluation.metrics.base import Prediction, StreamingMetric, ratio
from gfla_video.evaluation.metrics.image import absolute_error
from gfla_video.registry import METRICS


@METRICS.register_module()
class PointColourError(StreamingMetric):
    """Mean absolute colour difference in a disc around each visible target point.

    ``point_colour_error``: images in [0, 1], mean over the disc's pixels and the channels, then
    over points; a point whose disc lies outside the picture does not count. Copying the source has
    the background or another limb at most points, so this tells moving from copying without any
    truth but the target picture.

    Args:
        radius: of the disc, in pixels of the picture; a pixel belongs where its centre (whole
            coordinates) is not farther from the point.
        optional: see :class:`StreamingMetric`.
    """

    needs_targets = ("image", "points")

    def __init__(
        self, radius: float = 3.0, optional: bool = False, prefix: str | None = None
    ) -> None:
        super().__init__(optional=optional, prefix=prefix)
        self.radius = radius

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """Summed error over visible points ``[B, N, 3]`` (x, y, visible), and their number."""
        error = absolute_error(predictions, targets).mean(1).double()  # [B, H, W]
        result = []
        for picture, points in zip(error, targets["points"].double(), strict=True):
            disc = discs(points, self.radius, picture.shape[-2:])
            pixels = disc.sum((1, 2))  # [N]
            summed = (picture * disc).sum((1, 2))
            result.append(
                torch.stack([(summed / pixels.clamp(min=1)).sum(), (pixels > 0).sum().double()])
            )
        return torch.stack(result)

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Mean over points."""
        return {"point_colour_error": ratio(totals[0], totals[1])}


@METRICS.register_module()
class RegionL1(StreamingMetric):
    """Mean absolute difference near a structure's points: ``landmark_l1``.

    Over the union of the discs around all visible target points, images in [0, 1], mean over
    channels; every such pixel of all pictures weighs the same. On a face that is mouth, eyes, brows
    and contour, where motion shows; a still background, which favours copying the source, does not
    count.

    Args:
        radius: of the discs, as a part of the picture's shorter side.
        optional: see :class:`StreamingMetric`.
    """

    needs_targets = ("image", "points")

    def __init__(
        self, radius: float = 1 / 32, optional: bool = False, prefix: str | None = None
    ) -> None:
        super().__init__(optional=optional, prefix=prefix)
        self.radius = radius

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """Summed difference in the discs around ``[B, N, 3]`` (x, y, visible), and the pixels."""
        error = absolute_error(predictions, targets).mean(1).double()  # [B, H, W]
        size = error.shape[-2:]
        radius = self.radius * min(size)
        region = torch.stack(
            [discs(points, radius, size).any(0) for points in targets["points"].double()]
        )
        return torch.stack([(error * region).sum((1, 2)), region.double().sum((1, 2))], dim=1)

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Mean over pixels."""
        return {"landmark_l1": ratio(totals[0], totals[1])}


def discs(points: Tensor, radius: float, size: Sequence[int]) -> Tensor:
    """Pixels whose centre (whole coordinates) is not farther than ``radius`` from a point.

    Args:
        points: ``[N, 3]``: x, y in pixels, visible; the disc of one that is not visible is empty.
        radius: in pixels.
        size: (H, W).

    Returns:
        bool ``[N, H, W]``.
    """
    x, y, seen = (points[:, i].view(-1, 1, 1) for i in range(3))
    rows = torch.arange(size[0], device=points.device).view(1, -1, 1)
    columns = torch.arange(size[1], device=points.device).view(1, 1, -1)
    return ((columns - x) ** 2 + (rows - y) ** 2 <= radius**2) & (seen > 0.5)
