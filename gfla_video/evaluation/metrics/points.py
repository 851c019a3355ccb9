"""Colour around a structure's points: does each part of the body wear its colours?"""

from __future__ import annotations

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
        height, width = error.shape[-2:]
        rows = torch.arange(height, device=error.device).view(1, height, 1)
        columns = torch.arange(width, device=error.device).view(1, 1, width)
        result = []
        for picture, points in zip(error, targets["points"].double(), strict=True):
            x, y, seen = (points[:, i].view(-1, 1, 1) for i in range(3))
            disc = ((columns - x) ** 2 + (rows - y) ** 2 <= self.radius**2) & (seen > 0.5)
            pixels = disc.sum((1, 2))  # [N]
            summed = (picture * disc).sum((1, 2))
            result.append(
                torch.stack([(summed / pixels.clamp(min=1)).sum(), (pixels > 0).sum().double()])
            )
        return torch.stack(result)

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Mean over points."""
        return {"point_colour_error": ratio(totals[0], totals[1])}
