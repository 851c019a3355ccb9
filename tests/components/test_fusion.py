"""Eq. 10 by hand."""

from __future__ import annotations

import pytest
import torch

from gfla_video.components.fusion import SumFusion


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
