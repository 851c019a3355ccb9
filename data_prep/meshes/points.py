"""The same points of an object's surface, marked in all of its views."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.common import atomic_file
from data_prep.meshes.cameras import Camera, view_name
from data_prep.meshes.render import Scene
from data_prep.meshes.truth import places


def common_points(
    scene: Scene, cameras: Sequence[Camera], count: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Where the same points of the surface lie in every view.

    Each view gives as many points of what its pixels' centres see; those that see nothing leave
    their share to the others.

    Args:
        scene: the object.
        cameras: V of them.
        count: N points.
        rng: draws them.

    Returns:
        float32 [V,N,3]: x, y in pixels, and 1 where the point shows (as in `pair_truth`), else 0.
        No point where no view sees anything.
    """
    every = _surface(scene, cameras, count, rng)
    rows = [places(scene, camera, *every) for camera in cameras]
    return np.stack([np.column_stack(row) for row in rows]).astype(np.float32)


def _surface(
    scene: Scene, cameras: Sequence[Camera], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points [N,3] that the views see, and the surface's normals there [N,3]."""
    points, normals, seeing = [], [], []
    shares = np.diff(np.linspace(0, count, len(cameras) + 1).astype(int))
    for camera, share in zip(cameras, rng.permutation(shares), strict=True):
        seen = scene.geometry(camera)
        y, x = np.nonzero(seen.hit)
        if not len(y):
            continue
        seeing.append(camera)
        chosen = rng.integers(len(y), size=share)
        points.append(seen.points[y[chosen], x[chosen]])
        normals.append(seen.normals[y[chosen], x[chosen]])
    missing = count - sum(map(len, points))
    if missing and seeing:
        more = _surface(scene, seeing, missing, rng)
        points.append(more[0])
        normals.append(more[1])
    none = np.zeros((0, 3))
    return np.concatenate([none, *points]), np.concatenate([none, *normals])


def write_points(
    path: Path, scene: Scene, cameras: Sequence[Camera], count: int, rng: np.random.Generator
) -> None:
    """Write `common_points` as an npz: names [V] of the views, points [V,N,3], size (H, W)."""
    with atomic_file(path) as part:
        np.savez_compressed(
            part,
            names=np.array([view_name(camera) for camera in cameras]),
            points=common_points(scene, cameras, count, rng),
            size=np.array(scene.lens.size),
        )


def has_points(path: Path, count: int) -> bool:
    """Whether a file of `write_points` holds so many points, or none as nothing is seen."""
    try:
        with np.load(path) as marked:
            return marked["points"].shape[1] in (0, count)
    except (OSError, KeyError, ValueError, IndexError, zipfile.BadZipFile):
        return False
