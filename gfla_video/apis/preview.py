"""A picture of what a network does with some samples, or with some frames of a clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.utils._pytree import tree_map_only
from torch.utils.data import Dataset, default_collate

from gfla_video.apis.predictors import Prediction, Predictor
from gfla_video.evaluation.clips import clip_lengths, is_clip_batch
from gfla_video.registry import STRUCTURES
from gfla_video.structures.flow import to_full_resolution
from gfla_video.visualization import (
    contact_sheet,
    flow_maximum,
    flow_to_rgb,
    mask_picture,
    tensor_to_uint8,
)

Picture = npt.NDArray[np.uint8]
Sample = dict[str, Any]
_WISHED_HEIGHT = 192  # small pictures are enlarged to about this many pixels


def write_preview(
    path: str | Path,
    predict: Predictor,
    dataset: Dataset[Any],
    structure: Mapping[str, Any] | None,
    rows: int = 6,
) -> Path:
    """Write rows of source, target structure, result, ground truth, flow colours, mask as one PNG.

    Where the network has several references, flows and masks come for each. Flow colours have one
    legend for all references and frames of a clip, and one per row of still pictures.

    Args:
        path: ``.png``.
        predict: the network's predictor.
        dataset: held-out samples; ``rows`` of them are taken, evenly spaced. Of clips the first one
            is taken, and of its frames ``rows``, evenly spaced in time.
        structure: the config's ``structure``, whose ``show(maps)`` or whose ``decode`` and ``draw``
            make a picture of the target's; None, or one that has neither, leaves the panel out.
        rows: number of samples, or of frames.

    Raises:
        UserError: the folder cannot be written.
    """
    drawer = None if structure is None else STRUCTURES.build(dict(structure))
    strips: list[dict[str, Picture]] = []
    if is_clip_batch(dataset[0]):
        strips.extend(_clip_rows(dataset[0], predict, drawer, rows))
    else:
        for index in _spread(len(dataset), rows):  # type: ignore[arg-type]
            sample = dataset[index]
            (made,) = predict(default_collate([sample]))
            strips.append(_panels(sample, made, drawer, _legend(made, sample)))
    height = next(iter(strips[0].values())).shape[0]
    return contact_sheet(strips, path, scale=max(1, round(_WISHED_HEIGHT / height)))


def _spread(count: int, rows: int) -> list[int]:
    """``rows`` numbers below ``count``, the first and the last among them, or all of them."""
    if count <= rows:
        return list(range(count))
    return [round(row * (count - 1) / max(rows - 1, 1)) for row in range(rows)]


def _clip_rows(
    clip: Sample, predict: Predictor, drawer: Any, rows: int
) -> Iterator[dict[str, Picture]]:
    """Some frames of a clip, each as if it were a sample of its own."""
    batch = default_collate([clip])
    (made,) = predict(batch)
    frames = _spread(clip_lengths(batch)[0], rows)
    pairs = [(_frame_sample(clip, frame), _frame_of(made, frame)) for frame in frames]
    legend = max(_legend(prediction, sample) for sample, prediction in pairs)
    for sample, prediction in pairs:
        yield _panels(sample, prediction, drawer, legend)


def _frame_sample(clip: Sample, frame: int) -> Sample:
    inputs = clip["inputs"]
    target = inputs["target_structures"][frame]
    return {
        "inputs": {"sources": inputs["sources"], "target_structure": target},
        "targets": {"image": clip["targets"]["image"][frame]},
    }


def _frame_of(prediction: Prediction, frame: int) -> Prediction:
    found: Prediction = tree_map_only(Tensor, lambda maps: maps[frame], prediction)
    return found


def _panels(sample: Sample, made: Prediction, drawer: Any, flow_limit: float) -> dict[str, Picture]:
    target: Tensor = sample["targets"]["image"]
    size = (target.shape[-2], target.shape[-1])
    sources = sample["inputs"]["sources"]
    panels = {
        _titled("source", number, len(sources)): tensor_to_uint8(source)
        for number, source in enumerate(sources)
    }
    maps = sample["inputs"]["target_structure"]
    if hasattr(drawer, "show"):
        panels["structure"] = drawer.show(maps)
    elif hasattr(drawer, "decode"):
        panels["structure"] = drawer.draw(drawer.decode(maps), size)
    if "image" in made:
        panels["result"] = tensor_to_uint8(made["image"])
    panels["truth"] = tensor_to_uint8(target)
    for reference, flow in enumerate(_flows(made, size)):
        panels[_titled("flow", reference, len(sources))] = flow_to_rgb(flow, flow_limit)
    for reference, masks in enumerate(made.get("masks", [])):
        panels[_titled("mask", reference, len(sources))] = mask_picture(masks[-1], size)
    return panels


def _titled(what: str, reference: int, sources: int) -> str:
    """References are so many sources, then the last generated frame, the one before, ..."""
    if reference < sources:
        return what if reference == 0 else f"{what} {reference + 1}"
    back = reference - sources + 1
    return f"previous {what}" if back == 1 else f"previous {back} {what}"


def _flows(made: Prediction, size: tuple[int, int]) -> list[npt.NDArray[np.float32]]:
    """The finest flow of each reference in pixels of the picture, ``[2, H, W]``."""
    return [
        to_full_resolution(scales[-1][None].float(), size)[0].numpy()
        for scales in made.get("flows", [])
    ]


def _legend(made: Prediction, sample: Sample) -> float:
    """What the flow colours end at, in pixels: nearly the longest flow of any reference."""
    image = sample["targets"]["image"]
    flows = _flows(made, (image.shape[-2], image.shape[-1]))
    return max(map(flow_maximum, flows), default=1.0)
