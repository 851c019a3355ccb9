"""The ray caster's shapes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from data_prep.people.shapes import Ellipsoid, Frame, Tube, cast

Array = NDArray[np.float64]


@pytest.mark.parametrize(
    "shape",
    [
        Ellipsoid("b", (0.1, 0.0, 0.2), (0.3, 0.5, 0.2), "m"),
        Tube("b", 0.4, -0.5, 0.3, 0.15, 0.7, "m", (0.05, -0.1)),
    ],
)
def test_hits_lie_on_the_surface_and_are_the_nearest(shape: Ellipsoid | Tube) -> None:
    rng = np.random.default_rng(0)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    frame = Frame(rotation, np.array([0.1, -0.2, 0.3]))
    x, y = rng.uniform(-0.7, 0.7, (2, 4000))
    hits = cast([shape], {"b": frame}, x, y)
    seen = hits.part == 0
    assert 0.1 < seen.mean() < 0.9
    world = frame.world(hits.point[seen])
    np.testing.assert_allclose(world, np.stack([x[seen], y[seen], hits.z[seen]], 1), atol=1e-9)
    normal = shape.normal(hits.point[seen]) @ rotation.T
    assert (normal[:, 2] > -1e-6).all()  # the side towards the viewer
    inside = _inside(shape, hits.point[seen])
    np.testing.assert_allclose(inside, 0.0, atol=1e-6)


def _inside(shape: Ellipsoid | Tube, point: Array) -> Array:
    """Signed closeness to the surface, 0 on it."""
    if isinstance(shape, Ellipsoid):
        return (((point - shape.centre) / shape.radii) ** 2).sum(1) - 1
    t = (point[:, 1] - shape.y0) / (shape.y1 - shape.y0)
    width = shape.a0 + t * (shape.a1 - shape.a0)
    x, z = point[:, 0] - shape.shift[0], (point[:, 2] - shape.shift[1]) / shape.k
    side = np.hypot(x, z) - width
    ends = np.minimum(np.abs(t), np.abs(1 - t))
    return np.where((ends < 1e-6) & (side < 0), 0.0, side)
