"""The source, warped by the flow, should look like the target."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gfla_video.components.losses import LossInputs, WarpReconstructionLoss

SIZE = 32


def blob(x: float) -> Tensor:
    """A picture ``[1, 3, 32, 32]`` with a smooth spot around column x, the same in every row."""
    columns = torch.arange(SIZE, dtype=torch.float64)
    row = torch.exp(-((columns - x) ** 2) / 6)
    return row.expand(1, 3, SIZE, SIZE).clone()


def given(flows: list[Tensor], source: Tensor, target: Tensor) -> LossInputs:
    return LossInputs(target, [source], [source], target, [flows], [[]], levels=(0,) * len(flows))


def moved(dx: float, size: int = SIZE) -> Tensor:
    return torch.tensor([dx, 0.0], dtype=torch.float64).view(1, 2, 1, 1).repeat(1, 1, size, size)


@pytest.mark.parametrize("octaves", [1, 3])
def test_the_true_flow_costs_nothing(octaves: int) -> None:
    loss = WarpReconstructionLoss(octaves=octaves)
    source, target = blob(18.0), blob(10.0)  # what is at 10 in the target lies at 18
    assert float(loss(given([moved(8.0)], source, target))) < 1e-6
    assert float(loss(given([moved(-8.0)], source, target))) > 0.1


def test_against_the_plain_formula() -> None:
    """Whole-pixel flows, edges repeated, each scale at its own resolution."""
    source = torch.rand(1, 3, SIZE, SIZE, dtype=torch.float64)
    target = torch.rand(1, 3, SIZE, SIZE, dtype=torch.float64)
    columns = (torch.arange(SIZE) + 3).clamp(max=SIZE - 1)
    fine = (source[..., columns] - target).abs().mean()
    halves = [
        p.unflatten(2, (16, 2)).mean(3).unflatten(3, (16, 2)).mean(4) for p in (source, target)
    ]
    columns = (torch.arange(16) - 2).clamp(min=0)
    coarse = (halves[0][..., columns] - halves[1]).abs().mean()
    found = WarpReconstructionLoss(weight=2.0)(given([moved(-2, 16), moved(3)], source, target))
    torch.testing.assert_close(found, 2.0 * (fine + coarse))


def test_octaves_pull_from_further_away() -> None:
    """Beyond the spot's reach only a coarser resolution tells which way it lies."""
    gradients = []
    for octaves in (1, 4):
        flow = moved(0.0).requires_grad_()
        loss = WarpReconstructionLoss(octaves=octaves)(given([flow], blob(28.0), blob(4.0)))
        loss.backward()
        gradients.append(-float(flow.grad[0, 0, :, 4:14].mean()))  # how hard it pulls to the right
    assert gradients[1] > 2 * abs(gradients[0])


def test_no_octave_is_refused() -> None:
    with pytest.raises(ValueError, match="octaves must be 1 or more"):
        WarpReconstructionLoss(octaves=0)
