"""Pictures, landmarks on what is drawn, and the exact flow and visibility of two moments."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes

from data_prep.heads.looks import make_head
from data_prep.heads.mesh import PARTS
from data_prep.heads.moves import talk
from data_prep.heads.render import Actor, Camera, Moment
from data_prep.heads.rig import Face
from data_prep.people.render import grid

SIZE = (128, 128)
CAMERA = Camera(SIZE, 4.2, (63.5, 58.0))
OPEN = Face(jaw=15, apart=1)


def make_actor(seed: int, camera: Camera = CAMERA, fine: int = 1, **changes: object) -> Actor:
    """A person before a grey wall, lit from the front."""
    head = replace(make_head(np.random.default_rng(seed)), **changes)
    height, width = camera.size
    room = np.full((height * fine, width * fine, 3), 0.5)
    return Actor(head, camera, room, fine, np.array([0.0, 0.3, 1.0]))


@pytest.fixture(scope="module")
def actor() -> Actor:
    """Short hair, no beard."""
    return make_actor(3, cut="short", beard="none")


def parts_at(actor: Actor, moment: Moment, x: NDArray, y: NDArray) -> list[str]:
    """Names of the parts that rays see ("" where none)."""
    hits = actor.look(moment, np.asarray(x, float), np.asarray(y, float))
    part = actor.mesh.part[actor.faces[hits.triangle, 0]]
    return [PARTS[p] if t >= 0 else "" for p, t in zip(part, hits.triangle, strict=True)]


class TestPictures:
    def test_bald_and_bearded_differ_and_shine_does_not_overflow(self) -> None:
        pictures = []
        for cut, beard in (("bald", "none"), ("long", "none"), ("bald", "full")):
            actor = make_actor(5, cut=cut, beard=beard, volume=1.0)
            pictures.append(actor.draw(actor.pose(Face())).astype(float))
            assert pictures[-1].shape == (*SIZE, 3)
        assert np.abs(pictures[0] - pictures[1]).mean() > 8
        assert np.abs(pictures[0] - pictures[2]).mean() > 1
        assert np.abs(pictures[0] - pictures[2])[:50].max() == 0  # beards grow below

    def test_no_background_shows_through_a_head(self) -> None:
        for seed in range(3):
            actor = make_actor(seed)
            for face in talk(np.random.default_rng(seed), 4, 4.0, 25.0):
                seen = actor.look(actor.pose(face), *grid(SIZE)).triangle.reshape(SIZE) >= 0
                assert (binary_fill_holes(seen) == seen).all()

    def test_framing_keeps_points_in_the_picture(self) -> None:
        world = np.array([[-30.0, 0, 5], [10, 4, 0], [0, -40, -5], [0, 10, 0]])
        camera = CAMERA.framed(world)
        seen = camera.pixels(world)
        assert seen.min() >= 0.03 * 128 - 1e-9
        assert seen.max() <= 0.97 * 128 - 1 + 1e-9
        assert camera.scale < CAMERA.scale
        assert CAMERA.framed(np.array([[-5.0, 0, 5], [5, -9, 0]])) == CAMERA  # nothing to do


class TestLandmarks:
    def test_they_lie_on_the_features_that_rays_see(self, actor: Actor) -> None:
        for face in (Face(), OPEN, Face(yaw=-12, pitch=6, roll=8, smile=0.6)):
            moment = actor.pose(face)
            points = actor.landmarks(moment)
            assert points.shape == (68, 2)
            for eye in (points[36:42], points[42:48]):
                assert parts_at(actor, moment, *eye.mean(0)[:, None]) == ["eyes"]
                out = eye.mean(0) + 1.35 * (eye - eye.mean(0))
                assert set(parts_at(actor, moment, *out.T)) == {"skin"}
            inside = points[60:68].mean(0)
            seen = parts_at(actor, moment, *inside[:, None])[0]
            assert (seen in ("mouth", "lining")) == (face is OPEN)

    def test_drawn_features_are_where_landmarks_say(self, actor: Actor) -> None:
        moment = actor.pose(OPEN)
        picture, points = actor.draw(moment).astype(float), actor.landmarks(moment)

        def colour(place: NDArray) -> NDArray:
            x, y = np.rint(place).astype(int)
            return picture[y, x]

        def grey(place: NDArray) -> float:
            return float(colour(place).mean())

        cheek = grey((points[30] + points[3]) / 2)
        assert grey(points[[61, 63, 65, 67]].mean(0)) < 0.6 * cheek  # an open mouth is dark
        for brow in (18, 19, 24, 25):
            assert grey(points[brow]) < 0.8 * grey(points[brow] - [0, 7])
        for eye in (36, 42):
            corners = points[[eye, eye + 3]]
            white = [grey(0.75 * a + 0.25 * b) for a, b in (corners, corners[::-1])]
            assert max(white) > cheek * 0.9
        lip = colour((points[57] + points[66]) / 2)
        skin = colour(points[57] + [0, 6])
        assert lip[0] / lip[1] > 1.1 * skin[0] / skin[1]  # lips are redder

    def test_chin_is_the_outline_before_the_neck(self) -> None:
        actor = make_actor(4, cut="bald", beard="none")
        moment = actor.pose(Face())
        x, y = actor.landmarks(moment)[8]
        row = actor.mesh.row
        hits = actor.look(moment, np.array([x, x]), np.array([y - 1.5, y + 1.5]))
        above, below = (row[actor.faces[t]].mean() for t in hits.triangle)
        assert above < 1.0 < below


class TestTruth:
    def test_a_moment_against_itself_is_still_and_whole(self, actor: Actor) -> None:
        moment = actor.pose(Face(yaw=9, jaw=8, apart=1))
        truth = actor.truth(moment, moment)
        assert np.abs(truth.flow).max() < 1e-6
        assert (truth.visible == truth.foreground).all()
        assert 0.3 < truth.foreground.mean() < 0.8

    def test_flow_is_where_the_camera_puts_the_same_points(self, actor: Actor) -> None:
        """A shift along X moves all of the head by a known, depth-dependent amount."""
        first, second = actor.pose(Face()), actor.pose(Face(shift=(2.0, 0, 0)))
        truth = actor.truth(first, second)
        x, y = grid(SIZE)
        near = actor.look(second, x, y).near.reshape(SIZE)
        head = truth.visible & (np.arange(128)[:, None] < 90)
        scale = CAMERA.scale * 70 / (70 - near[head])
        assert head.sum() > 2000
        np.testing.assert_allclose(truth.flow[0][head], -2.0 * scale, rtol=2e-3)
        assert np.abs(truth.flow[1][head]).max() < 1e-4

    def test_there_and_back_meet(self, actor: Actor) -> None:
        first, second = actor.pose(Face()), actor.pose(Face(yaw=10, smile=1, jaw=6, apart=1))
        there, back = actor.truth(first, second), actor.truth(second, first)
        y, x = np.nonzero(there.visible)
        dx, dy = there.flow[:, y, x]
        u, v = np.rint(x + dx).astype(int), np.rint(y + dy).astype(int)
        both = back.visible[v, u]
        round_trip = np.hypot(dx + back.flow[0, v, u], dy + back.flow[1, v, u])[both]
        assert both.mean() > 0.9
        assert np.median(round_trip) < 0.15
        assert np.quantile(round_trip, 0.95) < 0.7

    def test_what_was_behind_lids_and_lips_is_not_visible(self, actor: Actor) -> None:
        shut, seen = actor.pose(Face(lids=(1, 1))), actor.pose(OPEN)
        for source, least, most in ((shut, 0.0, 0.1), (seen, 1.0, 1.0)):
            truth = actor.truth(source, seen)
            y, x = np.nonzero(truth.foreground)
            parts = np.array(parts_at(actor, seen, x, y))
            for part in ("eyes", "mouth"):
                rows = parts == part
                assert rows.sum() > 20
                assert least <= truth.visible[y[rows], x[rows]].mean() <= most
            assert (truth.flow[:, ~truth.visible] == 0).all()
