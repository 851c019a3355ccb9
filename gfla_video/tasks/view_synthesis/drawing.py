"""A picture of a camera for people: a wedge with a red front, seen from there, and the angles."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from gfla_video.tasks.view_synthesis.cameras import Camera, camera_axes

Picture = npt.NDArray[np.uint8]

_DISTANCE = 2.6
_FOCAL = 2.7  # of half the picture's side
_SUBPIXEL_BITS = 4  # cv2 takes fixed-point coordinates
# A car seen by a child: x to its left, y up, z to its front; the bonnet slopes.
_CORNERS = np.array(
    [
        *([-0.32, -0.25, 0.6], [0.32, -0.25, 0.6], [0.32, -0.25, -0.6], [-0.32, -0.25, -0.6]),
        *([-0.32, 0.0, 0.6], [0.32, 0.0, 0.6], [0.32, 0.28, -0.6], [-0.32, 0.28, -0.6]),
        *([-0.32, 0.28, 0.0], [0.32, 0.28, 0.0]),
    ]
)
_FACES: tuple[tuple[tuple[int, ...], tuple[int, int, int]], ...] = (
    ((0, 1, 5, 4), (225, 60, 40)),  # front
    ((4, 5, 9, 8), (245, 150, 60)),  # bonnet
    ((8, 9, 6, 7), (215, 215, 215)),  # roof
    ((2, 3, 7, 6), (70, 100, 190)),  # back
    ((1, 2, 6, 9, 5), (160, 190, 120)),  # the object's left, seen from azimuth 90
    ((3, 0, 4, 8, 7), (120, 145, 160)),  # the object's right
    ((3, 2, 1, 0), (60, 60, 60)),  # below
)


def draw_camera(camera: Camera, size: tuple[int, int]) -> Picture:
    """The wedge from a camera, azimuth and elevation in numbers below it.

    Args:
        camera: where it is seen from.
        size: (H, W).

    Returns:
        uint8 ``[H, W, 3]`` RGB, on white.
    """
    # Small pictures are drawn larger and averaged down, else numbers cannot be read.
    factor = max(1, math.ceil(256 / min(size)))
    height, width = size[0] * factor, size[1] * factor
    picture = np.full((height, width, 3), 255, dtype=np.uint8)
    axes = camera_axes(camera)
    seen = _CORNERS @ axes.T
    scale = _FOCAL * min(height, width) / 2 / (_DISTANCE - seen[:, 2])
    points = np.stack(
        [(width - 1) / 2 + seen[:, 0] * scale, (height - 1) / 2 - seen[:, 1] * scale], axis=1
    )
    eye = axes[2] * _DISTANCE
    line = max(1, round(min(height, width) / 160))
    for corners, colour in _FACES:
        first, second, third = _CORNERS[list(corners[:3])]
        # The wedge is convex: what faces the camera hides nothing else that does.
        if np.cross(second - first, third - second) @ (eye - first) <= 0:
            continue
        polygon = np.rint(points[list(corners)] * 2**_SUBPIXEL_BITS).astype(np.int32)
        cv2.fillConvexPoly(picture, polygon, colour, cv2.LINE_AA, _SUBPIXEL_BITS)
        edges = [polygon.reshape(-1, 1, 2)]
        cv2.polylines(picture, edges, True, (30, 30, 30), line, cv2.LINE_AA, _SUBPIXEL_BITS)
    _write(picture, f"{camera.azimuth % 360:.4g} / {camera.elevation:.4g}")
    if factor == 1:
        return picture
    return cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _write(picture: Picture, text: str) -> None:
    height, width = picture.shape[:2]
    font = cv2.FONT_HERSHEY_SIMPLEX
    scale = min(height, width) / 260
    thick = max(1, round(scale * 2))
    (wide, _), _ = cv2.getTextSize(text, font, scale, thick)
    place = ((width - wide) // 2, height - round(height * 0.05))
    cv2.putText(picture, text, place, font, scale, (20, 20, 20), thick, cv2.LINE_AA)
