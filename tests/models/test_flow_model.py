"""Stage 1: modes, and masks that nothing trains."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gfla_video.components.features import FilterBankFeatures
from gfla_video.components.flow_estimator import FlowEstimator
from gfla_video.components.losses import (
    AffineRegularizationLoss,
    MaskVisibilityLoss,
    SamplingCorrectnessLoss,
)
from gfla_video.models import FlowModel


def build(**losses: Any) -> FlowModel:
    flow = FlowEstimator(structure_channels=1, base_channels=4, max_channels=8, gain=1.0)
    return FlowModel(flow, losses, FilterBankFeatures(dimensions=8))


def sample() -> tuple[dict[str, Any], dict[str, Any]]:
    picture, structure = torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64)
    inputs = {
        "sources": [picture],
        "source_structures": [structure],
        "target_structure": structure.flip(3),
    }
    return inputs, {"image": picture.flip(3)}


@pytest.mark.parametrize("mask_loss", [False, True])
def test_the_mask_heads_are_frozen_unless_a_loss_trains_them(mask_loss: bool) -> None:
    losses: dict[str, Any] = {"correctness": SamplingCorrectnessLoss()}
    if mask_loss:
        losses["masks"] = MaskVisibilityLoss()
    model = build(**losses)
    heads = list(model.flow_estimator.mask_parameters())  # type: ignore[union-attr,operator]
    assert len(heads) == 4
    assert all(p.requires_grad == mask_loss for p in heads)
    inputs, targets = sample()
    sum(model(inputs, targets, mode="loss").values()).backward()
    # every weight that is trained gets a gradient, else distributed training would break
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {name for name, p in model.named_parameters() if p.grad is not None}


def test_modes() -> None:
    model = build(correctness=SamplingCorrectnessLoss(), affine=AffineRegularizationLoss())
    inputs, targets = sample()
    assert set(model(inputs, targets, mode="loss")) == {"loss_correctness", "loss_affine"}
    output = model(inputs)
    assert output.flows[0][1].shape == (2, 2, 16, 16)
    samples = model(inputs, mode="predict")
    assert len(samples) == 2
    assert set(samples[0]) == {"flows", "masks"}
    assert torch.equal(samples[1]["flows"][0][0], output.flows[0][0][1])
    for wrong in ({"mode": "loss"}, {"mode": "tesnor"}):
        with pytest.raises(ValueError, match="mode must be loss"):
            model(inputs, **wrong)


def test_a_loss_that_reads_features_needs_an_extractor() -> None:
    flow = FlowEstimator(structure_channels=1, base_channels=4, max_channels=8)
    losses = {"correctness": SamplingCorrectnessLoss(), "affine": AffineRegularizationLoss()}
    with pytest.raises(ValueError, match="^the losses correctness need a feature extractor"):
        FlowModel(flow, losses)
    assert FlowModel(flow, {"affine": AffineRegularizationLoss()}).features is None
