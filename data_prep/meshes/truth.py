"""Exact correspondence of two views of an object."""

import numpy as np
from numpy.typing import NDArray

from data_prep.meshes.cameras import Camera, project
from data_prep.meshes.render import Scene

LIFT = 5e-4  # of a point off its surface before it looks for the camera, in box diagonals


def pair_truth(scene: Scene, from_camera: Camera, to_camera: Camera) -> dict[str, NDArray]:
    """Where what each target pixel's centre sees lies in the source, and if it shows there.

    A point shows when it lies within the source's picture, its side that the target sees faces the
    source, and nothing stands between.

    Args:
        scene: the object.
        from_camera: of the source.
        to_camera: of the target.

    Returns:
        float32 flow [2,H,W] (dx, dy) in pixels from a target pixel to its place in the source, 0
        where not visible; bool visible, foreground and source_foreground [H,W].
    """
    target, source = scene.geometry(to_camera), scene.geometry(from_camera)
    height, width = target.hit.shape
    y, x = np.nonzero(target.hit)
    found, shows = places(scene, from_camera, target.points[y, x], target.normals[y, x])
    y, x, found = y[shows], x[shows], found[shows]
    flow = np.zeros((2, height, width), np.float32)
    flow[0, y, x], flow[1, y, x] = found[:, 0] - x, found[:, 1] - y
    visible = np.zeros((height, width), bool)
    visible[y, x] = True
    return {
        "flow": flow,
        "visible": visible,
        "foreground": target.hit,
        "source_foreground": source.hit,
    }


def places(
    scene: Scene, camera: Camera, points: NDArray, normals: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Where points of the surface [N,3] with outward normals lie in a view, and whether they show.

    Returns:
        (x, y) in pixels [N,2], and bool [N].
    """
    height, width = scene.lens.size
    found, _ = project(scene.lens, camera, points)
    to_camera = scene.lens.position(camera) - points
    to_camera /= np.linalg.norm(to_camera, axis=1, keepdims=True)
    shows = ((found >= 0) & (found <= [width - 1, height - 1])).all(axis=1)
    shows &= (normals * to_camera).sum(axis=1) > 0
    if shows.any():
        lifted = (points + LIFT * (normals + to_camera))[shows]
        shows[shows] = scene.reached(lifted, camera)
    return found, shows
