"""Views in one HDF5 file, as the field's released data have them (FACTS 1.7)."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from gfla_video.datasets import BrokenImageError
from gfla_video.datasets.images import to_rgb
from gfla_video.tasks.view_synthesis.cameras import Camera, view_name
from gfla_video.tasks.view_synthesis.view_files import View, read_list
from gfla_video.utils.errors import UserError

if TYPE_CHECKING:
    import h5py

_GROUP = re.compile(r"(.+)_(\d+)_(-?\d+)")
_STEP = 10  # degrees per azimuth index
_AZIMUTHS = 360 // _STEP


class Hdf5Views:
    """``data_<category>.hdf5`` and its id lists; see ``ViewStore``.

    A view is a group ``<model>_<azimuth index>_<elevation>``, the index in steps of 10 degrees,
    with ``image`` (uint8 ``[H, W, 3]``) and ``pose`` (azimuth index, elevation). Pictures are read
    one by one; each process opens the file for itself when it reads its first one.

    Args:
        root: folder of the file and its lists.
        category: ``car``, ``chair``, ...
        phase: ``train`` or ``test``.
        ids: name of the list of groups, one per line; None takes ``id_<category>_<phase>.txt``.
            Where there is a list ``name_...`` of models beside a list ``id_...``, it says which
            models the released test goes through, and in which order.

    Raises:
        UserError: a file is not there or broken, or an id is not in the file.
    """

    def __init__(self, root: Path | str, category: str, phase: str, ids: str | None = None) -> None:
        self.path = Path(root) / f"data_{category}.hdf5"
        self._handle: h5py.File | None = None
        self._owner = 0
        ids_path = Path(root) / (ids or f"id_{category}_{phase}.txt")
        groups = read_list(ids_path)
        self.objects = _by_model(ids_path, groups)
        self._check_ids(ids_path, groups)
        # Opened again when the first picture is read, maybe in another process.
        self.close()
        names_path = ids_path.with_name(f"name_{ids_path.name.removeprefix('id_')}")
        self.tested = tuple(read_list(names_path) if names_path.is_file() else sorted(self.objects))
        lost = [name for name in self.tested if name not in self.objects]
        if lost:
            raise UserError(f"{names_path}: no id in {ids_path.name} is of the model {lost[0]}")

    def read(self, name: str, view: View) -> Image.Image:
        """See ``ViewStore``."""
        group = f"{name}_{view.file}"
        pose = self._array(group, "pose")
        azimuth = view.camera.azimuth / _STEP
        if pose.shape != (2,) or tuple(pose.tolist()) != (azimuth, view.camera.elevation):
            raise UserError(
                f"{self.path}: pose of the group {group} is {pose.tolist()}, its name says "
                f"{[int(azimuth), int(view.camera.elevation)]}; make the file again"
            )
        pixels = self._array(group, "image")
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
            raise UserError(
                f"{self.path}: image of the group {group} is {pixels.dtype} "
                f"{list(pixels.shape)}, expected uint8 [H, W, 3]"
            )
        return to_rgb(Image.fromarray(pixels))

    def close(self) -> None:
        """Close the file, if this process has it open."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_handle": None}

    def _file(self) -> h5py.File:
        # A handle that came with a fork shares its place in the file with the parent's.
        if self._owner != os.getpid():
            self.close()
        if self._handle is None:
            self._handle, self._owner = _open(self.path), os.getpid()
        return self._handle

    def _array(self, group: str, key: str) -> np.ndarray:
        file = self._file()
        if group not in file:
            raise UserError(f"{self.path}: has no group {group}; correct the id list")
        found = file[group]
        if key not in found:
            held = ", ".join(sorted(found)) or "nothing"
            raise UserError(
                f"{self.path}: the group {group} has no {key}, it holds {held}; make the file again"
            )
        try:
            return np.asarray(found[key])
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise BrokenImageError(
                f"{self.path}: {key} of the group {group} cannot be read ({reason}); "
                "make the file again",
                f"{self.path}:{group}",
            ) from error

    def _check_ids(self, path: Path, groups: list[str]) -> None:
        there = set(self._file())
        for group in groups:
            if group not in there:
                raise UserError(
                    f"{path}: the id {group} is not in {self.path}; take the list that belongs to "
                    "the file"
                )


def _open(path: Path) -> h5py.File:
    try:
        import h5py
    except ImportError as error:
        raise UserError(f"HDF5 files need h5py ({error}); pip install h5py") from error
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; correct data_root or category")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: cannot be opened as HDF5 ({reason}); make it again") from error


def _by_model(path: Path, groups: list[str]) -> dict[str, tuple[View, ...]]:
    shared: dict[str, View] = {}
    models: dict[str, dict[View, None]] = defaultdict(dict)
    for group in groups:
        found = _GROUP.fullmatch(group)
        if found is None or int(found[2]) >= _AZIMUTHS:
            raise UserError(
                f"{path}: the id {group} is no <model>_<azimuth index>_<elevation> with an "
                f"index below {_AZIMUTHS}"
            )
        end = f"{found[2]}_{found[3]}"
        if end not in shared:
            camera = Camera(float(int(found[2]) * _STEP), float(found[3]))
            shared[end] = View(view_name(camera), camera, end)
        models[found[1]][shared[end]] = None
    return {name: tuple(models[name]) for name in sorted(models)}
