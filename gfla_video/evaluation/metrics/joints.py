"""Is the generated person in the pose that was asked for? Joints are found anew and compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gfla_video.evaluation.metrics.base import (
    Prediction,
    StreamingMetric,
    ratio,
    stacked,
    unit_range,
)
from gfla_video.registry import DETECTORS, METRICS
from gfla_video.utils.errors import UserError

_HEAD = [0, 1, 14, 15, 16, 17]  # nose, neck, eyes, ears


@METRICS.register_module()
class PCKh(StreamingMetric):
    """Part of the joints that are where they should be (as PATN measures it): ``pckh``.

    A pose detector looks at each generated picture. A joint counts as right where it was found and
    ``|dx| < alpha w`` and ``|dy| < alpha h``, (w, h) being the box round the true head: nose, neck,
    eyes and ears, as far as they are visible. The denominator is the visible true joints of all
    pictures. Pictures whose truth has fewer than two head joints do not count.

    Also ``pckh_found``: the part of these pictures in which somebody was found at all.

    Args:
        detector: config dict of a pose detector (registry ``DETECTORS``; its ``detect`` gives
            ``[N, 18, 3]``), or the detector itself.
        alpha: of the head's box.
        truth: "points" (the target ``points``: ``[B, 18, 3]``, x, y in pixels, visible), or
            "detect": the detector looks at the true pictures, too.
        name: of the value.
        optional: see :class:`StreamingMetric`.

    Raises:
        UserError: a detector that finds something else than people, or points that are not 18.
    """

    def __init__(
        self,
        detector: Mapping[str, Any] | Any,
        alpha: float = 0.5,
        truth: str = "points",
        name: str = "pckh",
        optional: bool = False,
        prefix: str | None = None,
    ) -> None:
        super().__init__(optional=optional, prefix=prefix)
        if truth not in ("points", "detect"):
            raise UserError(f"PCKh: truth must be 'points' or 'detect', not {truth!r}")
        known = isinstance(detector, Mapping)
        self.detector = DETECTORS.build(dict(detector)) if known else detector
        if getattr(self.detector, "finds", "people") != "people":
            raise UserError(
                f"PCKh: {type(self.detector).__name__} finds {self.detector.finds}, not people; "
                "choose a pose detector such as RtmlibPoseDetector"
            )
        self.needs_targets = ("points",) if truth == "points" else ("image",)
        self.alpha, self.name = alpha, name

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """Right joints, true joints, and whether anybody was found and the picture counts."""
        made = self._joints(stacked(predictions, "image"))
        if "points" in self.needs_targets:
            truth = targets["points"].cpu().double().numpy()
        else:
            truth = self._joints(targets["image"])
        if truth.shape[1:] != (18, 3):
            raise UserError(
                f"PCKh needs the 18 joints of a body, these samples have {truth.shape[1]} points; "
                "take PCKh out of test_metrics, or give it truth='detect'"
            )
        rows = [right_joints(a, b, self.alpha) for a, b in zip(made, truth, strict=True)]
        return torch.tensor(rows, dtype=torch.float64)

    def _joints(self, images: Tensor) -> np.ndarray:
        """Joints ``[B, 18, 3]`` of the person with the most of them; nobody: none visible."""
        pixels = (unit_range(images) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        found = []
        for picture in pixels:
            people = self.detector.detect(np.ascontiguousarray(picture))
            best = people[people[..., 2].sum(1).argmax()] if len(people) else np.zeros((18, 3))
            found.append(best)
        return np.stack(found).astype(np.float64)

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Part of the true joints, and of the pictures."""
        return {
            self.name: ratio(totals[0], totals[1]),
            f"{self.name}_found": ratio(totals[2], totals[3]),
        }


def right_joints(
    made: np.ndarray, truth: np.ndarray, alpha: float = 0.5
) -> tuple[int, int, int, int]:
    """Count the joints of one picture, see :class:`PCKh`.

    Args:
        made: ``[18, 3]``: x, y and 1 where found.
        truth: ``[18, 3]`` likewise.
        alpha: of the head's box.

    Returns:
        joints that are right, joints of the truth, 1 where anybody was found, and 1: the picture
        counts; all 0 where it does not.
    """
    seen, found = truth[:, 2] > 0.5, made[:, 2] > 0.5
    head = truth[_HEAD][seen[_HEAD], :2]
    if len(head) < 2:
        return 0, 0, 0, 0
    allowed = alpha * np.ptp(head, axis=0)  # (w, h)
    near = (np.abs(made[:, :2] - truth[:, :2]) < allowed).all(axis=1)
    return int((near & found & seen).sum()), int(seen.sum()), int(found.any()), 1
