"""Pictures, geometry and exact flow, against what a plain cube and plain rays must give."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.meshes.cameras import Camera, Lens, project
from data_prep.meshes.model import Model, Part
from data_prep.meshes.points import common_points, write_points
from data_prep.meshes.render import Scene, linear, screen
from data_prep.meshes.truth import pair_truth

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)
# By axis and side; corner number: 4 for +x, 2 for +y, 1 for +z.
SIDES = {
    "-x": (0, 1, 3, 2),
    "+x": (4, 5, 7, 6),
    "-y": (0, 1, 5, 4),
    "+y": (2, 3, 7, 6),
    "-z": (0, 2, 6, 4),
    "+z": (1, 3, 7, 5),
}
COLORS = {"-x": (0, 0, 1), "+x": (1, 0, 0), "-y": (0, 1, 1), "+y": (1, 1, 0), "-z": (1, 0, 1)}


def cube() -> Model:
    """A cube with a colour for each side; the one towards +z is green."""
    parts = []
    for side, (a, b, c, d) in SIDES.items():
        faces = np.array([[a, b, c], [a, c, d]], np.int32)
        parts.append(Part(CORNERS, faces, color=COLORS.get(side, (0, 1, 0))))
    return Model(parts).normalized()


@pytest.fixture(scope="module")
def scene() -> Scene:
    """The cube before a lens that is wider than high, few samples."""
    return Scene(cube(), Lens((48, 64)), background=(10, 20, 30), samples=4)


def test_azimuths_see_their_sides(scene: Scene) -> None:
    for azimuth, channels in ((0, [1]), (90, [0]), (180, [0, 2]), (270, [2])):
        middle = scene.render(Camera(azimuth, 0)).image[24, 32]
        assert [i for i in range(3) if middle[i] > 100] == channels, azimuth
    above = scene.render(Camera(0, 89)).image[24, 32]
    assert above[0] > 100 and above[1] > 100 and above[2] < 100


def test_the_background_is_exact_and_pictures_repeat(scene: Scene) -> None:
    first, again = (scene.render(Camera(30, 20)).image for _ in range(2))
    assert (first[0, 0] == (10, 20, 30)).all()
    assert (first == again).all()


def test_geometry_goes_through_pixel_centres(scene: Scene) -> None:
    for camera in (Camera(0, 0), Camera(33, 12), Camera(250, -40)):
        geometry = scene.geometry(camera)
        y, x = np.nonzero(geometry.hit)
        assert len(y) > 300
        xy, _ = project(scene.lens, camera, geometry.points[y, x])
        assert np.abs(xy - np.stack([x, y], axis=1)).max() < 0.01
        half = 0.5 / np.sqrt(3)  # of the cube's side
        np.testing.assert_allclose(np.abs(geometry.points[y, x]).max(axis=1), half, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(geometry.normals[y, x], axis=1), 1, atol=1e-5)


def test_silhouette_of_picture_and_geometry_agree(scene: Scene) -> None:
    camera = Camera(20, 10)
    drawn = (scene.render(camera).image != (10, 20, 30)).any(axis=-1)
    hit = scene.geometry(camera).hit
    assert (hit & ~drawn).sum() == 0
    assert (drawn & ~hit).sum() < 0.2 * hit.sum()  # only pixels on the edge


def test_flow_of_a_cube_is_the_planes_and_its_hidden_sides_do_not_show(scene: Scene) -> None:
    source, target = Camera(0, 0), Camera(40, 0)
    truth = pair_truth(scene, source, target)
    geometry = scene.geometry(target)
    on_front = geometry.hit & (np.abs(geometry.points[..., 2] - 0.5 / np.sqrt(3)) < 1e-5)
    assert (truth["visible"] == on_front).all()  # its other side, +x, is edge-on in the source
    assert (truth["foreground"] == geometry.hit).all()
    assert (truth["source_foreground"] == scene.geometry(source).hit).all()
    assert (truth["flow"][:, ~on_front] == 0).all()
    y, x = np.nonzero(on_front)
    # By hand: a point of the plane z = h appears in the source at centre + f * (X, -Y) / (2 - h).
    points = geometry.points[y, x]
    scale = scene.lens.focal / (2 - 0.5 / np.sqrt(3))
    wanted = np.stack([31.5 + scale * points[:, 0] - x, 23.5 - scale * points[:, 1] - y])
    np.testing.assert_allclose(truth["flow"][:, y, x], wanted, atol=0.01)


def test_same_camera_has_no_flow(scene: Scene) -> None:
    truth = pair_truth(scene, Camera(25, 10), Camera(25, 10))
    assert (truth["visible"] == truth["foreground"]).mean() > 0.995  # edges may graze
    assert np.abs(truth["flow"]).max() < 0.01


def test_what_stands_before_a_surface_hides_it_and_a_sheets_back_is_not_its_front() -> None:
    wall = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    screen_ = wall * 0.4 + np.array([0, 0, 0.5], np.float32)
    model = Model([Part(wall, faces), Part(screen_, faces)]).normalized()
    scene = Scene(model, Lens((48, 48)), samples=1)
    truth = pair_truth(scene, Camera(0, 0), Camera(50, 0))
    geometry = scene.geometry(Camera(50, 0))
    on_wall = geometry.hit & (geometry.points[..., 2] < 0)
    # By hand: a wall's point shows if its line to the source's camera misses the screen.
    camera, z = scene.lens.position(Camera(0, 0)), model.parts[1].vertices[0, 2]
    share = (z - geometry.points[..., 2:]) / (camera[2] - geometry.points[..., 2:])
    across = geometry.points + share * (camera - geometry.points)
    hidden = (np.abs(across[..., :2]) < model.parts[1].vertices[:, 0].max()).all(axis=-1)
    assert hidden[on_wall].sum() > 20
    differ = truth["visible"][on_wall] == hidden[on_wall]
    assert differ.mean() < 0.02
    assert not pair_truth(scene, Camera(0, 0), Camera(180, 0))["visible"].any()


def test_texture_stands_upright_and_warping_by_the_flow_gives_the_target() -> None:
    sheet = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    texture = np.zeros((64, 64, 3), np.uint8)
    texture[:32], texture[:, :32, 2] = (250, 0, 0), 250  # red on top, blue added on the left
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    model = Model([Part(sheet, faces, uv=uv, texture=texture)]).normalized()
    scene = Scene(model, Lens((64, 64)), samples=16)
    source, target = (scene.render(Camera(azimuth, 0)).image for azimuth in (0, 30))
    assert source[20, 44, 0] > 100 > source[44, 44, 0]  # up is up
    assert source[20, 20, 2] > 100 > source[20, 44, 2]  # left is left
    truth = pair_truth(scene, Camera(0, 0), Camera(30, 0))
    y, x = np.nonzero(truth["visible"])
    place = np.rint(np.stack([y, x]) + truth["flow"][::-1, y, x]).astype(int)
    error = np.abs(source[place[0], place[1]].astype(int) - target[y, x]).mean(axis=-1)
    assert np.median(error) <= 1 and error.mean() < 8


def test_colours_of_vertices_are_drawn() -> None:
    sheet = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    colors = np.array([[1, 0, 0], [0, 0, 1], [0, 0, 1], [1, 0, 0]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    scene = Scene(Model([Part(sheet, faces, colors=colors)]).normalized(), Lens((32, 32)))
    image = scene.render(Camera(0, 0)).image.astype(int)
    assert image[16, 8, 0] > image[16, 8, 2] + 50 and image[16, 23, 2] > image[16, 23, 0] + 50


def test_screen_and_linear_undo_each_other() -> None:
    values = np.linspace(0, 1, 101)
    np.testing.assert_allclose(screen(linear(values)), values, atol=1e-6)
    assert linear(np.array(0.5)) == pytest.approx(0.21404, abs=1e-4)  # of the sRGB standard


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="no triangle"):
        Scene(Model([]), Lens((32, 32)))
    with pytest.raises(ValueError, match="square number"):
        Scene(cube(), Lens((32, 32)), samples=5)


def test_torch_and_mitsuba_live_in_one_process(scene: Scene) -> None:
    import torch

    assert torch.ones(3).sum() == 3
    assert scene.render(Camera(0, 0)).image.dtype == np.uint8


def test_common_points_are_the_same_places_of_the_surface(scene: Scene) -> None:
    """Each shown point's motion between two views is the exact flow at its pixel."""
    cameras = [Camera(20, 10), Camera(50, 10), Camera(230, 0)]
    points = common_points(scene, cameras, 60, np.random.default_rng(3))
    assert points.shape == (3, 60, 3) and set(np.unique(points[..., 2])) == {0.0, 1.0}
    assert (points[..., 2].sum(axis=1) >= 20).all()  # at least its own
    truth = pair_truth(scene, cameras[0], cameras[1])
    both = (points[0, :, 2] > 0) & (points[1, :, 2] > 0)
    x, y = points[1, both, :2].T
    inside = truth["visible"][np.rint(y).astype(int), np.rint(x).astype(int)]
    assert inside.sum() >= 15
    flow = truth["flow"][:, np.rint(y).astype(int), np.rint(x).astype(int)][:, inside]
    motion = (points[0, both, :2] - points[1, both, :2]).T[:, inside]
    # half a pixel off the pixel's centre, the flow is a little another one
    assert np.abs(flow - motion).max() < 0.75
    opposite = (points[0, :, 2] > 0) & (points[2, :, 2] > 0)
    assert opposite.sum() < both.sum() / 3


def test_views_that_see_nothing_leave_their_share_of_the_points_to_others() -> None:
    sheet = Part(np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0]], np.float32), np.int32([[0, 1, 2]]))
    thin = Scene(Model([sheet]).normalized(), Lens((32, 32)), samples=1)
    edges = [Camera(90, 0), Camera(270, 0)]
    for count in (1, 7, 64):
        points = common_points(
            thin, [Camera(0, 0), *edges, Camera(180, 0)], count, np.random.default_rng(0)
        )
        assert points.shape == (4, count, 3)
        assert (points[[0, 3], :, 2].sum(axis=0) == 1).all()  # from before or from behind
    assert common_points(thin, edges, 64, np.random.default_rng(0)).shape == (2, 0, 3)


def test_points_are_written_with_their_views(scene: Scene, tmp_path: Path) -> None:
    cameras = [Camera(20, 10), Camera(50, 10)]
    for name in ("a", "b"):
        write_points(tmp_path / f"{name}.npz", scene, cameras, 12, np.random.default_rng(3))
    with np.load(tmp_path / "a.npz") as first, np.load(tmp_path / "b.npz") as second:
        assert first["names"].tolist() == ["020_10", "050_10"]
        assert first["size"].tolist() == [48, 64]
        assert first["points"].shape == (2, 12, 3)
        assert np.array_equal(first["points"], second["points"])
    assert len(list(tmp_path.iterdir())) == 2
