"""Models: checks of their arrays, turning, normalising."""

import numpy as np
import pytest

from data_prep.meshes.model import Model, Part


def part(vertices: list[list[float]], **more: object) -> Part:
    """One triangle, or more corners than that."""
    return Part(np.array(vertices, np.float32), np.array([[0, 1, 2]], np.int32), **more)


TRIANGLE = [[0, 0, 0], [2, 0, 0], [0, 1, 2]]


def test_normalized_centres_the_box_and_makes_its_diagonal_one() -> None:
    unused = [[99, 99, 99]]  # a vertex without a triangle must not count
    model = Model([part(TRIANGLE + unused), part([[4, 5, 6], [4, 5, 7], [3, 5, 6]])]).normalized()
    low, high = model.bounds()
    np.testing.assert_allclose(low + high, 0, atol=1e-6)
    assert np.linalg.norm(high - low) == pytest.approx(1, abs=1e-6)


def test_z_up_becomes_y_up() -> None:
    turned = Model([part([[1, 2, 3], [0, 0, 0], [1, 0, 0]])]).turned(up="z")
    np.testing.assert_allclose(turned.parts[0].vertices[0], [1, 3, -2], atol=1e-6)


def test_front_is_turned_towards_plus_z() -> None:
    to_x = Model([part([[1, 0, 0], [0, 0, 0], [0, 1, 0]], normals=np.eye(3, dtype=np.float32))])
    turned = to_x.turned(front=90).parts[0]  # azimuth 90 looks from +x
    np.testing.assert_allclose(turned.vertices[0], [0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(turned.normals[0], [0, 0, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"uv": np.zeros((2, 2), np.float32)}, r"uv is \(2, 2\)"),
        ({"texture": np.zeros((4, 4, 3), np.uint8)}, "a texture needs uv"),
        (
            {"uv": np.zeros((3, 2), np.float32), "texture": np.zeros((4, 4), np.uint8)},
            r"texture is \(4, 4\)",
        ),
        ({"colors": np.zeros((3, 4), np.float32)}, r"colors is \(3, 4\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(more: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        part(TRIANGLE, **more)


def test_faces_beyond_the_vertices_and_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="faces name vertices"):
        part(TRIANGLE[:2])
    with pytest.raises(ValueError, match="finite"):
        part([[np.nan, 0, 0], *TRIANGLE[1:]])


def test_nothing_and_a_point_cannot_be_normalised() -> None:
    with pytest.raises(ValueError, match="no triangle"):
        Model([]).normalized()
    with pytest.raises(ValueError, match="one point"):
        Model([part([[1, 1, 1]] * 3)]).normalized()
