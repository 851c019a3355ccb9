"""The mask's loss of appearance flow: what counts as the object, and the value by hand."""

from __future__ import annotations

import math

import torch

from gfla_video.components.losses import ForegroundMaskLoss, LossInputs
from gfla_video.models import FlowModel
from gfla_video.registry import MODELS


def inputs(target: torch.Tensor, *masks: torch.Tensor) -> LossInputs:
    """A step with one mask per reference."""
    nothing = torch.zeros(0)
    maps = [[mask] for mask in masks]
    return LossInputs(target, [target] * len(masks), [], nothing, [], maps, (0,))


def grey(*values: int) -> torch.Tensor:
    """One row of grey pixels of 0..255 as a picture ``[1, 3, 1, W]`` in [-1, 1]."""
    return (torch.tensor(values) / 127.5 - 1).view(1, 1, 1, -1).repeat(1, 3, 1, 1)


def test_the_object_is_what_has_another_colour() -> None:
    target = grey(255, 250, 240, 0)
    target[:, 1, :, 0] = -1.0  # one channel is enough
    assert ForegroundMaskLoss().label(target).flatten().tolist() == [1, 0, 1, 1]
    assert ForegroundMaskLoss(tolerance=20).label(target).flatten().tolist() == [1, 0, 0, 1]
    label = ForegroundMaskLoss(background=(0, 0, 0)).label(target)
    assert label.flatten().tolist() == [1, 1, 1, 0]


def test_value_by_hand_averaged_over_views() -> None:
    target = grey(255, 0)
    good = torch.tensor([0.1, 0.8]).view(1, 1, 1, 2)
    bad = torch.tensor([0.5, 0.5]).view(1, 1, 1, 2)
    value = ForegroundMaskLoss(weight=3.0)(inputs(target, good, bad))
    first, second = -(math.log(0.9) + math.log(0.8)) / 2, -math.log(0.5)
    torch.testing.assert_close(value, torch.tensor(3.0 * (first + second) / 2))


def test_a_flow_stage_trains_its_masks_by_it() -> None:
    estimator = MODELS.build({"type": "FlowEstimator", "base_channels": 4, "max_channels": 8})
    loss = MODELS.build({"type": "ForegroundMaskLoss", "weight": 0.1})
    model = FlowModel(estimator, {"foreground": loss})
    assert all(parameter.requires_grad for parameter in model.flow_estimator.mask_parameters())
