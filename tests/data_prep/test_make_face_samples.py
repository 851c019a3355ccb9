"""The embedded talking heads: layout, determinism, exact truth on the decoded pictures, sound."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from data_prep import make_samples
from data_prep.samples.face import FPS, Job, clip_name, film_head, stage
from tests.data_prep.checks import Array, digest, expect_sentence, inner, warp_error

FACE = ("--task", "face", "--size", "64x64")
FEW = (*FACE, "--train-heads", "1", "--test-heads", "1", "--frames", "2", "--drive-frames", "2")


def frames_of(path: Path) -> Array:
    """Decoded frames [T,H,W,3]."""
    with av.open(str(path)) as film:
        return np.stack([f.to_ndarray(format="rgb24") for f in film.decode(video=0)]).astype(float)


def clips(folder: Path) -> list[Path]:
    """All mp4s of both splits."""
    return sorted(folder.glob("t*/*.mp4"))


class TestLayout:
    def test_every_clip_has_exact_landmarks_beside_it(self, face_samples: Path) -> None:
        names = [path.relative_to(face_samples).as_posix() for path in clips(face_samples)]
        expected = [f"test/{clip_name('test', n)}.mp4" for n in range(2)]
        expected += [f"train/{clip_name('train', n)}.mp4" for n in range(3)]
        assert names == expected
        for path in [*clips(face_samples), face_samples / "drive.mp4"]:
            assert frames_of(path).shape == (8, 64, 64, 3)
            with np.load(path.with_suffix(".npz")) as held:
                landmarks, found, size = (held[k] for k in ("landmarks", "found", "size"))
            assert landmarks.shape == (8, 68, 2)
            assert landmarks.dtype == np.float32
            assert found.dtype == bool and found.all() and found.shape == (8,)
            assert size.tolist() == [64, 64]
            assert landmarks.min() >= 0.9 and landmarks.max() <= 62.1  # in the picture
            moved = np.linalg.norm(np.diff(landmarks, axis=0), axis=-1)
            assert 0.1 < moved.mean() < 4

    def test_truth_only_of_test_clips(self, face_samples: Path) -> None:
        truths = sorted(p.relative_to(face_samples).as_posix() for p in face_samples.rglob("*_t*"))
        assert truths == [f"test/{clip_name('test', n)}_truth.npz" for n in range(2)]
        for name in truths:
            with np.load(face_samples / name) as truth:
                flow, visible, foreground = (truth[k] for k in ("flow", "visible", "foreground"))
            assert flow.shape == (8, 2, 64, 64) and flow.dtype == np.float32
            assert visible.shape == foreground.shape == (8, 64, 64)
            assert visible.dtype == foreground.dtype == bool
            assert not (visible & ~foreground).any()
            assert (flow.transpose(0, 2, 3, 1)[~visible] == 0).all()
            assert (visible[0] == foreground[0]).all() and np.abs(flow[0]).max() < 1e-5
            assert visible[1:].sum() > 0.6 * foreground[1:].sum()

    def test_source_is_a_portrait(self, face_samples: Path) -> None:
        picture = Image.open(face_samples / "source.png")
        assert picture.size == (64, 64) and picture.mode == "RGB"
        with np.load(face_samples / "source.npz") as held:
            assert held["landmarks"].shape == (1, 68, 2)
            points = held["landmarks"][0]
        gap = points[[61, 62, 63], 1] - points[[67, 66, 65], 1]
        assert np.abs(gap).max() < 0.3  # the mouth is shut, the eyes are open
        assert (points[[41, 40, 47, 46], 1] - points[[37, 38, 43, 44], 1]).min() > 1.0

    def test_sound_follows_the_jaw(self, tmp_path: Path) -> None:
        job = Job("drive", 0, 25, (64, 64), 0, 22.0, str(tmp_path))
        film_head(job)
        with av.open(str(tmp_path / "drive.mp4")) as film:
            audio = film.streams.audio[0]
            assert film.streams.video[0].average_rate == FPS
            assert audio.codec.name == "aac"
            assert abs(float(audio.duration * audio.time_base) - 1.0) < 1 / 25
            heard = np.concatenate([f.to_ndarray()[0] for f in film.decode(audio)])
        loud = np.abs(heard[: 25 * 960]).reshape(25, 960).mean(1)
        jaw = [face.jaw for face in stage(job)[1]]
        assert np.corrcoef(loud, jaw)[0, 1] > 0.8


class TestDeterminism:
    def test_folders_are_equal_whatever_the_processes(self, tmp_path: Path) -> None:
        many = [*FEW, "--train-heads", "5"]
        for name, options in (
            ("a", [*many, "--workers", "1"]),
            ("b", [*many, "--workers", "2"]),
            ("fewer", [*FEW, "--workers", "1"]),
        ):
            assert make_samples.main([*options, "--out", str(tmp_path / name)]) == 0
        a, b, fewer = (digest(tmp_path / name) for name in ("a", "b", "fewer"))
        assert a == b
        assert fewer.items() < a.items()
        assert len(set(a.values())) == len(a)  # nobody comes twice

    def test_another_seed_gives_other_people(self) -> None:
        points = [
            [actor.landmarks(actor.pose(face)) for face in faces]
            for actor, faces, _ in (
                stage(Job("train", 0, 2, (64, 64), seed, 22.0, "")) for seed in (0, 0, 1)
            )
        ]
        np.testing.assert_array_equal(points[0], points[1])
        assert np.abs(np.subtract(points[0], points[2])).mean() > 1


class TestTruth:
    def test_the_first_frame_warped_gives_later_frames(self, face_samples: Path) -> None:
        """On the decoded pictures, within what light, resampling and coding cost."""
        errors: dict[str, list[float]] = {"true": [], "zero": [], "off": [], "turned": []}
        for path in sorted((face_samples / "test").glob("*.mp4")):
            pictures = frames_of(path)
            with np.load(path.with_name(f"{path.stem}_truth.npz")) as truth:
                flows, visible = truth["flow"].astype(float), truth["visible"]
            for t in (4, 7):
                where, flow = inner(visible[t]), flows[t]
                assert where.sum() > 500
                for name, used in (
                    ("true", flow),
                    ("zero", 0 * flow),
                    ("off", flow + 2.0),
                    ("turned", flow[::-1]),
                ):
                    errors[name].append(warp_error(pictures[0], pictures[t], used, where))
        mean = {name: float(np.mean(values)) for name, values in errors.items()}
        assert mean["true"] < 0.04
        for wrong in ("zero", "off", "turned"):
            assert mean[wrong] > 1.6 * mean["true"], mean

    def test_landmarks_flow_with_the_skin(self, face_samples: Path) -> None:
        """The truth at a landmark's pixel leads to that landmark in the first frame."""
        apart = []
        for path in sorted((face_samples / "test").glob("*_truth.npz")):
            with np.load(path) as truth:
                flow, visible = truth["flow"], truth["visible"]
            with np.load(path.with_name(path.name.replace("_truth", ""))) as held:
                points = held["landmarks"]
            for t in range(1, 8):
                for index in (*range(17, 36), 48, 54, 51, 57):
                    x, y = np.rint(points[t, index]).astype(int)
                    if visible[t, y, x]:
                        found = points[t, index] + flow[t, :, y, x]
                        apart.append(np.linalg.norm(found - points[0, index]))
        assert len(apart) > 150
        assert np.median(apart) < 0.25
        assert np.mean(np.array(apart) < 1.0) > 0.9


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--size", "100x64"], ["100x64", "multiples of 32"]),
            (["--size", "big"], ["big", "96x96"]),
            (["--frames", "1"], ["'1'", "from 2"]),
            (["--train-heads", "none"], ["none", "from 1"]),
            (["--turn", "90"], ["90", "0 to 45"]),
            (["--people", "3"], ["--people"]),
        ],
    )
    def test_one_sentence(
        self,
        arguments: list[str],
        words: list[str],
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        out = str(tmp_path / "x")
        expect_sentence(capsys, ["--task", "face", "--out", out, *arguments], words)
        assert not list(tmp_path.iterdir())

    def test_summary_says_what_was_made(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "face"
        assert make_samples.main([*FEW, "--out", str(out), "--workers", "1"]) == 0
        said = capsys.readouterr().out
        assert "1 training and 1 test clips, 1 with exact flow, drive.mp4 and source.png" in said
        assert make_samples.main([*FEW, "--out", str(out)]) == 0
        assert "re-used" in capsys.readouterr().out
