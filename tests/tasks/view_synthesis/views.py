"""Tiny data sets of views whose colour says which object and camera they show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

OBJECTS = ("car1", "car2", "chair1")
AZIMUTHS = tuple(range(0, 360, 20))
ELEVATIONS = (0, 10, 20)
SIZE = (64, 64)


def view_pixels(
    number: int, azimuth: float, elevation: float, size: tuple[int, int] = SIZE
) -> np.ndarray:
    """A picture uint8 ``[H, W, 3]`` of one colour: object x 10, azimuth / 2, elevation + 100."""
    colour = (number * 10, round(azimuth / 2), round(elevation) + 100)
    return np.full((*size, 3), colour, dtype=np.uint8)


def seen_in(picture: Tensor) -> tuple[int, int, int]:
    """Number of the object, azimuth and elevation that the middle of ``[3, H, W]`` shows."""
    middle = picture[:, picture.shape[1] // 2, picture.shape[2] // 2]
    red, green, blue = ((middle + 1) * 127.5).round().int().tolist()
    return red // 10, green * 2, blue - 100


def make_folder(
    root: Path,
    phase: str = "train",
    objects: Sequence[str] = OBJECTS,
    azimuths: Iterable[int] = AZIMUTHS,
    elevations: Iterable[int] = ELEVATIONS,
    size: tuple[int, int] = SIZE,
) -> Path:
    """``<root>/<phase>/<object>/<azimuth>_<elevation>.png``; gives ``root``."""
    for number, name in enumerate(objects):
        folder = root / phase / name
        folder.mkdir(parents=True)
        for azimuth in azimuths:
            for elevation in elevations:
                pixels = view_pixels(number, azimuth, elevation, size)
                Image.fromarray(pixels).save(folder / f"{azimuth:03d}_{elevation:02d}.png")
    return root


def make_hdf5(
    root: Path,
    category: str = "car",
    phase: str = "train",
    objects: Sequence[str] = OBJECTS,
    azimuths: Iterable[int] = AZIMUTHS,
    elevations: Iterable[int] = ELEVATIONS,
) -> Path:
    """``data_<category>.hdf5`` as released, with its id list; gives the file's path."""
    import h5py

    root.mkdir(parents=True, exist_ok=True)
    path, ids = root / f"data_{category}.hdf5", []
    with h5py.File(path, "w") as file:
        for number, name in enumerate(objects):
            for azimuth in azimuths:
                for elevation in elevations:
                    ids.append(f"{name}_{azimuth // 10}_{elevation}")
                    group = file.create_group(ids[-1])
                    group["image"] = view_pixels(number, azimuth, elevation)
                    group["pose"] = np.array([azimuth // 10, elevation])
    (root / f"id_{category}_{phase}.txt").write_text("\n".join(ids) + "\n")
    return path


def write_truth(folder: Path, name: str, source: str, target: str, flow: float = 3.0) -> Path:
    """``<folder>/<name>/<source>_2_<target>.npz`` with one flow everywhere; gives its path."""
    box = np.zeros(SIZE, dtype=bool)
    box[10:20, 10:30] = True
    path = folder / name / f"{source}_2_{target}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    maps = np.full((2, *SIZE), flow, dtype=np.float32)
    np.savez(path, flow=maps, visible=box, foreground=box, source_foreground=~box)
    return path
