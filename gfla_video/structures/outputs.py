"""What networks return. NamedTuples, because ``torch.export`` takes them."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class FlowOutput(NamedTuple):
    """Flow fields and occlusion masks (paper Eq. 1), by reference and by scale.

    ``flows[r][s]`` is ``[B, 2, h, w]`` = (dx, dy) in pixels of its own map, target to source;
    ``masks[r][s]`` is ``[B, 1, h, w]`` in [0, 1], 1 = take the source. Scales go coarse to fine.
    """

    flows: list[list[Tensor]]
    masks: list[list[Tensor]]


class GeneratorOutput(NamedTuple):
    """A generated picture ``[B, 3, H, W]`` in [-1, 1] with the flows and masks that made it."""

    image: Tensor
    flows: list[list[Tensor]]
    masks: list[list[Tensor]]
