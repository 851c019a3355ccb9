"""Look at a data set: samples as pictures, with their structures drawn, as training gets them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch.utils.data import default_collate

from gfla_video.apis.config import load_config
from gfla_video.apis.preview import build_drawer
from gfla_video.engine.stages import expand_stages
from gfla_video.evaluation.clips import clip_lengths, is_clip_batch
from gfla_video.registry import DATASETS
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import ensure_writable_folder
from gfla_video.utils.progress import progress
from gfla_video.visualization import (
    Picture,
    contact_sheet,
    frame_sample,
    panel_title,
    readable_scale,
    sample_panels,
    spread,
    structure_picture,
)

PARTS = ("train", "test")
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")


def browse_dataset(
    config: Config | str | Path,
    out: str | Path,
    *,
    part: str = "train",
    samples: Sequence[int] = (),
    count: int = 8,
    epoch: int = 0,
    frames: int = 4,
    cfg_options: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write one PNG per sample: sources, their structures, the target's structure, the target.

    Pictures are what the network is given: cropped, resized and augmented.

    Args:
        config: a file, or a config that was read already; the last stage's data set counts.
        out: folder of ``<number>_<name>.png``.
        part: ``train`` or ``test``.
        samples: numbers from 0 on; none: ``count`` of them, evenly spaced.
        count: see ``samples``.
        epoch: whose augmentation is shown.
        frames: rows of a clip, evenly spaced in time.
        cfg_options: changes by dotted path.

    Raises:
        UserError: bad config or data, no such sample, or a folder that cannot be written.
    """
    folder = ensure_writable_folder(out)
    cfg = expand_stages(load_config(config, cfg_options), "")[-1].config
    settings = cfg.get(f"{part}_dataloader")
    if not settings:
        raise UserError(f"{cfg.filename}: has no {part}_dataloader, so there is nothing to show")
    if min(count, frames) < 1:
        raise UserError("--count, --frames: must be at least 1")
    if epoch < 0:
        raise UserError(f"--epoch {epoch}: must be 0 or more")
    dataset = DATASETS.build(settings["dataset"])
    size = len(dataset)
    wrong = [number for number in samples if not 0 <= number < size]
    if wrong or not size:
        raise UserError(f"--samples {wrong}: the {part} data hold {size} samples, from 0 on")
    drawer = build_drawer(cfg.get("structure"))
    written = []
    for number in progress(list(samples) or spread(size, count), "drawing samples"):
        sample = dataset[(number, epoch)]
        name = _NOT_IN_NAMES.sub("_", str(sample["meta"]["name"]))
        rows = _rows(sample, drawer, frames)
        scale = readable_scale(next(iter(rows[0].values())))
        written.append(contact_sheet(rows, folder / f"{number:06d}_{name}.png", scale))
    return written


def _rows(sample: dict[str, Any], drawer: Any, frames: int) -> list[dict[str, Picture]]:
    """One row of panels, of a clip one for each of some frames."""
    batch = default_collate([sample])
    if not is_clip_batch(batch):
        singles = [sample]
    else:
        chosen = spread(clip_lengths(batch)[0], frames)
        singles = [frame_sample(sample, frame) for frame in chosen]
    structures = sample["inputs"]["source_structures"]
    return [_panels(single, structures, drawer) for single in singles]


def _panels(
    single: dict[str, Any], source_structures: Sequence[Any], drawer: Any
) -> dict[str, Picture]:
    """Each source with its structure, then the target's structure and the target."""
    found = sample_panels(single, {}, drawer)
    sources = single["inputs"]["sources"]
    size = (sources[0].shape[-2], sources[0].shape[-1])
    panels: dict[str, Picture] = {}
    for number, maps in enumerate(source_structures):
        title = panel_title("source", number, len(sources))
        panels[title] = found.pop(title)
        drawn = structure_picture(drawer, maps, size)
        if drawn is not None:
            panels[f"{title}'s structure"] = drawn
    return {**panels, **found}
