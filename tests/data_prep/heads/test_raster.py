"""The ray caster of meshes against plain formulas."""

import numpy as np
import pytest

from data_prep.heads.raster import cast, normals

SQUARE = np.array([[0.0, 4.0], [4.0, 4.0], [4.0, 0.0], [0.0, 0.0]])  # y goes down in pictures
TWO = np.array([[0, 1, 2], [0, 2, 3]])


def grid(count: int, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions x, y [count * count] of a regular grid."""
    x, y = np.meshgrid(np.linspace(low, high, count), np.linspace(low, high, count))
    return x.ravel(), y.ravel()


class TestCast:
    def test_hand_worked_weights(self) -> None:
        hits = cast(SQUARE, np.array([0.0, 1.0, 2.0, 3.0]), TWO, np.array([3.0, 9.0]), np.ones(2))
        assert hits.triangle.tolist() == [0, -1]
        np.testing.assert_allclose(hits.weights[0], [0.25, 0.0, 0.75], atol=1e-12)
        assert hits.near[0] == pytest.approx(1.5)
        assert np.isneginf(hits.near[1])

    def test_shared_edges_leave_no_gap(self) -> None:
        x, y = grid(33, 0.0, 4.0)
        assert (cast(SQUARE, np.zeros(4), TWO, x, y).triangle >= 0).all()

    def test_agrees_with_trying_every_triangle(self) -> None:
        rng = np.random.default_rng(0)
        points, near = rng.uniform(-3, 40, (90, 2)), rng.uniform(-5, 5, 90)
        faces = rng.integers(0, 90, (150, 3))
        x, y = rng.uniform(0, 36, 400), rng.uniform(0, 36, 400)
        hits = cast(points, near, faces, x, y)
        for n in range(400):
            best, found = -np.inf, -1
            for index, corners in enumerate(faces):
                matrix = np.vstack([points[corners].T, np.ones(3)])
                turned = np.linalg.det(matrix)  # negative: anticlockwise where y goes down
                if turned > -1e-7:
                    continue
                weights = np.linalg.solve(matrix, [x[n], y[n], 1.0])
                if weights.min() >= 0 and weights @ near[corners] > best:
                    best, found = weights @ near[corners], index
            assert hits.triangle[n] == found
            if found >= 0:
                assert hits.near[n] == pytest.approx(best, abs=1e-7)
                assert hits.weights[n] @ points[faces[found]] == pytest.approx([x[n], y[n]])
        assert (hits.triangle >= 0).sum() > 200

    def test_triangles_that_face_away_are_not_seen(self) -> None:
        x, y = grid(9, 0.1, 3.9)
        assert (cast(SQUARE, np.zeros(4), TWO[:, ::-1], x, y).triangle == -1).all()
        nothing = cast(SQUARE + 50, np.zeros(4), TWO, x, y)
        assert (nothing.triangle == -1).all()


def test_normals_point_outwards_and_are_averaged_by_area() -> None:
    points = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]])
    found = normals(points, np.array([[0, 1, 2], [0, 3, 1]]))
    np.testing.assert_allclose(found[2], np.ones(3) / np.sqrt(3))
    np.testing.assert_allclose(found[3], [0, 0, -1])
    both = np.array([1.0, 1, 1]) + [0, 0, -1]
    np.testing.assert_allclose(found[0], both / np.linalg.norm(both), atol=1e-9)
