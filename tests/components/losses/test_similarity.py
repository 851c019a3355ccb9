"""The structural similarity as a loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from gfla_video.components.losses import LossInputs, SSIMLoss


def given(made: Tensor | None, true: Tensor) -> LossInputs:
    return LossInputs(true, [true], [true], true, [[]], [[]], levels=(), fake=made)


def test_it_is_one_minus_the_similarity_of_the_field() -> None:
    rng = np.random.default_rng(0)
    true = rng.uniform(-1, 1, (2, 3, 48, 40))
    made = np.clip(true + rng.normal(0, 0.3, true.shape), -1, 1)
    expected = np.mean(
        [
            structural_similarity(
                *((picture + 1) / 2 for picture in pair),
                channel_axis=0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=1.0,
            )
            for pair in zip(made, true, strict=True)
        ]
    )
    inputs = given(torch.from_numpy(made), torch.from_numpy(true))
    # the reference leaves out a border of 5 pixels, the loss pads the pictures instead
    assert float(SSIMLoss(weight=3.0)(inputs)) == pytest.approx(3 * (1 - expected), rel=1e-2)


def test_it_goes_down_when_it_is_followed() -> None:
    rng = np.random.default_rng(0)
    true = torch.zeros(1, 3, 16, 16)
    true[..., 4:12, 4:12] = 0.8
    made = torch.from_numpy(rng.normal(0, 0.1, true.shape)).float().requires_grad_(True)
    loss = SSIMLoss()
    before = loss(given(made, true))
    before.backward()
    assert made.grad is not None
    step = made.detach() - 10 * made.grad
    assert float(loss(given(step, true))) < 0.9 * float(before.detach())
    assert float(loss(given(true, true))) == pytest.approx(0, abs=1e-6)


def test_it_needs_a_picture() -> None:
    with pytest.raises(ValueError, match="not in a flow stage"):
        SSIMLoss()(given(None, torch.zeros(1, 3, 16, 16)))
