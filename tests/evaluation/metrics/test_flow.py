"""Flow and mask metrics against plain formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import rankdata
from torch import Tensor

from gfla_video.evaluation import FlowEPE, FlowOutlierRate, MaskAUC
from gfla_video.utils.errors import UserError

SIZE = (32, 24)


def flows_of(finest: Tensor) -> list[list[Tensor]]:
    """One reference; a coarse scale that must not be read, and the finest."""
    return [[torch.full((2, 2, 2), 99.0), finest]]


def truth(count: int) -> dict[str, Tensor]:
    """Random flow and masks."""
    return {
        "flow": torch.randn(count, 2, *SIZE) * 5,
        "visible": (torch.rand(count, 1, *SIZE) > 0.6).float(),
        "foreground": (torch.rand(count, 1, *SIZE) > 0.2).float(),
    }


def take(targets: dict[str, Tensor], part: slice) -> dict[str, dict[str, Tensor]]:
    """A collated batch of some of the samples."""
    return {"targets": {key: value[part] for key, value in targets.items()}}


def test_zero_flow_has_the_error_of_zero_flow() -> None:
    targets, metric = truth(5), FlowEPE()
    for part in (slice(0, 2), slice(2, 5)):
        count = part.stop - part.start
        zero = [{"flows": flows_of(torch.zeros(2, 8, 6))}] * count
        metric.process(take(targets, part), zero)
    length = targets["flow"].square().sum(1, keepdim=True).sqrt()
    expected = length[targets["visible"] > 0].mean().item()
    result = metric.evaluate(5)
    assert result["flow_epe"] == pytest.approx(expected, rel=1e-5)
    assert result["flow_epe_zero"] == pytest.approx(expected, rel=1e-5)
    assert result["flow_epe_ratio"] == 1


def test_a_coarse_flow_counts_in_full_resolution_pixels() -> None:
    """A shift of (1, -2) on a map of a quarter of the size is one of (4, -8) in the picture."""
    targets = truth(1)
    targets["flow"] = torch.tensor([4.0, -8.0]).view(1, 2, 1, 1).expand(1, 2, *SIZE)
    metric = FlowEPE()
    shift = torch.tensor([1.0, -2.0]).view(2, 1, 1).expand(2, 8, 6)
    metric.process(take(targets, slice(0, 1)), [{"flows": flows_of(shift)}])
    result = metric.evaluate(1)
    assert result["flow_epe"] == pytest.approx(0, abs=1e-5)
    assert result["flow_epe_ratio"] == pytest.approx(0, abs=1e-6)


def test_full_resolution_flow_by_hand() -> None:
    """Pixels weigh the same across pictures; occluded ones do not count."""
    targets = truth(3)
    made = targets["flow"] + torch.randn(3, 2, *SIZE)
    metric = FlowEPE()
    for i in range(3):
        metric.process(take(targets, slice(i, i + 1)), [{"flows": flows_of(made[i])}])
    distance = np.hypot(*np.moveaxis((made - targets["flow"]).numpy(), 1, 0))
    expected = distance[targets["visible"][:, 0].numpy() > 0].mean()
    assert metric.evaluate(3)["flow_epe"] == pytest.approx(expected, rel=1e-5)


def test_nothing_visible_is_not_a_number() -> None:
    targets = truth(1)
    targets["visible"].zero_()
    metric = FlowEPE()
    metric.process(take(targets, slice(0, 1)), [{"flows": flows_of(torch.zeros(2, 8, 6))}])
    assert math.isnan(metric.evaluate(1)["flow_epe"])


@pytest.mark.parametrize("pixels", ["visible", "all"])
def test_outliers_are_wrong_by_pixels_and_by_part(pixels: str) -> None:
    """A long true flow may be missed by more than 3 pixels, a short one by more than 5 %."""
    targets = truth(3)
    targets["flow"] *= torch.tensor([1.0, 30.0, 5.0]).view(3, 1, 1, 1)
    made = targets["flow"] + 3 * torch.randn(3, 2, *SIZE)
    metric = FlowOutlierRate(pixels=pixels)
    for part in (slice(0, 1), slice(1, 3)):
        metric.process(take(targets, part), [{"flows": flows_of(flow)} for flow in made[part]])
    error = np.hypot(*np.moveaxis((made - targets["flow"]).numpy(), 1, 0))
    length = np.hypot(*np.moveaxis(targets["flow"].numpy(), 1, 0))
    wrong = (error > 3) & (error > 0.05 * length)
    assert ((error > 3) & ~wrong).any()  # both conditions matter
    counted = targets["visible"][:, 0].numpy() > 0 if pixels == "visible" else wrong >= 0
    name = "flow_outliers" if pixels == "visible" else "flow_outliers_all"
    assert metric.evaluate(3) == {name: pytest.approx(wrong[counted].mean())}


def test_outliers_of_other_pixels() -> None:
    with pytest.raises(UserError, match="pixels must be 'visible' or 'all', not 'occluded'"):
        FlowOutlierRate(pixels="occluded")


def rank_auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mann-Whitney: from the mean rank of the positives, ties sharing their rank."""
    ranks, positives = rankdata(scores), labels.sum()
    wins = ranks[labels].sum() - positives * (positives + 1) / 2
    return wins / (positives * (len(labels) - positives))


@pytest.mark.parametrize("kind", ["noise", "ties", "saturated"])
def test_auc_against_ranks(kind: str) -> None:
    targets, metric = truth(4), MaskAUC()
    logits = torch.randn(4, 1, *SIZE) + targets["visible"]
    if kind == "saturated":  # 8-bit or 12-bit bins of the mask itself would see ties only
        logits = logits + 9
    if kind == "ties":
        logits = logits.round()
    masks = torch.sigmoid(logits)
    for part in (slice(0, 3), slice(3, 4)):
        metric.process(take(targets, part), [{"masks": flows_of(m)} for m in masks[part]])
    person = targets["foreground"].numpy() > 0
    expected = rank_auc(masks.numpy()[person], targets["visible"].numpy()[person] > 0)
    assert 0.6 < expected < 0.9
    assert metric.evaluate(4)["mask_auc"] == pytest.approx(expected, abs=2e-3)


def test_auc_of_the_extremes() -> None:
    targets = truth(2)
    coarse = targets["visible"][:, :, ::4, ::4]
    targets["visible"] = torch.nn.functional.interpolate(coarse, SIZE, mode="nearest")
    for masks, expected in (
        (targets["visible"], 1.0),
        (1 - targets["visible"], 0.0),
        (torch.full((2, 1, 8, 6), 0.3), 0.5),
    ):
        metric = MaskAUC(bins=64)
        metric.process(take(targets, slice(0, 2)), [{"masks": flows_of(m)} for m in masks])
        assert metric.evaluate(2)["mask_auc"] == expected


def test_auc_without_an_occluded_pixel_is_not_a_number() -> None:
    targets = truth(1)
    targets["visible"].fill_(1)
    metric = MaskAUC()
    metric.process(take(targets, slice(0, 1)), [{"masks": flows_of(torch.rand(1, 8, 6))}])
    assert math.isnan(metric.evaluate(1)["mask_auc"])
