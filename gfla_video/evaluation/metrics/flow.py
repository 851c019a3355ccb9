"""Metrics of flow fields and occlusion masks against the exact truth of synthetic data.

Convention: flow = (dx, dy) target to source; the truth in full-resolution pixels, the prediction in
pixels of its own map. The finest scale of the first reference is measured.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gfla_video.evaluation.metrics.base import Prediction, StreamingMetric, ratio, stacked
from gfla_video.registry import METRICS
from gfla_video.structures.flow import to_full_resolution
from gfla_video.utils.errors import UserError


@METRICS.register_module()
class FlowEPE(StreamingMetric):
    """End-point error of the flow on the target pixels that the source shows.

    ``flow_epe``: mean Euclidean distance to the true flow in full-resolution pixels;
    ``flow_epe_zero``: the same of a flow of zero; ``flow_epe_ratio``: their quotient. Every visible
    pixel of all pictures weighs the same.
    """

    needs_predictions = ("flows",)
    needs_targets = ("flow", "visible")

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """Summed error, summed error of zero flow, and the number of visible pixels."""
        truth, visible = targets["flow"], (targets["visible"] > 0.5)[:, 0]
        flow = to_full_resolution(stacked(predictions, "flows"), truth.shape[-2:])
        columns = [(flow - truth).norm(dim=1), truth.norm(dim=1), torch.ones_like(truth[:, 0])]
        return torch.stack([(c.double() * visible).sum((1, 2)) for c in columns], dim=1)

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Means over visible pixels, and their quotient."""
        return {
            "flow_epe": ratio(totals[0], totals[2]),
            "flow_epe_zero": ratio(totals[1], totals[2]),
            "flow_epe_ratio": ratio(totals[0], totals[1]),
        }


@METRICS.register_module()
class FlowOutlierRate(StreamingMetric):
    """Part of the pixels whose flow is wrong as KITTI counts it (Menze and Geiger, 2015).

    ``flow_outliers``: the end-point error is more than 3 full-resolution pixels **and** more than
    5 % of the true flow's length. Every counted pixel of all pictures weighs the same.

    Args:
        pixels: "visible" (those the source shows) or "all" (for data whose truth is defined
            everywhere; ``flow_outliers_all``).
        absolute: in full-resolution pixels.
        relative: as a part of the true flow's length.
        optional: see :class:`StreamingMetric`.

    Raises:
        UserError: another word for ``pixels``.
    """

    needs_predictions = ("flows",)

    def __init__(
        self,
        pixels: str = "visible",
        absolute: float = 3.0,
        relative: float = 0.05,
        optional: bool = False,
        prefix: str | None = None,
    ) -> None:
        super().__init__(optional=optional, prefix=prefix)
        if pixels not in ("visible", "all"):
            raise UserError(f"FlowOutlierRate: pixels must be 'visible' or 'all', not {pixels!r}")
        self.needs_targets = ("flow", "visible") if pixels == "visible" else ("flow",)
        self.name = "flow_outliers" if pixels == "visible" else "flow_outliers_all"
        self.absolute, self.relative = absolute, relative

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """Number of outliers and of counted pixels."""
        truth = targets["flow"]
        flow = to_full_resolution(stacked(predictions, "flows"), truth.shape[-2:])
        error, length = (flow - truth).norm(dim=1), truth.norm(dim=1)
        wrong = (error > self.absolute) & (error > self.relative * length)
        counted = torch.ones_like(wrong)
        if "visible" in self.needs_targets:
            counted = (targets["visible"] > 0.5)[:, 0]
        return torch.stack([(wrong & counted).sum((1, 2)), counted.sum((1, 2))], dim=1)

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Part of the pixels."""
        return {self.name: ratio(totals[0], totals[1])}


@METRICS.register_module()
class MaskAUC(StreamingMetric):
    """Area under the ROC curve of the occlusion mask against true visibility: ``mask_auc``.

    On the target person's pixels: 1 where the mask is higher on every visible pixel than on every
    occluded one, 0.5 where it tells nothing. The mask is brought to full resolution bilinearly.
    The ranks come from a histogram over the mask's logit in [-16, 16], half a count for ties: exact
    but for pairs inside one of the ``bins``. (Bins of the logit and not of the mask: a saturated
    sigmoid still ranks.)

    Args:
        bins: number of histogram bins.
        optional: see :class:`StreamingMetric`.
    """

    needs_predictions = ("masks",)
    needs_targets = ("visible", "foreground")
    LIMIT = 16.0

    def __init__(self, bins: int = 4096, optional: bool = False, prefix: str | None = None) -> None:
        super().__init__(optional=optional, prefix=prefix)
        self.bins = bins

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """Histograms of the mask on occluded, then on visible pixels: ``[B, 2 * bins]``."""
        visible, person = targets["visible"] > 0.5, targets["foreground"] > 0.5
        masks = stacked(predictions, "masks")
        masks = F.interpolate(masks, visible.shape[-2:], mode="bilinear", align_corners=False)
        logit = torch.logit(masks.double(), eps=1e-7).clamp(-self.LIMIT, self.LIMIT)
        place = ((logit + self.LIMIT) / (2 * self.LIMIT) * self.bins).long().clamp(0, self.bins - 1)
        place = place + visible.long() * self.bins
        rows = [
            torch.bincount(p[inside], minlength=2 * self.bins)
            for p, inside in zip(place, person, strict=True)
        ]
        return torch.stack(rows)

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Probability that a visible pixel's mask is above an occluded one's, ties counted half."""
        occluded, visible = totals.view(2, self.bins)
        below = occluded.cumsum(0) - occluded
        wins = (visible * (below + 0.5 * occluded)).sum()
        return {"mask_auc": ratio(wins, visible.sum() * occluded.sum())}
