"""What leaves the device, and the pictures that are made of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gfla_video.apis.panels import BatchOnHost, Panels, images_to_bytes, panel_names
from gfla_video.structures import GeneratorOutput
from gfla_video.structures.frame_fit import FrameFit
from gfla_video.utils.errors import UserError
from gfla_video.visualization import tensor_to_uint8


def output(batch: int, size: tuple[int, int]) -> GeneratorOutput:
    quarter = (size[0] // 4, size[1] // 4)
    flow, mask = torch.rand(batch, 2, *quarter) * 4, torch.rand(batch, 1, *quarter)
    return GeneratorOutput(torch.rand(batch, 3, *size) * 2.2 - 1.1, [[flow]], [[mask]])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_batch_of_bytes_is_rounded_like_one_picture(layout: torch.memory_format) -> None:
    images = torch.rand(5, 3, 16, 24) * 2.4 - 1.2
    levels = torch.arange(-1, 257).float() / 127.5 - 1  # every level and its halves
    images[0].view(-1)[: 258 * 2] = torch.cat([levels, levels + 0.5 / 127.5])
    made = images_to_bytes(images.contiguous(memory_format=layout))
    assert made.dtype == torch.uint8 and made.is_contiguous()
    for one, image in zip(made, images, strict=True):
        assert np.array_equal(one.numpy(), tensor_to_uint8(image))


def test_only_what_is_shown_is_copied() -> None:
    made = BatchOnHost.of(output(2, (64, 96)), ["a", "b"], (64, 96), ("result",))
    assert made.flow is None and made.mask is None and made.images.shape == (2, 64, 96, 3)
    made = BatchOnHost.of(output(2, (64, 96)), ["a", "b"], (64, 96), ("flow", "mask", "result"))
    assert made.flow is not None and made.flow.shape == (2, 2, 64, 96)
    assert made.mask is not None and made.mask.shape == (2, 1, 16, 24)
    made.wait()


def test_the_first_batch_sets_the_legend_of_the_flow() -> None:
    size = (64, 96)
    source = np.zeros((*size, 3), np.uint8)
    panels = Panels(panel_names("flow"), source, FrameFit(size, size), None)
    first = BatchOnHost.of(output(2, size), [0, 1], size, panels.names)
    frames = list(panels.frames([first]))
    legend = panels.flow_legend
    assert legend is not None and legend > 0
    assert len(frames) == 2 and frames[0].shape[1] == 2 * 96 + 2
    wild = output(1, size)
    wild.flows[0][0].mul_(50)
    list(panels.frames([BatchOnHost.of(wild, [2], size, panels.names)]))
    assert panels.flow_legend == legend


def test_names_of_panels() -> None:
    assert panel_names("flow, flow,mask") == ("flow", "mask", "result")
    assert panel_names(["result", "source"]) == ("result", "source")
    with pytest.raises(UserError, match="no panel 'flows', there are source"):
        panel_names("flows")
