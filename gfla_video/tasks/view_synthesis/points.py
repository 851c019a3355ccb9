"""The same points of an object's surface in all of its views, where the data know some."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gfla_video.utils.errors import UserError

_ARRAYS = ("names", "points", "size")
KEPT_BYTES = 64 * 2**20  # of points in the memory of one worker


class Marked(NamedTuple):
    """One file: points ``[V, N, 3]``, the row of each view, (H, W) of the pictures."""

    points: npt.NDArray[np.float32]
    rows: dict[str, int]
    size: tuple[int, int]


class SurfacePoints:
    """Reads ``<folder>/<object>.npz``: names ``[V]``, points ``[V, N, 3]``, size ``(H, W)``.

    A point is x, y in pixels of pictures of that size (centres at whole numbers), and 1 where it
    shows, else 0. All objects have as many.

    Args:
        folder: of the files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: dict[str, Marked] = {}
        self._bytes = 0
        self._count: int | None = None

    def of(self, name: str, view: str, size: tuple[int, int]) -> Tensor:
        """An object's points in one of its views.

        Args:
            name: the object.
            view: the view's name.
            size: (H, W) of the samples; x and y are scaled to it.

        Returns:
            float32 ``[N, 3]``; x and y from the picture's upper left edge, centres at 0.5, 1.5, ...
            (as ``PointFlowLoss`` reads them, so that they scale with the picture).

        Raises:
            UserError: the file is not there, is broken, lacks the view, or has another number of
                points than the files before.
        """
        path = self.folder / f"{name}.npz"
        marked = self._marked(name, path)
        if view not in marked.rows:
            raise UserError(
                f"{path}: has no points of the view {view}; make the data set again, or set "
                "with_points=False"
            )
        points = torch.from_numpy(marked.points[marked.rows[view]].copy())
        height, width = marked.size
        points[:, :2] += 0.5
        return points * torch.tensor([size[1] / width, size[0] / height, 1.0])

    def _marked(self, name: str, path: Path) -> Marked:
        if name not in self._kept:
            marked = _read(path)
            count = marked.points.shape[1]
            if self._count not in (None, count):
                raise UserError(
                    f"{path}: has {count} points, other objects have {self._count}; make the "
                    "points of all objects with one number"
                )
            if self._bytes > KEPT_BYTES:  # many objects: begin anew, a file is read in no time
                self._kept, self._bytes = {}, 0
            self._kept[name], self._count = marked, count
            self._bytes += marked.points.nbytes
        return self._kept[name]


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
