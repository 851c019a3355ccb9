"""Synthetic people: exact flow and visibility, pictures, joints."""

import numpy as np
import pytest
from numpy.typing import NDArray

from data_prep.people.looks import make_person
from data_prep.people.moves import random_pose, walk
from data_prep.people.render import Backdrop, Scene, annotate, draw, make_scene, pair_truth
from data_prep.people.skeleton import JOINTS, Limb, Pose
from data_prep.samples.pose import Job, scenes

GREY = Backdrop((0.6, 0.6, 0.6), (0.6, 0.6, 0.6), 0.0)
Array = NDArray[np.float64]


def inner(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of a mask whose eight neighbours are in it."""
    padded = np.pad(mask, 1)
    h, w = mask.shape
    return np.all([padded[i : i + h, j : j + w] for i in range(3) for j in range(3)], axis=0)


def two_scenes(seed: int = 3, size: tuple[int, int] = (192, 128)) -> tuple[Scene, Scene]:
    """A person seen from the front in two poses."""
    rng = np.random.default_rng(seed)
    person = make_person(rng)
    first, second = random_pose(rng, "front", 60.0), random_pose(rng, "front", 60.0)
    return make_scene(person, first, size), make_scene(person, second, size, (4.0, -1.0), 0.97)


class TestTruth:
    def test_surface_colours_agree_exactly(self) -> None:
        """Rays through the source at the flow's very places see the same colours."""
        source, target = two_scenes()
        truth = pair_truth(source, target)
        y, x = np.nonzero(truth.visible)
        assert len(y) > 500
        here = _colours(target, x.astype(float), y.astype(float))
        there = _colours(source, x + truth.flow[0, y, x], y + truth.flow[1, y, x])
        wrong = np.abs(here - there).max(axis=1) > 1e-6
        assert wrong.mean() < 0.01  # float32 flows may cross an edge of a pattern
        moved = _colours(source, x + truth.flow[0, y, x] + 1.5, y + truth.flow[1, y, x])
        assert (np.abs(here - moved).max(axis=1) > 1e-6).mean() > 0.05

    def test_hidden_points_are_not_visible(self) -> None:
        """A turn to the back hides the face; an arm before the body hides what is behind it."""
        person = make_person(np.random.default_rng(5))
        front = make_scene(person, Pose(), (192, 128))
        back = make_scene(person, Pose(yaw=180.0), (192, 128))
        assert pair_truth(front, front).visible.sum() > 3000
        assert pair_truth(back, front).visible.sum() < 0.02 * pair_truth(front, front).visible.sum()
        across = Pose(arms={"R": Limb(35.0, 0.0, 60.0, 95.0), "L": Limb()})
        covered = make_scene(person, across, (192, 128))
        seen, all_seen = pair_truth(covered, front), pair_truth(front, front)
        body = _bones(front, "torso") & all_seen.visible
        assert 0.05 < 1 - seen.visible[body].mean() < 0.6

    def test_the_same_pose_does_not_move(self) -> None:
        scene, _ = two_scenes()
        truth = pair_truth(scene, scene)
        assert np.abs(truth.flow).max() < 1e-6
        assert (truth.visible == truth.foreground).all()
        assert (truth.foreground == truth.source_foreground).all()

    def test_a_shifted_body_moves_by_the_shift(self) -> None:
        person = make_person(np.random.default_rng(1))
        source = make_scene(person, Pose(), (96, 64))
        target = make_scene(person, Pose(), (96, 64), (5.0, -2.0))
        truth = pair_truth(source, target)
        np.testing.assert_allclose(truth.flow[0][truth.visible], -5.0, atol=1e-5)
        np.testing.assert_allclose(truth.flow[1][truth.visible], 2.0, atol=1e-5)
        assert truth.visible.sum() > 0.98 * truth.foreground.sum()

    def test_foreground_is_where_the_person_is_drawn(self) -> None:
        _, scene = two_scenes()
        truth = pair_truth(scene, scene)
        plain = [draw(scene, Backdrop((v,) * 3, (v,) * 3, 0.0)) for v in (0.2, 0.8)]
        same = (plain[0] == plain[1]).all(axis=2)  # covered by the person whatever is behind
        assert same[inner(truth.foreground)].mean() > 0.97  # gaps finer than a pixel remain
        assert not same[inner(~truth.foreground)].any()


class TestPeople:
    def test_they_are_clothed_round_and_varied(self) -> None:
        """A picture has cloth of several colours, shading, and people differ from each other."""
        shapes, colours = set(), []
        for number in range(6):
            job = Job("train", number, 2, (), (96, 64), 0, 1.0, 180.0, 0.0, "")
            scene, _, _ = scenes(job)[0]
            flat, shaded = (draw(scene, GREY, shade) for shade in (0.0, 1.0))
            mask = pair_truth(scene, scene).foreground
            assert mask.mean() > 0.08
            assert len(np.unique(flat[mask] // 32, axis=0)) >= 5
            assert np.abs(flat[mask].astype(int) - shaded[mask]).mean() > 4
            shapes.add(int(mask.sum()))
            colours.append(flat[mask].mean(axis=0))
        assert len(shapes) == 6
        assert np.std(colours, axis=0).max() > 10

    def test_joints_lie_on_the_person_and_follow_the_side(self) -> None:
        person = make_person(np.random.default_rng(2))
        for yaw, order in ((0.0, -1), (180.0, 1)):
            scene = make_scene(person, Pose(yaw=yaw), (192, 128))
            points, shown = annotate(scene)
            joint = dict(zip(JOINTS, points, strict=True))
            for part in ("sho", "hip", "kne", "ank"):
                assert np.sign(joint["R" + part][0] - joint["L" + part][0]) == order
            mask = pair_truth(scene, scene).foreground
            x, y = np.rint(points[shown]).astype(int).T
            assert mask[y, x].all()
            face = {name for name in ("nose", "REye", "LEye") if shown[JOINTS.index(name)]}
            assert len(face) == (3 if yaw == 0 else 0)

    def test_a_side_view_hides_the_far_eye_and_sometimes_the_far_arm(self) -> None:
        person = make_person(np.random.default_rng(2))
        scene = make_scene(person, Pose(yaw=90.0), (192, 128))
        _, shown = annotate(scene)
        assert shown[JOINTS.index("REye")] != shown[JOINTS.index("LEye")]
        rates = [annotate(scene, np.random.default_rng(n))[1] for n in range(20)]
        far = np.mean(rates, axis=0)[JOINTS.index("Lsho")]  # at yaw 90 the left side is behind
        assert 0.1 < far < 0.9
        assert np.mean(rates, axis=0)[JOINTS.index("Rsho")] == 1.0

    def test_walking_swings_the_legs_in_turn(self) -> None:
        first, second = walk(np.pi / 2, 0.0), walk(3 * np.pi / 2, 0.0)
        assert first.legs["R"].swing > 15 > first.legs["L"].swing
        assert second.legs["L"].swing == pytest.approx(first.legs["R"].swing)
        assert first.arms["R"].swing < 0 < first.arms["L"].swing


def _colours(scene: Scene, x: Array, y: Array) -> Array:
    """Texture colours [N,3] that rays through picture positions see (NaN: nothing)."""
    hits = scene.look(x, y)
    out = np.full((len(x), 3), np.nan)
    for index in np.unique(hits.part[hits.part >= 0]):
        rows = hits.part == index
        part = scene.person.parts[index]
        low, high = part.reach()
        material = scene.person.materials[part.material]
        out[rows] = material.paint(hits.point[rows], float(high[0] - low[0]) / 2)
    return np.nan_to_num(out, nan=9.0)


def _bones(scene: Scene, bone: str) -> NDArray[np.bool_]:
    y, x = np.mgrid[: scene.size[0], : scene.size[1]].astype(float)
    hits = scene.look(x.ravel(), y.ravel())
    bones = np.array([part.bone for part in scene.person.parts])
    return ((hits.part >= 0) & (bones[hits.part] == bone)).reshape(scene.size)
