"""The panels of one sample: sources, structure, result, truth, flow colours, mask, warped source.

Convention: a sample is what a data set gives (``inputs``, ``targets``, no batch dimension), a
prediction a dict with any of ``image [3, H, W]``, ``flows[r][scale] [2, h, w]`` and
``masks[r][scale] [1, h, w]``; of a clip the frames come first. Flows are in pixels of their own
map, target to source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.utils._pytree import tree_map_only

from gfla_video.ops.sampling import bilinear_warp
from gfla_video.structures.flow import to_full_resolution
from gfla_video.visualization.flow_colors import flow_maximum, flow_to_rgb
from gfla_video.visualization.panels import (
    Picture,
    legend_picture,
    mask_picture,
    tensor_to_uint8,
)

Sample = Mapping[str, Any]
Prediction = Mapping[str, Any]
_LEGEND = "full colour"


def sample_panels(
    sample: Sample,
    prediction: Prediction,
    drawer: Any = None,
    limit: float | None = None,
    full: bool = False,
) -> dict[str, Picture]:
    """Name to picture, in the order in which people read them.

    Args:
        sample: one picture's sample, or one frame's (:func:`frame_sample`); without ``targets``
            there is no truth.
        prediction: what it gives is shown; an empty one shows the sample alone.
        drawer: a built structure, see :func:`structure_picture`; None leaves its panel out.
        limit: pixels that the flow colours end at; None: :func:`flow_limit` of this prediction.
        full: also show every source that is at hand, warped by its finest flow, and the legend of
            the flow colours.

    Returns:
        ``source`` (``source 2``, ...), ``structure``, ``result``, ``truth``, ``flow``, ``warped
        source``, ``mask``, ``full colour``; further references are called by :func:`panel_title`.
    """
    sources = sample["inputs"]["sources"]
    size = (sources[0].shape[-2], sources[0].shape[-1])
    panels = {
        panel_title("source", number, len(sources)): tensor_to_uint8(source)
        for number, source in enumerate(sources)
    }
    drawn = structure_picture(drawer, sample["inputs"]["target_structure"], size)
    if drawn is not None:
        panels["structure"] = drawn
    if "image" in prediction:
        panels["result"] = tensor_to_uint8(prediction["image"])
    if "image" in sample.get("targets", {}):
        panels["truth"] = tensor_to_uint8(sample["targets"]["image"])
    flows = finest_flows(prediction, size)
    limit = flow_limit(prediction, size) if limit is None else limit
    for reference, flow in enumerate(flows):
        panels[panel_title("flow", reference, len(sources))] = flow_to_rgb(flow.numpy(), limit)
    if full:
        for number, (source, flow) in enumerate(zip(sources, flows, strict=False)):
            moved = bilinear_warp(source[None].float(), flow[None])[0]
            panels[panel_title("warped source", number, len(sources))] = tensor_to_uint8(moved)
    for reference, masks in enumerate(prediction.get("masks", [])):
        picture = mask_picture(masks[-1], size)
        panels[panel_title("mask", reference, len(sources))] = picture
    if full and flows:
        panels[_LEGEND] = legend_picture(size, limit)
    return panels


def still_panels(sources: int) -> set[str]:
    """Titles of the panels that are the same in all frames of a clip."""
    return {_LEGEND, *(panel_title("source", number, sources) for number in range(sources))}


def structure_picture(drawer: Any, maps: Tensor, size: tuple[int, int]) -> Picture | None:
    """A structure tensor as a picture for people.

    Args:
        drawer: a structure of the registry: its ``show(maps)``, or its ``decode`` and ``draw``,
            make the picture.
        maps: ``[C, H, W]``, or a code ``[C, 1, 1]``.
        size: (H, W) of the picture.

    Returns:
        uint8 ``[H, W, 3]``; None without a drawer, or with one that can do neither.
    """
    if hasattr(drawer, "show"):
        shown: Picture = drawer.show(maps)
        return shown
    if hasattr(drawer, "decode"):
        drawn: Picture = drawer.draw(drawer.decode(maps), size)
        return drawn
    return None


def panel_title(what: str, reference: int, sources: int) -> str:
    """What a panel of reference number ``reference`` is called.

    References are so many ``sources``, then the last generated frame, the one before, ...
    """
    if reference < sources:
        return what if reference == 0 else f"{what} {reference + 1}"
    back = reference - sources + 1
    return f"previous {what}" if back == 1 else f"previous {back} {what}"


def finest_flows(prediction: Prediction, size: tuple[int, int]) -> list[Tensor]:
    """The finest flow of each reference, ``[2, H, W]`` on the CPU in pixels of the picture."""
    return [
        to_full_resolution(scales[-1][None].detach().float().cpu(), size)[0]
        for scales in prediction.get("flows", [])
    ]


def flow_limit(prediction: Prediction, size: tuple[int, int]) -> float:
    """What flow colours end at, in pixels of a picture: nearly the longest of any reference.

    Of a clip's prediction it is that of all frames.
    """
    flows = prediction.get("flows", [])
    return max((_longest(scales[-1], size) for scales in flows), default=1.0)


def _longest(flow: Tensor, size: tuple[int, int]) -> float:
    maps = flow.detach().float().cpu().reshape(-1, *flow.shape[-3:])
    full: npt.NDArray[np.float32] = to_full_resolution(maps, size).numpy()
    return flow_maximum(full)


def frame_sample(clip: Sample, frame: int) -> dict[str, Any]:
    """One frame of a clip, as if it were a sample of its own."""
    inputs = clip["inputs"]
    structure = inputs["target_structures"][frame]
    sample: dict[str, Any] = {
        "inputs": {"sources": inputs["sources"], "target_structure": structure}
    }
    if "image" in clip.get("targets", {}):
        sample["targets"] = {"image": clip["targets"]["image"][frame]}
    return sample


def frame_prediction(prediction: Prediction, frame: int) -> dict[str, Any]:
    """One frame of a clip's prediction."""
    found: dict[str, Any] = tree_map_only(Tensor, lambda maps: maps[frame], dict(prediction))
    return found


def spread(count: int, wanted: int) -> list[int]:
    """``wanted`` numbers below ``count``, the first and the last among them, or all of them."""
    if count <= wanted:
        return list(range(count))
    return [round(place * (count - 1) / max(wanted - 1, 1)) for place in range(wanted)]
