"""Flow as colours, after Baker et al., "A Database and Evaluation Methodology for Optical Flow"
(IJCV 2011): the direction is the hue, the length the saturation.

Convention: flow ``[2, H, W]`` = (dx, dy) in pixels, x to the right, y down.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

# Steps from red to yellow, green, cyan, blue, magenta and back: the eye tells warm hues apart best.
_STEPS = (15, 6, 4, 11, 13, 6)
_CORNERS = ((255, 0, 0), (255, 255, 0), (0, 255, 0), (0, 255, 255), (0, 0, 255), (255, 0, 255))


@cache
def _wheel() -> npt.NDArray[np.float64]:
    """55 colours in [0, 1], ``[55, 3]``."""
    parts = []
    for index, steps in enumerate(_STEPS):
        start, end = np.array(_CORNERS[index]), np.array(_CORNERS[(index + 1) % len(_CORNERS)])
        part = np.arange(steps)[:, None] / steps
        parts.append((1 - part) * start + part * end)
    return np.concatenate(parts) / 255.0


def flow_maximum(flow: npt.ArrayLike, percentile: float = 99.0) -> float:
    """Length in pixels that a legend may end at: nearly the largest, and never below 1 pixel."""
    lengths = np.linalg.norm(np.asarray(flow, dtype=np.float64), axis=-3)
    lengths = lengths[np.isfinite(lengths)]
    return max(1.0, float(np.percentile(lengths, percentile))) if lengths.size else 1.0


def flow_to_rgb(flow: npt.ArrayLike, maximum: float | None = None) -> npt.NDArray[np.uint8]:
    """Colour a flow field.

    Args:
        flow: ``[2, H, W]`` in pixels (an array, or a tensor on the CPU).
        maximum: length in pixels that is fully saturated; longer ones are darker. Give the same one
            for pictures that are compared, and for the frames of a clip. None: ``flow_maximum``.

    Returns:
        uint8 ``[H, W, 3]`` RGB; zero flow is white, values that are not finite are black.
    """
    field = np.asarray(flow, dtype=np.float64)
    if field.ndim != 3 or field.shape[0] != 2:
        raise ValueError(f"expected a flow [2, H, W], got {field.shape}")
    if maximum is None:
        maximum = flow_maximum(field)
    if maximum <= 0:
        raise ValueError(f"the legend's maximum must be above 0 pixels, got {maximum}")
    finite = np.isfinite(field).all(axis=0)
    dx, dy = np.where(finite, field, 0.0) / maximum
    radius = np.hypot(dx, dy)
    wheel = _wheel()
    place = (np.arctan2(-dy, -dx) / np.pi + 1.0) / 2.0 * (len(wheel) - 1)
    low = np.floor(place).astype(int)
    part = (place - low)[..., None]
    hue = (1 - part) * wheel[low] + part * wheel[(low + 1) % len(wheel)]
    inside = (radius <= 1.0)[..., None]
    colour = np.where(inside, 1.0 - radius[..., None] * (1.0 - hue), hue * 0.75)
    colour[~finite] = 0.0
    return np.floor(colour * 255.0).astype(np.uint8)


def flow_legend(side: int, maximum: float) -> npt.NDArray[np.uint8]:
    """The wheel itself, uint8 ``[side, side, 3]``: the flow at a pixel points from the centre to
    it, and is ``maximum`` pixels long at the rim; white outside.
    """
    across = np.linspace(-1.0, 1.0, side)
    field = np.stack(np.meshgrid(across, across)) * maximum
    picture = flow_to_rgb(field, maximum)
    picture[np.hypot(*field) > maximum] = 255
    return picture
