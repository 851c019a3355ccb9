"""Metrics of whole pictures. All on images in [0, 1], RGB, not rounded to 8 bits."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from gfla_video.evaluation.metrics.base import (
    Prediction,
    StreamingMetric,
    ratio,
    stacked,
    unit_range,
)
from gfla_video.registry import METRICS


@METRICS.register_module()
class SSIM(StreamingMetric):
    """Structural similarity (Wang et al., 2004), averaged over pictures: ``ssim``.

    The standard window: 11 x 11 Gaussian of sigma 1.5, K1 = 0.01, K2 = 0.03, data range 1,
    population covariance, on each colour channel, without the border that the window does not
    fit in. (The released GFLA program reports other variants: window 51, data range of the
    prediction.)
    """

    WINDOW = 11

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """SSIM of each picture and a count of 1."""
        _, maps = structural_similarity_index_measure(
            unit_range(stacked(predictions, "image")),
            unit_range(targets["image"]),
            gaussian_kernel=True,
            sigma=1.5,
            kernel_size=self.WINDOW,
            reduction="none",
            data_range=1.0,
            return_full_image=True,
        )
        border = self.WINDOW // 2  # torchmetrics pads the picture here
        return _with_count(maps[..., border:-border, border:-border].mean((1, 2, 3)))

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Mean over pictures."""
        return {"ssim": ratio(totals[0], totals[1])}


@METRICS.register_module()
class L1(StreamingMetric):
    """Mean absolute difference over all pixels and channels, images in [0, 1]: ``l1``."""

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """Mean difference of each picture and a count of 1."""
        return _with_count(absolute_error(predictions, targets).mean((1, 2, 3)))

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Mean over pictures."""
        return {"l1": ratio(totals[0], totals[1])}


@METRICS.register_module()
class PSNR(StreamingMetric):
    """Peak signal-to-noise ratio in dB, images in [0, 1], averaged over pictures: ``psnr``.

    Equal pictures count as 100 dB (a mean squared error below 1e-10 is taken as 1e-10).
    """

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """PSNR of each picture and a count of 1."""
        squared = absolute_error(predictions, targets).double().square().mean((1, 2, 3))
        return _with_count(-10 * torch.log10(squared.clamp(min=1e-10)))

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Mean over pictures."""
        return {"psnr": ratio(totals[0], totals[1])}


@METRICS.register_module()
class ForegroundL1(StreamingMetric):
    """Mean absolute difference over the union of both people's pixels: ``foreground_l1``.

    The union of target and source person: a flat background favours copying the source, and
    the target person's pixels alone would not see a source that was left standing. Images in
    [0, 1]; every pixel of all pictures weighs the same.
    """

    needs_targets = ("image", "foreground", "source_foreground")

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """Summed difference (mean over channels) and the number of pixels of the union."""
        union = torch.maximum(targets["foreground"], targets["source_foreground"]) > 0.5
        error = absolute_error(predictions, targets).mean(1, keepdim=True).double()
        return torch.stack([(error * union).sum((1, 2, 3)), union.double().sum((1, 2, 3))], dim=1)

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Mean over pixels."""
        return {"foreground_l1": ratio(totals[0], totals[1])}


def absolute_error(predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
    """Absolute difference ``[B, 3, H, W]`` of predicted and true images in [0, 1]."""
    return (unit_range(stacked(predictions, "image")) - unit_range(targets["image"])).abs()


def _with_count(values: Tensor) -> Tensor:
    return torch.stack([values, torch.ones_like(values)], dim=1)
