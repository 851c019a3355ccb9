"""Flow colours after Baker et al."""

import numpy as np
import pytest
import torch

from gfla_video.visualization import flow_legend, flow_maximum, flow_to_rgb


def one(dx: float, dy: float, maximum: float = 10.0) -> tuple[int, ...]:
    return tuple(int(v) for v in flow_to_rgb(np.array([[[dx]], [[dy]]]), maximum)[0, 0])


def test_known_directions() -> None:
    assert one(0, 0) == (255, 255, 255)
    assert one(10, 0) == (255, 0, 0)  # to the right: red
    assert one(0, 10) == (255, 229, 0)  # down: yellow
    assert one(-10, 0) == (0, 208, 255)  # to the left: cyan
    assert one(0, -10) == (88, 0, 255)  # up: blue to violet


def test_longer_is_more_saturated_and_beyond_is_darker() -> None:
    assert one(5, 0) == (255, 127, 127)
    assert one(20, 0) == (191, 0, 0)
    assert one(float("nan"), 0) == (0, 0, 0)


def test_maximum_is_nearly_the_largest_and_never_tiny() -> None:
    flow = np.zeros((2, 10, 10))
    assert flow_maximum(flow) == 1.0
    flow[0] = 30.0
    assert flow_maximum(flow) == 30.0
    assert (flow_to_rgb(flow) == flow_to_rgb(flow, 30.0)).all()


def test_tensors_and_wrong_shapes() -> None:
    assert flow_to_rgb(torch.zeros(2, 3, 5)).shape == (3, 5, 3)
    with pytest.raises(ValueError, match=r"\[2, H, W\]"):
        flow_to_rgb(np.zeros((3, 4, 4)))
    with pytest.raises(ValueError, match="maximum"):
        flow_to_rgb(np.zeros((2, 4, 4)), 0.0)


def test_legend_is_the_wheel() -> None:
    legend = flow_legend(65, 8.0)
    assert legend.shape == (65, 65, 3)
    assert tuple(legend[0, 0]) == (255, 255, 255)  # outside
    assert tuple(legend[32, 64]) == (255, 0, 0)
    assert tuple(legend[32, 32]) == (255, 255, 255)
