"""Eq. 10 by hand."""

from __future__ import annotations

import pytest
import torch

from gfla_video.components.fusion import LayeredFusion, NormalizedFusion, SumFusion


def test_one_reference_is_equation_10() -> None:
    target = torch.tensor([2.0, 4.0]).view(1, 2, 1, 1)
    attended = torch.tensor([10.0, -4.0]).view(1, 2, 1, 1)
    mask = torch.tensor(0.25).view(1, 1, 1, 1)
    # 0.75 * 2 + 0.25 * 10 and 0.75 * 4 - 0.25 * 4
    assert SumFusion()(target, [attended], [mask]).flatten().tolist() == [4.0, 2.0]


def test_two_references_add_up() -> None:
    one = torch.ones(1, 1, 1, 2)
    masks = [torch.tensor([0.5, 1.0]).view(1, 1, 1, 2), torch.tensor([0.25, 0.0]).view(1, 1, 1, 2)]
    out = SumFusion()(one * 2, [one * 6, one * 10], masks)
    # (1 + 3) + (1.5 + 2.5), and 6 + 2: the target counts once per reference
    assert out.flatten().tolist() == [8.0, 8.0]
    with pytest.raises(ValueError, match="zip"):
        SumFusion()(one, [one], masks)


def masks_of(*values: float) -> list[torch.Tensor]:
    return [torch.tensor(value).view(1, 1, 1, 1) for value in values]


def test_normalized_shares_sum_to_one() -> None:
    target, one, other = (torch.tensor(v).view(1, 1, 1, 1) for v in (2.0, 6.0, 10.0))
    fuse = NormalizedFusion()
    # taken 1 - 0.5 * 0.75 = 0.625, shared 2 : 1
    expected = 0.375 * 2 + 0.625 * (6 * 2 / 3 + 10 / 3)
    assert float(fuse(target, [one, other], masks_of(0.5, 0.25))) == pytest.approx(expected)
    assert float(fuse(target, [one, other], masks_of(0.0, 0.0))) == 2.0  # the sum gives 4
    assert float(fuse(target, [one, other], masks_of(1.0, 1.0))) == pytest.approx(8.0)
    same = fuse(target, [target] * 3, masks_of(0.9, 0.2, 0.6))
    assert float(same) == pytest.approx(2.0)


def test_normalized_of_one_reference_is_equation_10() -> None:
    target, attended = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    mask = torch.rand(2, 1, 4, 4)
    ours = NormalizedFusion()(target, [attended], [mask])
    torch.testing.assert_close(ours, SumFusion()(target, [attended], [mask]))


def test_normalized_has_finite_gradients_where_nothing_is_taken() -> None:
    masks = [torch.zeros(1, 1, 2, 2, requires_grad=True) for _ in range(2)]
    target = torch.randn(1, 2, 2, 2)
    NormalizedFusion()(target, [target + 1, target - 1], masks).sum().backward()
    assert all(mask.grad is not None and mask.grad.isfinite().all() for mask in masks)


def test_layered_takes_the_first_that_has_it() -> None:
    target, one, other = (torch.tensor(v).view(1, 1, 1, 1) for v in (2.0, 6.0, 10.0))
    fuse = LayeredFusion()
    assert float(fuse(target, [one, other], masks_of(1.0, 1.0))) == 6.0
    assert float(fuse(target, [one, other], masks_of(0.0, 1.0))) == 10.0
    expected = 0.5 * 6 + 0.5 * (0.25 * 10 + 0.75 * 2)
    assert float(fuse(target, [one, other], masks_of(0.5, 0.25))) == pytest.approx(expected)
    assert float(fuse(target, [one], masks_of(0.25))) == pytest.approx(0.25 * 6 + 0.75 * 2)
