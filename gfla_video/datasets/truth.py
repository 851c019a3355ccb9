"""Exact ground truth of made data: flow, visibility and the people's pixels of a pair or clip."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gfla_video.utils.errors import UserError

_MASKS = ("visible", "foreground", "source_foreground")
_CLIP_MASKS = ("visible", "foreground")


def read_truth(path: Path | str, size: tuple[int, int]) -> dict[str, Tensor]:
    """Read ``<from>_2_<to>.npz`` and bring it to ``size`` (nearest neighbour).

    Args:
        path: holds ``flow`` [2, h, w] (dx, dy, target to source, in pixels of h x w), ``visible``,
            ``foreground`` and ``source_foreground`` [h, w].
        size: (H, W) of the samples; the flow's values are rescaled with it.

    Returns:
        float32 ``flow`` [2, H, W] and the masks [1, H, W] in {0, 1}.

    Raises:
        UserError: the file is not there, broken, or holds something else.
    """
    truth = _read(Path(path), _MASKS, dims=3)
    return {key: _resize(maps[None], size)[0] for key, maps in truth.items()}


def read_clip_truth(
    path: Path | str, indices: Sequence[int], size: tuple[int, int]
) -> dict[str, Tensor]:
    """Read ``<video>_truth.npz`` and bring some of its frames to ``size`` (nearest neighbour).

    Args:
        path: holds ``flow`` [T, 2, h, w] (dx, dy, of each frame into the video's first one, in
            pixels of h x w), ``visible`` and ``foreground`` [T, h, w].
        indices: the n frames that are wanted.
        size: (H, W) of the samples; the flow's values are rescaled with it.

    Returns:
        float32 ``flow`` [n, 2, H, W], ``visible`` and ``foreground`` [n, 1, H, W] in {0, 1}, and
        ``source_foreground`` [1, H, W], that of the first frame.

    Raises:
        UserError: the file is not there, broken, too short, or holds something else.
    """
    path = Path(path)
    truth = _read(path, _CLIP_MASKS, dims=4)
    length = len(truth["flow"])
    if max(indices) >= length:
        raise UserError(
            f"{path}: has the ground truth of {length} frames, frame {max(indices)} is wanted; "
            "make the data set again"
        )
    chosen = {key: _resize(maps[list(indices)], size) for key, maps in truth.items()}
    chosen["source_foreground"] = _resize(truth["foreground"][:1], size)[0]
    return chosen


def _read(path: Path, masks: tuple[str, ...], dims: int) -> dict[str, Tensor]:
    """Flow [.., 2, h, w] and masks [.., 1, h, w], float32, as stored."""
    if not path.is_file():
        what = "pair" if dims == 3 else "video"
        raise UserError(
            f"{path}: the ground truth of this {what} is not there; set with_truth=False"
        )
    try:
        with np.load(path) as arrays:
            missing = [key for key in ("flow", *masks) if key not in arrays.files]
            if missing:
                raise UserError(f"{path}: has no array '{missing[0]}'; make the data set again")
            found = {key: torch.from_numpy(np.asarray(arrays[key])) for key in ("flow", *masks)}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path}: the ground truth cannot be read ({error}); make the data set again"
        ) from error
    flow = found["flow"].float()
    if flow.dim() != dims or flow.shape[-3] != 2:
        expected = "[2, H, W]" if dims == 3 else "[T, 2, H, W]"
        raise UserError(f"{path}: flow is {tuple(flow.shape)}, expected {expected}")
    truth = {"flow": flow}
    for key in masks:
        if found[key].shape != flow.select(-3, 0).shape:
            raise UserError(
                f"{path}: {key} is {tuple(found[key].shape)}, the flow {tuple(flow.shape)}"
            )
        truth[key] = found[key].float().unsqueeze(-3)
    return truth


def _resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring maps ``[n, c, h, w]`` to ``size``; two channels are a flow, whose values scale too."""
    height, width = maps.shape[-2:]
    if (height, width) == tuple(size):
        return maps.clone()
    resized = F.interpolate(maps, size=tuple(size), mode="nearest-exact")
    if maps.shape[1] == 2:
        resized[:, 0] *= size[1] / width
        resized[:, 1] *= size[0] / height
    return resized
