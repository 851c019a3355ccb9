"""A picture of what a network does with some samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from gfla_video.apis.predictors import Predictor
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
_WISHED_HEIGHT = 192  # small pictures are enlarged to about this many pixels


def write_preview(
    path: str | Path,
    predict: Predictor,
    dataset: Dataset[Any],
    structure: Mapping[str, Any] | None,
    rows: int = 6,
) -> Path:
    """Write rows of source, target structure, result, ground truth, flow colours, mask as one PNG.

    Args:
        path: ``.png``.
        predict: the network's predictor.
        dataset: held-out samples; ``rows`` of them are taken, evenly spaced.
        structure: the config's ``structure``, which decodes and draws the target's; None, or one
            that has no ``decode``, leaves the panel out.
        rows: number of samples.

    Raises:
        UserError: the folder cannot be written.
    """
    size = len(dataset)  # type: ignore[arg-type]
    chosen = [index * size // min(rows, size) for index in range(min(rows, size))]
    drawer = None if structure is None else STRUCTURES.build(dict(structure))
    strips = [_panels(dataset[index], predict, drawer) for index in chosen]
    height = next(iter(strips[0].values())).shape[0]
    return contact_sheet(strips, path, scale=max(1, round(_WISHED_HEIGHT / height)))


def _panels(sample: dict[str, Any], predict: Predictor, drawer: Any) -> dict[str, Picture]:
    (made,) = predict(default_collate([sample]))
    target: Tensor = sample["targets"]["image"]
    size = (target.shape[-2], target.shape[-1])
    panels = {"source": tensor_to_uint8(sample["inputs"]["sources"][0])}
    if hasattr(drawer, "decode"):
        annotation = drawer.decode(sample["inputs"]["target_structure"])
        panels["structure"] = drawer.draw(annotation, size)
    if "image" in made:
        panels["result"] = tensor_to_uint8(made["image"])
    panels["truth"] = tensor_to_uint8(target)
    if "flows" in made:
        flow = to_full_resolution(made["flows"][0][-1][None].float(), size)[0].numpy()
        panels["flow"] = flow_to_rgb(flow, flow_maximum(flow))
    if "masks" in made:
        panels["mask"] = mask_picture(made["masks"][0][-1], size)
    return panels
