"""The panels of samples, of frames, and with what they are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gfla_video.visualization import (
    flow_limit,
    flow_to_rgb,
    frame_prediction,
    frame_sample,
    legend_picture,
    panel_title,
    sample_panels,
    spread,
    structure_picture,
    tensor_to_uint8,
)

SIZE = (8, 16)


def sample(sources: int = 1) -> dict[str, Any]:
    return {
        "inputs": {
            "sources": [torch.rand(3, *SIZE) * 2 - 1 for _ in range(sources)],
            "target_structure": torch.rand(2, *SIZE),
        },
        "targets": {"image": torch.rand(3, *SIZE) * 2 - 1},
    }


def prediction(references: int = 1) -> dict[str, Any]:
    flow = torch.zeros(2, SIZE[0] // 2, SIZE[1] // 2)
    flow[0] = 1.0  # two pixels of the picture, to the right
    mask = torch.rand(1, SIZE[0] // 2, SIZE[1] // 2)
    return {
        "image": torch.rand(3, *SIZE),
        "flows": [[flow * 9, flow]] * references,
        "masks": [[mask]] * references,
    }


class Shows:
    """A structure whose maps make a picture by themselves."""

    def show(self, maps: Tensor) -> np.ndarray:
        return np.full((*maps.shape[-2:], 3), 7, np.uint8)


class Draws:
    """A structure that is decoded first."""

    def decode(self, maps: Tensor) -> float:
        return float(maps.sum())

    def draw(self, annotation: float, size: tuple[int, int]) -> np.ndarray:
        return np.full((*size, 3), int(annotation), np.uint8)


def test_everything_that_is_known_in_the_order_of_reading() -> None:
    made = sample(2), prediction(3)
    panels = sample_panels(*made, Shows(), full=True)
    assert list(panels) == [
        *("source", "source 2", "structure", "result", "truth"),
        *("flow", "flow 2", "previous flow", "warped source", "warped source 2"),
        *("mask", "mask 2", "previous mask", "full colour"),
    ]
    assert all(panel.shape == (*SIZE, 3) and panel.dtype == np.uint8 for panel in panels.values())
    assert list(sample_panels(sample(), {}, None)) == ["source", "truth"]
    bare = sample()
    del bare["targets"]
    assert "truth" not in sample_panels(bare, prediction())


def test_the_warped_source_is_sampled_at_the_flows_end() -> None:
    one = sample()
    warped = sample_panels(one, prediction(), full=True)["warped source"]
    source = tensor_to_uint8(one["inputs"]["sources"][0])
    assert np.array_equal(warped[:, :-2], source[:, 2:])
    assert np.array_equal(warped[:, -1], source[:, -1])  # borders clamp


def test_flow_colours_are_in_pixels_of_the_picture() -> None:
    assert flow_limit(prediction(), SIZE) == pytest.approx(2.0)
    panels = sample_panels(sample(), prediction(), limit=4.0)
    half = flow_to_rgb(np.stack([np.full(SIZE, 2.0), np.zeros(SIZE)]), 4.0)
    assert np.array_equal(panels["flow"], half)
    assert flow_limit({}, SIZE) == 1.0


def test_structures_are_drawn_by_what_they_can() -> None:
    maps = torch.full((1, 1, 1), 9.0)
    assert structure_picture(Draws(), maps, SIZE).mean() == 9
    assert structure_picture(Shows(), torch.zeros(1, *SIZE), SIZE).mean() == 7
    assert structure_picture(None, maps, SIZE) is None
    assert structure_picture(object(), maps, SIZE) is None


def test_a_frame_is_a_sample_of_its_own() -> None:
    clip = {
        "inputs": {
            "sources": [torch.zeros(3, *SIZE)],
            "target_structures": torch.arange(4.0).view(4, 1, 1, 1).expand(4, 2, *SIZE),
        },
        "targets": {"image": torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, *SIZE)},
    }
    frame = frame_sample(clip, 2)
    assert frame["inputs"]["target_structure"].mean() == 2
    assert frame["targets"]["image"].mean() == 2
    made = {"flows": [[torch.arange(4.0).view(4, 1, 1, 1)]], "image": torch.zeros(4, 3, *SIZE)}
    assert frame_prediction(made, 3)["flows"][0][0].item() == 3


def test_titles_of_references() -> None:
    titles = [panel_title("flow", reference, 2) for reference in range(4)]
    assert titles == ["flow", "flow 2", "previous flow", "previous 2 flow"]


def test_spread_has_both_ends() -> None:
    assert spread(10, 4) == [0, 3, 6, 9]
    assert spread(3, 5) == [0, 1, 2]
    assert spread(9, 1) == [0]


@pytest.mark.parametrize("size", [(96, 64), (64, 160), (40, 40)])
def test_the_legend_has_the_wheel_and_its_length(size: tuple[int, int]) -> None:
    picture = legend_picture(size, 12.0)
    assert picture.shape == (*size, 3)
    colours = {tuple(pixel) for pixel in picture.reshape(-1, 3).tolist()}
    assert len(colours) > 100
    foot = picture[-size[0] // 6 :]
    assert foot.min() < 100  # the number under the wheel
