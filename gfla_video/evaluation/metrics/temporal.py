"""Does a generated clip flicker? Frames against their predecessors, moved along by the motion."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gfla_video.evaluation.metrics.base import (
    Prediction,
    StreamingMetric,
    ratio,
    stacked,
    unit_range,
)
from gfla_video.ops import bilinear_warp
from gfla_video.registry import METRICS

# Forward and backward flow cancel each other where nothing is hidden (Sundaram et al., 2010).
_RELATIVE, _ABSOLUTE = 0.01, 0.5


@METRICS.register_module()
class TemporalWarpingError(StreamingMetric):
    """What changes from frame to frame beside the motion, after Lai et al., "Learning Blind Video
    Temporal Consistency" (ECCV 2018).

    ``E(x) = mean over visible pixels of |x_t - warp(x_(t-1), w_t)|``, averaged over all pairs of
    neighbouring frames; images in [0, 1]. ``w_t`` and what is visible come from the **true**
    frames: dense inverse search (Kroeger et al., 2016) from t to t - 1, and a forward-backward
    check. (Lai et al. square the difference and take FlowNet2.)

    ``warping_error`` is E of the generated clip; ``warping_error_true`` that of the true one, which
    is noise and what the flow misses; ``warping_error_ratio`` their quotient, 1 where the result is
    as steady as the truth. A blurred or a nearly still clip has small values too: read it beside an
    error of the pictures.
    """

    of_clips = True

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """Errors of the generated and the true clip summed over pairs, and the number of pairs."""
        generated, true = stacked(predictions, "image"), targets["image"]
        rows = [
            _pair_errors(unit_range(made).cpu(), unit_range(clip).cpu())
            for made, clip in zip(generated, true, strict=True)
        ]
        return torch.stack(rows)

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Means over pairs of frames, and their quotient."""
        return {
            "warping_error": ratio(totals[0], totals[2]),
            "warping_error_true": ratio(totals[1], totals[2]),
            "warping_error_ratio": ratio(totals[0], totals[1]),
        }


@METRICS.register_module()
class FrameDifferenceError(StreamingMetric):
    """Does the picture change from frame to frame as the true one does? No flow is needed.

    ``frame_difference_error``: mean of ``|(x_t - x_(t-1)) - (y_t - y_(t-1))|`` over pixels and
    channels, of the generated x and the true y in [0, 1], averaged over all pairs of neighbouring
    frames. ``frame_difference_ratio``: mean ``|x_t - x_(t-1)|`` over that of y; 1 where as much
    changes, less where motion is lost, more where it flickers. A still clip has the error of the
    true motion.
    """

    of_clips = True

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """Error, generated and true change summed over pairs, and the number of pairs."""
        made, true = (
            unit_range(clips).double().diff(dim=1)
            for clips in (stacked(predictions, "image"), targets["image"])
        )
        columns = [(x.abs().mean((2, 3, 4))).sum(1) for x in (made - true, made, true)]
        pairs = torch.full_like(columns[0], made.shape[1])
        return torch.stack([*columns, pairs], dim=1)

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Mean over pairs of frames, and the ratio of the changes."""
        return {
            "frame_difference_error": ratio(totals[0], totals[3]),
            "frame_difference_ratio": ratio(totals[1], totals[2]),
        }


def flow_to_previous(
    current: npt.NDArray[np.uint8], previous: npt.NDArray[np.uint8]
) -> tuple[Tensor, Tensor]:
    """Optical flow of a frame and where it holds.

    Args:
        current: grey picture uint8 ``[H, W]``.
        previous: the frame before, grey.

    Returns:
        flow ``[2, H, W]`` = (dx, dy) in pixels, ``current(l) ~ previous(l + flow(l))``, and bool
        ``[H, W]``: the place lies in the previous frame, and its flow leads back.
    """
    import cv2  # here, so that importing the metrics stays light

    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    there, back = (
        torch.from_numpy(search.calc(one, other, None)).permute(2, 0, 1)
        for one, other in ((current, previous), (previous, current))
    )
    height, width = current.shape
    returned = bilinear_warp(back[None], there[None])[0]
    lengths = there.square().sum(0) + returned.square().sum(0)
    closed = (there + returned).square().sum(0) <= _RELATIVE * lengths + _ABSOLUTE
    x = there[0] + torch.arange(width)
    y = there[1] + torch.arange(height)[:, None]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return there, closed & inside


def _pair_errors(made: Tensor, true: Tensor) -> Tensor:
    """Summed error of both clips ``[T, 3, H, W]`` in [0, 1] and the number of pairs: ``[3]``."""
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    grey = ((true * weights).sum(1) * 255).round().byte().numpy()
    totals = torch.zeros(3, dtype=torch.float64)
    for t in range(1, len(true)):
        flow, visible = flow_to_previous(grey[t], grey[t - 1])
        if not visible.any():
            continue
        now = torch.stack([made[t], true[t]])
        before = torch.stack([made[t - 1], true[t - 1]])
        warped = bilinear_warp(before, flow[None].expand(2, -1, -1, -1))
        difference = (now - warped).abs().mean(1)[:, visible].double().mean(1)
        totals += torch.cat([difference, torch.ones(1, dtype=torch.float64)])
    return totals
