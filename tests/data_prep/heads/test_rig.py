"""The template head, its landmarks, and what the controls move."""

import numpy as np
import pytest

from data_prep.heads import surface as face
from data_prep.heads.looks import SPREAD, build, make_head
from data_prep.heads.mesh import EYE_RADIUS, PARTS, template
from data_prep.heads.moves import talk
from data_prep.heads.raster import normals
from data_prep.heads.rig import Face, Rig

RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)
PAIRS = [(0, 16), (8, 8), (17, 26), (21, 22), (31, 35), (36, 45), (39, 42), (37, 44), (41, 46)]
PAIRS += [(48, 54), (50, 52), (59, 55), (60, 64), (61, 63), (67, 65), (27, 27), (57, 57)]


@pytest.fixture(scope="module")
def rig() -> Rig:
    """The template itself, a person of average shape without hair."""
    mesh = template()
    return Rig(mesh, mesh.points, mesh.eye_centre, 1.0)


def opening(points: np.ndarray, upper: tuple[int, ...], lower: tuple[int, ...]) -> float:
    """Mean distance in Y between landmarks of an upper and a lower edge."""
    return float((points[list(upper), 1] - points[list(lower), 1]).mean())


class TestTemplate:
    def test_landmarks_are_ibug_s(self) -> None:
        points = template().points[:68]
        for right, left in PAIRS:  # the person's right is on the picture's left
            np.testing.assert_allclose(points[right] * [-1, 1, 1], points[left], atol=1e-6)
        assert points[36, 0] < points[39, 0] < 0 < points[42, 0] < points[45, 0]
        assert (np.diff(points[0:9, 1]) < 0).all()  # down the jaw, and up again
        assert (np.diff(points[8:17, 1]) > 0).all()
        assert points[8, 1] == points[:, 1].min()
        assert points[30, 2] == points[:, 2].max()  # the tip of the nose
        assert (points[17:27, 1] > points[36:48, 1].max()).all()
        assert points[51, 1] > points[62, 1] > points[66, 1] > points[57, 1]
        assert (points[[37, 38, 43, 44], 1] > points[[41, 40, 47, 46], 1]).all()

    def test_skin_is_closed_but_for_eyes_and_mouth(self) -> None:
        mesh = template()
        faces = mesh.faces[(mesh.part[mesh.faces] == 0).all(1)]
        edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
        unique, counts = np.unique(edges, axis=0, return_counts=True)
        assert counts.max() == 2
        open_corners = np.unique(unique[counts == 1])
        azimuth = (mesh.where[open_corners, 0] - 0.5) * 2 * np.pi
        row = mesh.row[open_corners]
        seam = (np.abs(azimuth) > 3.14) | (row < 1e-9) | (row > face.ROWS - 1e-9)
        assert set(open_corners[~seam]) == set(mesh.rim)
        assert set(range(36, 48)) | set(range(60, 68)) <= set(mesh.rim)

    def test_faces_look_outwards(self) -> None:
        mesh = template()
        skin = mesh.of("skin")
        calm = skin[(mesh.row[skin] > 0.1) & (mesh.row[skin] < 0.4)]
        out = mesh.points[calm] - [0, 2, 0]
        assert (np.einsum("ij,ij->i", normals(mesh.points, mesh.faces)[calm], out) > 0).all()
        assert all(len(mesh.of(part)) for part in PARTS)


class TestControls:
    def test_jaw_opens_the_mouth_and_leaves_the_upper_face(self, rig: Rig) -> None:
        shut, wide = rig.pose(Face()), rig.pose(Face(jaw=15, apart=1))
        assert opening(shut, (61, 62, 63), (67, 66, 65)) == pytest.approx(0, abs=0.02)
        assert 1.5 < opening(wide, (61, 62, 63), (67, 66, 65)) < 4
        assert wide[8, 1] < shut[8, 1] - 1.5
        upper = [*range(17, 48), 50, 51, 52]
        assert np.abs(wide - shut)[upper].max() < 0.2

    def test_lids_close_over_the_eyeballs(self, rig: Rig) -> None:
        seen, shut = rig.pose(Face()), rig.pose(Face(lids=(1, 0)))
        upper, lower = (37, 38), (41, 40)
        assert opening(seen, upper, lower) > 0.9
        assert abs(opening(shut, upper, lower)) < 0.12
        np.testing.assert_array_equal(seen[LEFT_EYE], shut[LEFT_EYE])
        for points in (seen, shut):  # no skin within an eyeball, seen from the front
            skin = points[rig.mesh.of("skin")]
            for centre in rig.centres:
                flat = np.square(skin[:, :2] - centre[:2]).sum(1)
                covered = (flat < 0.9 * EYE_RADIUS**2) & (skin[:, 2] > 0)
                ball = centre[2] + np.sqrt(EYE_RADIUS**2 - flat[covered])
                assert (skin[covered, 2] > ball).all()

    @pytest.mark.parametrize(
        ("control", "landmark", "axis", "sign"),
        [
            (Face(smile=1), 54, 0, 1),
            (Face(smile=1), 48, 1, 1),
            (Face(pucker=1), 54, 0, -1),
            (Face(brows=(1, 0)), 19, 1, 1),
            (Face(brows=(0, 1)), 24, 1, 1),
            (Face(frown=1), 21, 0, 1),
            (Face(yaw=20), 30, 0, 1),
            (Face(pitch=20), 30, 1, 1),
            (Face(roll=20), 30, 0, 1),
            (Face(shift=(1, 0, 0)), 8, 0, 1),
        ],
    )
    def test_moves_landmarks_the_right_way(
        self, rig: Rig, control: Face, landmark: int, axis: int, sign: int
    ) -> None:
        moved = rig.pose(control) - rig.pose(Face())
        assert sign * moved[landmark, axis] > 0.25

    def test_gaze_turns_eyeballs_in_place(self, rig: Rig) -> None:
        ahead, aside = rig.pose(Face()), rig.pose(Face(gaze=(20, 0)))
        eyes = rig.mesh.of("eyes")
        others = np.setdiff1d(np.arange(len(ahead)), eyes)
        np.testing.assert_array_equal(ahead[others], aside[others])
        for points in (ahead, aside):
            centre = rig.centres[(rig.mesh.points[eyes, 0] > 0).astype(int)]
            reach = np.linalg.norm(points[eyes] - centre, axis=1)
            np.testing.assert_allclose(reach, EYE_RADIUS, atol=1e-9)
        assert np.abs(ahead - aside)[eyes].max() > 0.3

    def test_the_body_stays_when_the_head_turns(self, rig: Rig) -> None:
        moved = np.abs(rig.pose(Face(yaw=25)) - rig.pose(Face())).max(1)
        assert moved[rig.mesh.of("bust")].max() == 0
        assert moved[:68].min() > 0.05


class TestPeople:
    def test_persons_differ_and_come_back_by_seed(self) -> None:
        heads = [make_head(np.random.default_rng(n)) for n in range(12)]
        assert heads[3] == make_head(np.random.default_rng(3))
        assert len({head.marks for head in heads}) == 12
        assert len({head.cut for head in heads}) > 2
        shapes = np.array([[head.shape[k] / v for k, v in SPREAD.items()] for head in heads])
        assert np.abs(shapes).max() <= 1.8 + 1e-9
        assert shapes.std(0).min() > 0.3
        landmarks = [build(template(), head)[0][:68] for head in heads[:4]]
        apart = [np.abs(a - b).mean() for a in landmarks for b in landmarks if a is not b]
        assert min(apart) > 0.05

    def test_talk_moves_everything(self) -> None:
        clip = talk(np.random.default_rng(1), 100, 25.0, 22.0)
        assert len(clip) == 100
        for name, least in (("jaw", 8), ("yaw", 15), ("pitch", 5), ("roll", 3), ("smile", 0.2)):
            values = np.array([getattr(moment, name) for moment in clip])
            assert np.ptp(values) > least, name
            assert np.abs(np.diff(values)).max() < 0.55 * np.ptp(values), name  # no jumps
        assert max(moment.lids[0] for moment in clip) == 1.0
        assert max(abs(moment.yaw) for moment in clip) <= 1.15 * 22 + 1e-9
