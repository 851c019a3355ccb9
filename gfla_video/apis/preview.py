"""A picture of what a network does with some samples, or with some frames of a clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils._pytree import tree_map_only
from torch.utils.data import Dataset, default_collate

from gfla_video.apis.predictors import Batch, Prediction, Predictor
from gfla_video.evaluation.clips import clip_lengths, is_clip_batch
from gfla_video.registry import STRUCTURES
from gfla_video.visualization import (
    Picture,
    contact_sheet,
    flow_limit,
    frame_prediction,
    frame_sample,
    readable_scale,
    sample_panels,
    spread,
    still_panels,
)

Sample = dict[str, Any]


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
    drawer = build_drawer(structure)
    strips: list[dict[str, Picture]] = []
    if is_clip_batch(dataset[0]):
        strips.extend(_clip_rows(dataset[0], predict, drawer, rows))
    else:
        for index in spread(len(dataset), rows):  # type: ignore[arg-type]
            sample = dataset[index]
            (made,) = predict(default_collate([sample]))
            strips.append(sample_panels(sample, made, drawer))
    return contact_sheet(strips, path, scale=readable_scale(next(iter(strips[0].values()))))


def build_drawer(structure: Mapping[str, Any] | None) -> Any:
    """The config's ``structure`` built, which draws structures; None where there is none."""
    return None if structure is None else STRUCTURES.build(dict(structure))


def batch_panels(
    batch: Batch, index: int, prediction: Prediction, drawer: Any = None, frames: int | None = None
) -> dict[str, Picture]:
    """All panels of one row of a collated batch, warped sources and the flow's legend among them.

    Args:
        batch: of still samples, or of clips.
        index: the row.
        prediction: of this row, on any device.
        drawer: of :func:`build_drawer`.
        frames: at most so many frames of a clip, from its beginning; None: all of its own.

    Returns:
        Title to uint8 ``[H, W, 3]``; of a clip ``[T, H, W, 3]`` for what moves, with one legend of
        the flow colours for all frames.
    """
    parts = {key: batch[key] for key in ("inputs", "targets") if key in batch}
    sample = tree_map_only(Tensor, lambda values: values[index], parts)
    if not is_clip_batch(batch):
        return sample_panels(sample, prediction, drawer, full=True)
    length = min(clip_lengths(batch)[index], frames or clip_lengths(batch)[index])
    rows = list(_frames(sample, prediction, drawer, range(length), full=True))
    still = still_panels(len(sample["inputs"]["sources"]))
    return {
        title: rows[0][title] if title in still else np.stack([row[title] for row in rows])
        for title in rows[0]
    }


def _clip_rows(
    clip: Sample, predict: Predictor, drawer: Any, rows: int
) -> Iterator[dict[str, Picture]]:
    """Some frames of a clip, each as if it were a sample of its own."""
    batch = default_collate([clip])
    (made,) = predict(batch)
    yield from _frames(clip, made, drawer, spread(clip_lengths(batch)[0], rows))


def _frames(
    clip: Sample, made: Prediction, drawer: Any, frames: list[int] | range, full: bool = False
) -> Iterator[dict[str, Picture]]:
    source = clip["inputs"]["sources"][0]
    chosen = tree_map_only(Tensor, lambda maps: maps[list(frames)], made)
    limit = flow_limit(chosen, (source.shape[-2], source.shape[-1]))
    for frame in frames:
        pair = frame_sample(clip, frame), frame_prediction(made, frame)
        yield sample_panels(*pair, drawer, limit, full)
