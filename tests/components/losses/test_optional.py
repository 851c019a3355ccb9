"""The losses that are not the papers': landmarks guide the flow, colours teach the mask."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gfla_video.components.losses import (
    LandmarkFlowLoss,
    LossInputs,
    MaskVisibilityLoss,
    PointFlowLoss,
)
from gfla_video.components.losses.inputs import Points
from gfla_video.components.losses.landmarks import peaks, point_flow


def dots(*places: tuple[int, int] | None, size: int = 8) -> Tensor:
    """A structure with one pixel of 1 per channel, (x, y); None shows no landmark."""
    maps = torch.zeros(1, len(places), size, size)
    for channel, place in enumerate(places):
        if place is not None:
            maps[0, channel, place[1], place[0]] = 1.0
    return maps


def given(flows: list[Tensor], source: Tensor, target: Tensor) -> LossInputs:
    """Inputs with one reference and the structures ``source`` and ``target``."""
    picture = torch.zeros(1, 3, 8, 8)
    return LossInputs(picture, [picture], [source], target, [flows], [[]], levels=(0,) * len(flows))


def constant(dx: float, dy: float, size: int = 8) -> Tensor:
    return torch.tensor([float(dx), float(dy)]).view(1, 2, 1, 1).expand(1, 2, size, size).clone()


def test_peaks() -> None:
    place, present = peaks(dots((2, 5), None))
    assert place[0, 0].tolist() == [2, 5]
    assert present.tolist() == [[True, False]]


def test_landmarks_are_content_with_the_exact_displacement() -> None:
    source, target = dots((2, 3), (0, 6)), dots((5, 1), (3, 4))  # both: -3 in x, +2 in y
    loss = LandmarkFlowLoss(weight=2.0)
    assert float(loss(given([constant(-3, 2)], source, target))) == 0.0
    # a flow of zero is off by 3 + 2 pixels at each landmark
    assert float(loss(given([constant(0, 0)], source, target))) == pytest.approx(2.0 * 5)
    # in half the resolution by half as many, and scales add up
    flows = [constant(0, 0, size=4), constant(0, 0)]
    assert float(loss(given(flows, source, target))) == pytest.approx(2.0 * (2.5 + 5))


def test_only_landmarks_of_both_pictures_count() -> None:
    source, target = dots((2, 3), None, (1, 1)), dots((5, 3), (7, 7), None)
    loss = LandmarkFlowLoss()
    assert float(loss(given([constant(0, 0)], source, target))) == pytest.approx(3.0)
    nowhere = dots(None, None, None)
    assert float(loss(given([constant(9, 9)], nowhere, target))) == 0.0


def test_a_flow_learns_the_displacement_at_its_landmark_only() -> None:
    flow = constant(0, 0).requires_grad_()
    LandmarkFlowLoss()(given([flow], dots((2, 3)), dots((5, 3)))).backward()
    assert flow.grad is not None
    assert flow.grad[0, 0, 3, 5] == 1.0  # lower it
    assert flow.grad.abs().sum() == 1.0


def moved() -> tuple[Tensor, Tensor]:
    """A source of random colours, and a target that shows it 4 pixels further right."""
    source = torch.rand(1, 3, 32, 32) * 2 - 1
    return source, source.roll(4, dims=3)


def test_visible_where_the_source_has_the_colour_at_the_flow() -> None:
    source, target = moved()
    target[..., 12:20, 12:20] = 5.0  # a colour that the source has nowhere
    label = MaskVisibilityLoss(radius=1).label(source, target, constant(-4, 0, 32))
    assert float(label[..., 12:20, 12:20].max()) == 0.0
    label[..., 12:20, 12:20] = 1.0
    assert float(label[..., 8:-8, 8:-8].min()) == 1.0


def test_the_radius_forgives_small_errors_of_the_flow_only() -> None:
    source, target = moved()
    loss = MaskVisibilityLoss(radius=1)
    near = loss.label(source, target, constant(-5, 0, 32))[..., 8:-8, 8:-8]
    assert float(near.min()) == 1.0
    wrong = loss.label(source, target, constant(3, 0, 32))[..., 8:-8, 8:-8]
    assert float(wrong.mean()) < 0.05
    # the flow of a coarser map is in its own pixels: -1 there is -4 here
    coarse = loss.label(source, target, constant(-1, 0, 8))[..., 8:-8, 8:-8]
    assert float(coarse.min()) == 1.0


def test_between_low_and_high_the_label_is_linear() -> None:
    source = torch.zeros(1, 3, 8, 8)
    target = torch.full((1, 3, 8, 8), 0.1)
    loss = MaskVisibilityLoss(low=0.05, high=0.25)
    label = loss.label(source, target, constant(0, 0))
    torch.testing.assert_close(label, torch.full((1, 1, 8, 8), 0.75))
    with pytest.raises(ValueError, match="low must be below high"):
        MaskVisibilityLoss(low=0.2, high=0.2)


def test_the_mask_learns_and_the_flow_does_not() -> None:
    source, target = moved()
    flow = constant(-4, 0, 32).requires_grad_()
    masks = [torch.full((1, 1, size, size), 0.5, requires_grad=True) for size in (16, 32)]
    nothing = dots(None)
    inputs = LossInputs(target, [source], [nothing], nothing, [[flow]], [masks], levels=(0,))
    loss = MaskVisibilityLoss(weight=3.0)
    assert loss.trains_masks
    value = loss(inputs)
    # the entropy of an undecided mask is log 2 whatever the label, at each of the two scales
    assert float(value.detach()) == pytest.approx(3.0 * 2 * 0.6931, abs=1e-3)
    value.backward()
    assert flow.grad is None
    for mask in masks:
        assert mask.grad is not None
        here = mask.shape[2] // 2
        assert float(mask.grad[0, 0, here, here]) < 0  # more of the source


def points(*places: tuple[float, float, float]) -> Tensor:
    return torch.tensor(places).unsqueeze(0)


def test_points_are_content_with_the_exact_displacement() -> None:
    source, target = points((4, 6, 1), (0, 12, 1)), points((10, 2, 1), (6, 8, 1))
    moved = Points(target, [source])  # both: -6 in x, +4 in y
    inputs = given([constant(-3, 2), constant(-6, 4, size=16)], dots(None), dots(None))
    picture = torch.zeros(1, 3, 16, 16)
    inputs = replace(inputs, points=moved, target=picture)
    assert float(PointFlowLoss()(inputs)) == pytest.approx(0.0, abs=1e-6)
    inputs = replace(inputs, flows=[[constant(0, 0), constant(0, 0, size=16)]])
    for reach in (0.0, 1.0):
        loss = PointFlowLoss(weight=2.0, reach=reach)
        assert float(loss(inputs)) == pytest.approx(2.0 * (5 + 10))
    with pytest.raises(ValueError, match="reach must be 0 pixels or more"):
        PointFlowLoss(reach=-1)


def test_a_point_counts_where_it_lies_and_where_both_show_it() -> None:
    """The centre of pixel 3 lies at 3.5: of pictures and of flows with half their pixels alike."""
    target = points((3.5, 5.5, 1), (6.5, 1.5, 1), (1.5, 1.5, 0))
    source = points((4.5, 5.5, 1), (6.5, 1.5, 0), (9.5, 1.5, 1))
    flow = constant(0, 0).requires_grad_(True)
    loss = point_flow(flow, source, target, (8, 8), reach=0.5)
    assert float(loss.detach()) == pytest.approx(1.0)
    loss.backward()
    pull = flow.grad[0].abs().sum(0)  # type: ignore[index]
    assert divmod(int(pull.argmax()), 8) == (5, 3)
    assert float(pull[:3].sum()) < 1e-4 * float(pull.sum())
    at_it_alone = flow.detach().clone().requires_grad_(True)
    loss = point_flow(at_it_alone, source, target, (8, 8), reach=0)
    assert float(loss.detach()) == pytest.approx(1.0)
    loss.backward()
    assert at_it_alone.grad is not None
    assert at_it_alone.grad[0, 0].nonzero().tolist() == [[5, 3]]  # -1 in x, at the centre
    nowhere = points((3.5, 5.5, 0), (6.5, 1.5, 0), (1.5, 1.5, 0))
    for reach in (0.0, 1.0):
        assert float(point_flow(flow.detach(), source, nowhere, (8, 8), reach)) == 0.0


def test_between_pixels_a_point_reads_the_flow_between_them() -> None:
    flow = torch.arange(8.0).view(1, 1, 1, 8).expand(1, 2, 8, 8)  # its x and y: the pixel's number
    target = points((3.25, 4.5, 1))  # a quarter before the centre of pixel 3
    loss = point_flow(flow, target, target, (8, 8), reach=0)
    assert float(loss) == pytest.approx(2 * 2.75)
    half = point_flow(flow[..., :4, :4], target, target, (8, 8), reach=0)  # half the resolution
    assert float(half) == pytest.approx(2 * (3.25 / 2 - 0.5))
