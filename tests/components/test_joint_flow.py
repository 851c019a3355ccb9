"""Several references: one estimator for all, or one per kind."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gfla_video.components.flow_estimator import FlowEstimator
from gfla_video.components.joint_flow import JointFlowEstimator, PerKindFlowEstimator
from gfla_video.components.reference_kinds import PerKind, part_for, parts_of

SMALL = {"structure_channels": 2, "base_channels": 4, "max_channels": 8, "gain": 1.0}


def references(count: int, batch: int = 2) -> tuple[list[Tensor], list[Tensor], Tensor]:
    images = [torch.randn(batch, 3, 64, 96) for _ in range(count)]
    return images, [torch.randn(batch, 2, 64, 96) for _ in range(count)], torch.randn(2, 2, 64, 96)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_joint_gives_a_flow_and_mask_of_each(count: int) -> None:
    estimator = JointFlowEstimator(references=count, **SMALL)
    out = estimator(*references(count))
    assert [[tuple(f.shape) for f in scales] for scales in out.flows] == [
        [(2, 2, 8, 12), (2, 2, 16, 24)]
    ] * count
    assert all(m.shape[1] == 1 and 0 <= m.min() <= m.max() <= 1 for s in out.masks for m in s)
    assert estimator.encoder.blocks[0].conv1.in_channels == count * 5 + 2


def test_joint_sees_the_other_reference() -> None:
    """The source's flow depends on the previous frame: they are estimated together."""
    estimator = JointFlowEstimator(references=2, **SMALL)
    images, structures, target = references(2)
    one = estimator(images, structures, target).flows[0][1]
    other = estimator([images[0], images[1] + torch.randn_like(images[1])], structures, target)
    assert not torch.equal(one, other.flows[0][1])
    with pytest.raises(ValueError, match="has 2 references, got 1"):
        estimator(images[:1], structures[:1], target)


def test_per_kind_uses_its_own_weights_and_sees_no_other() -> None:
    source, previous = FlowEstimator(**SMALL), FlowEstimator(**SMALL)
    estimator = PerKindFlowEstimator(source, previous)
    images, structures, target = references(3)
    out = estimator(images, structures, target)
    alone = [source, previous, previous]
    for r, network in enumerate(alone):
        expected = network([images[r]], [structures[r]], target)
        torch.testing.assert_close(out.flows[r], expected.flows[0])
        torch.testing.assert_close(out.masks[r], expected.masks[0])
    assert len(list(estimator.mask_parameters())) == 2 * len(list(source.mask_parameters()))
    with pytest.raises(ValueError, match="must be the same"):
        PerKindFlowEstimator(source, FlowEstimator(flow_levels=(2,), **SMALL))


def test_a_part_serves_all_or_one_kind() -> None:
    shared, source, previous = (torch.nn.Conv2d(1, 1, 1) for _ in range(3))
    kinds = PerKind(source, previous)
    assert [part_for(kinds, r) for r in range(3)] == [source, previous, previous]
    assert [part_for(shared, r) for r in range(2)] == [shared, shared]
    assert (parts_of(kinds), parts_of(shared)) == ([source, previous], [shared])
