"""The colour error around points against a loop over pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gfla_video.evaluation import PointColourError, RegionL1


def test_against_a_loop() -> None:
    true, made = torch.rand(3, 3, 20, 16) * 2 - 1, torch.rand(3, 3, 20, 16) * 2 - 1
    points = torch.rand(3, 6, 3) * torch.tensor([15.0, 19.0, 2.0])
    points[..., 2] = points[..., 2].floor()  # visible or not
    points[0, 0] = torch.tensor([-1.0, 3.0, 1.0])  # partly outside
    points[0, 1] = torch.tensor([90.0, 3.0, 1.0])  # outside: does not count
    points[1, :, 2] = 0  # nobody
    metric = PointColourError(radius=2.5)
    for part in (slice(0, 1), slice(1, 3)):
        targets = {"image": true[part], "points": points[part]}
        metric.process({"targets": targets}, [{"image": image} for image in made[part]])

    errors = []
    difference = ((true - made).abs().mean(1) / 2).numpy()
    for i in range(3):
        for x, y, seen in points[i].tolist():
            inside = [
                difference[i, r, c]
                for r in range(20)
                for c in range(16)
                if (c - x) ** 2 + (r - y) ** 2 <= 2.5**2
            ]
            if seen and inside:
                errors.append(np.mean(inside))
    assert len(errors) >= 4
    expected = np.mean(errors)
    assert metric.evaluate(3)["point_colour_error"] == pytest.approx(expected, rel=1e-5)


def test_moving_beats_copying() -> None:
    """A red patch that moved: the copy has the background at the point, a right result has it."""
    source, target = torch.full((1, 3, 32, 32), 0.5), torch.full((1, 3, 32, 32), 0.5)
    source[0, :, 2:9, 2:9] = torch.tensor([1.0, -1, -1]).view(3, 1, 1)
    target[0, :, 20:27, 20:27] = torch.tensor([1.0, -1, -1]).view(3, 1, 1)
    data = {"targets": {"image": target, "points": torch.tensor([[[23.0, 23.0, 1.0]]])}}
    values = []
    for image in (source, target):
        metric = PointColourError()
        metric.process(data, [{"image": image[0]}])
        values.append(metric.evaluate(1)["point_colour_error"])
    assert values == pytest.approx([(0.25 + 0.75 + 0.75) / 3, 0.0])


def test_region_l1_against_a_loop() -> None:
    """Each pixel of the union of the discs counts once; a quarter of 16 is 4 pixels."""
    true, made = torch.rand(3, 3, 20, 16) * 2 - 1, torch.rand(3, 3, 20, 16) * 2 - 1
    points = torch.rand(3, 5, 3) * torch.tensor([15.0, 19.0, 2.0])
    points[..., 2] = points[..., 2].floor()
    points[0, 0] = torch.tensor([-1.0, 3.0, 1.0])  # partly outside
    points[0, 1] = points[0, 0]  # twice the same place
    points[2, :, 2] = 0  # nobody
    metric = RegionL1(radius=0.25)
    for part in (slice(0, 2), slice(2, 3)):
        targets = {"image": true[part], "points": points[part]}
        metric.process({"targets": targets}, [{"image": image} for image in made[part]])

    difference = ((true - made).abs().mean(1) / 2).numpy()
    inside = [
        difference[i, r, c]
        for i in range(3)
        for r in range(20)
        for c in range(16)
        if any((c - x) ** 2 + (r - y) ** 2 <= 16 and seen for x, y, seen in points[i].tolist())
    ]
    assert 50 < len(inside) < 600
    assert metric.evaluate(3)["landmark_l1"] == pytest.approx(np.mean(inside), rel=1e-5)


def test_without_a_visible_point_the_region_is_not_a_number() -> None:
    image = torch.rand(1, 3, 16, 16)
    metric = RegionL1()
    metric.process(
        {"targets": {"image": image, "points": torch.zeros(1, 4, 3)}}, [{"image": image[0]}]
    )
    assert np.isnan(metric.evaluate(1)["landmark_l1"])
