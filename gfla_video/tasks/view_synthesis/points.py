"""The same points of an object's surface in all of its views, where the data know some."""

from __future__ import annotations

import zipfile
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gfla_video.utils.errors import UserError

_ARRAYS = ("names", "points", "size")


class Marked(NamedTuple):
    """One file: points ``[V, N, 3]``, the row of each view, (H, W) of the pictures."""

    points: npt.NDArray[np.float32]
    rows: dict[str, int]
    size: tuple[int, int]


class SurfacePoints:
    """Reads ``<folder>/<object>.npz``: names ``[V]``, points ``[V, N, 3]``, size ``(H, W)``.

    A point is x, y in pixels of pictures of that size, and 1 where it shows, else 0.

    Args:
        folder: of the files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, name: str, view: str, size: tuple[int, int]) -> Tensor:
        """An object's points in one of its views.

        Args:
            name: the object.
            view: the view's name.
            size: (H, W) of the samples; x and y are scaled to it.

        Returns:
            float32 ``[N, 3]``.

        Raises:
            UserError: the file is not there, is broken, or lacks the view.
        """
        path = self.folder / f"{name}.npz"
        marked = _read(path)
        if view not in marked.rows:
            raise UserError(
                f"{path}: has no points of the view {view}; make the data set again, or set "
                "with_points=False"
            )
        points = torch.from_numpy(marked.points[marked.rows[view]].copy())
        height, width = marked.size
        return points * torch.tensor([size[1] / width, size[0] / height, 1.0])


@lru_cache(maxsize=1024)
def _read(path: Path) -> Marked:
    if not path.is_file():
        raise UserError(f"{path}: the points of this object are not there; set with_points=False")
    try:
        with np.load(path) as arrays:
            names, points, size = (arrays[key] for key in _ARRAYS)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path}: is no file of {', '.join(_ARRAYS)} ({error}); make the data set again"
        ) from error
    if points.shape != (len(names), points.shape[1] if points.ndim > 1 else -1, 3):
        raise UserError(
            f"{path}: points are {points.shape}, expected ({len(names)}, N, 3); make the data set "
            "again"
        )
    rows = {str(name): row for row, name in enumerate(names)}
    return Marked(points.astype(np.float32), rows, (int(size[0]), int(size[1])))
