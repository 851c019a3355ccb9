"""The random move: its matrix against hand-worked points, and its range."""

from __future__ import annotations

import numpy as np
import pytest

from gfla_video.datasets import Affine, AffineRange, affine_matrix, move_points
from gfla_video.utils.errors import UserError


def test_points_by_hand() -> None:
    centre = np.array([[32.5, 64.5]])  # of 128 x 64
    quarter = affine_matrix((128, 64), 90.0, (0.0, 0.0), 2.0)
    np.testing.assert_allclose(move_points(centre, quarter), centre)
    # right of the centre comes below it, twice as far
    np.testing.assert_allclose(move_points(centre + [3.0, 0.0], quarter), centre + [0.0, 6.0])
    shifted = Affine(0.0, (5.0, -2.0), 1.0).matrix((128, 64))
    np.testing.assert_allclose(move_points(np.zeros((2, 3, 2)), shifted)[1, 2], [5.0, -2.0])


def test_draws_stay_in_range() -> None:
    kinds = AffineRange.read({"angle": 10.0, "shift": 3.0, "scale": [0.5, 0.75]})
    assert kinds == AffineRange(10.0, 3.0, (0.5, 0.75))
    assert AffineRange.read(kinds) == kinds
    drawn = [kinds.draw(np.random.default_rng(seed)) for seed in range(200)]
    assert 9 < max(abs(affine.angle) for affine in drawn) <= 10
    assert 2.7 < max(abs(affine.shift[1]) for affine in drawn) <= 3
    assert 0.5 <= min(affine.scale for affine in drawn) < 0.51
    with pytest.raises(UserError, match="affine.zoom: there is no such key"):
        AffineRange.read({"zoom": 1})
