"""Exact ground truth of made data: flow, visibility and the people's pixels of a pair."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gfla_video.utils.errors import UserError

_MASKS = ("visible", "foreground", "source_foreground")


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
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: the ground truth of this pair is not there; set with_truth=False")
    try:
        with np.load(path) as arrays:
            missing = [key for key in ("flow", *_MASKS) if key not in arrays.files]
            if missing:
                raise UserError(f"{path}: has no array '{missing[0]}'; make the data set again")
            found = {key: torch.from_numpy(np.asarray(arrays[key])) for key in ("flow", *_MASKS)}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path}: the ground truth cannot be read ({error}); make the data set again"
        ) from error
    flow = found["flow"].float()
    if flow.dim() != 3 or flow.shape[0] != 2:
        raise UserError(f"{path}: flow is {tuple(flow.shape)}, expected [2, H, W]")
    truth = {"flow": _resize(flow, size)}
    truth["flow"][0] *= size[1] / flow.shape[2]
    truth["flow"][1] *= size[0] / flow.shape[1]
    for key in _MASKS:
        if found[key].shape != flow.shape[1:]:
            raise UserError(
                f"{path}: {key} is {tuple(found[key].shape)}, the flow {tuple(flow.shape)}"
            )
        truth[key] = _resize(found[key].float()[None], size)
    return truth


def _resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(maps.shape[1:]) == tuple(size):
        return maps.clone()
    return F.interpolate(maps[None], size=tuple(size), mode="nearest-exact")[0]
