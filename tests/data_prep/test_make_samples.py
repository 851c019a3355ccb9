"""The embedded sample data: layout, determinism, exact truth, and what is said on bad input."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep import make_samples
from data_prep.people.looks import make_person
from tests.data_prep.checks import Array, digest, expect_sentence, inner, warp_error

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    *("--task", "pose", "--size", "96x64", "--train-people", "3", "--test-people", "3"),
    *("--views", "3", "--pairs", "9", "--workers", "1"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set whose pictures have no shading, so that colours can be compared."""
    out = tmp_path_factory.mktemp("data") / "pose"
    assert make_samples.main([*SMALL, "--out", str(out), "--shade", "0"]) == 0
    return out


def read(path: Path) -> Array:
    """A picture as [H,W,3] float."""
    return np.asarray(Image.open(path), dtype=np.float64)


class TestLayout:
    def test_annotations_have_18_whole_joints_in_the_frame(self, folder: Path) -> None:
        for split in ("train", "test"):
            text = (folder / f"fashion-annotation-{split}.csv").read_text()
            lines = text.splitlines()
            assert lines[0] == "name:keypoints_y:keypoints_x"
            assert len(lines) == 1 + 9
            for line in lines[1:]:
                name, ys, xs = line.split(":")
                assert read(folder / split / name).shape == (96, 64, 3)
                for values, limit in ((json.loads(ys), 96), (json.loads(xs), 64)):
                    assert len(values) == 18
                    assert all(type(v) is int and -1 <= v < limit for v in values)
                assert [v < 0 for v in json.loads(ys)] == [v < 0 for v in json.loads(xs)]
                assert json.loads(ys)[1] > 0  # the neck is always found

    def test_pairs_name_two_pictures_of_one_person(self, folder: Path) -> None:
        for split, expected in (("train", 18), ("test", 9)):
            with (folder / f"fashion-pairs-{split}.csv").open(newline="") as file:
                rows = list(csv.DictReader(file))
            assert len({(r["from"], r["to"]) for r in rows}) == len(rows) == expected
            for row in rows:
                assert row["from"] != row["to"]
                assert row["from"].split("v")[0] == row["to"].split("v")[0]
                assert (folder / split / row["from"]).is_file()
                if split == "test":
                    stem = f"{Path(row['from']).stem}_2_{Path(row['to']).stem}"
                    assert (folder / "test_truth" / f"{stem}.npz").is_file()
        assert not (folder / "train_truth").exists()

    def test_identities_are_disjoint_and_differ(self, folder: Path) -> None:
        names = {
            split: {path.name.split("v")[0] for path in (folder / split).iterdir()}
            for split in ("train", "test")
        }
        assert len(names["train"]) == len(names["test"]) == 3
        assert not names["train"] & names["test"]
        people = [make_person(np.random.default_rng([0, s, n])) for s in (0, 1) for n in range(3)]
        assert len({person.body for person in people}) == 6

    def test_drive_is_a_walking_body(self, folder: Path) -> None:
        with np.load(folder / "drive.npz") as data:
            points, fps = data["keypoints"], data["fps"]
        assert points.shape == (48, 18, 3)
        assert str(fps) == "25/1"
        shown = points[..., 2] > 0
        assert shown[:, :14].all()  # the body is always there
        assert not shown[:, 14:].all()  # the head turns
        assert (points[~shown] == (-1, -1, 0)).all()
        steps = np.linalg.norm(np.diff(points[:, :14, :2], axis=0), axis=-1)
        assert 0.2 < steps.mean() < 3.0  # moves, smoothly
        ankles = points[:, 10, 0] - points[:, 13, 0]
        assert ankles.max() > 0 > ankles.min() or np.ptp(points[:, 10, 1]) > 3


class TestDeterminism:
    def test_two_runs_are_equal_whatever_the_processes(self, tmp_path: Path) -> None:
        small = [*SMALL[:4], "--train-people", "8", "--test-people", "2", "--views", "2"]
        assert make_samples.main([*small, "--workers", "1", "--out", str(tmp_path / "a")]) == 0
        assert make_samples.main([*small, "--workers", "2", "--out", str(tmp_path / "b")]) == 0
        assert digest(tmp_path / "a") == digest(tmp_path / "b")
        other = [*small, "--seed", "1", "--workers", "1", "--out", str(tmp_path / "c")]
        assert make_samples.main(other) == 0
        a, c = digest(tmp_path / "a"), digest(tmp_path / "c")
        pictures = [name for name in a if name.endswith(".png")]
        assert len(pictures) == 20
        assert all(a[name] != c[name] for name in pictures)

    def test_a_folder_is_reused_refused_or_replaced(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "new" / "pose"
        arguments = [*SMALL, "--out", str(out)]
        assert make_samples.main(arguments) == 0
        before = digest(out)
        assert make_samples.main(arguments) == 0
        assert "re-used" in capsys.readouterr().out
        with pytest.raises(SystemExit) as stopped:
            make_samples.main([*arguments, "--seed", "1"])
        assert stopped.value.code == 2
        assert "other arguments" in capsys.readouterr().err
        assert digest(out) == before
        next((out / "test").iterdir()).unlink()
        with pytest.raises(SystemExit):
            make_samples.main(arguments)
        assert "lacks some of its files" in capsys.readouterr().err
        assert make_samples.main([*arguments, "--force"]) == 0
        assert digest(out) == before
        assert [path.name for path in out.parent.iterdir()] == ["pose"]  # nothing left behind

    def test_train_truth_is_written_when_asked(self, tmp_path: Path) -> None:
        options = ["--train-truth", "--train-pairs", "4", "--out", str(tmp_path / "o")]
        assert make_samples.main([*SMALL, *options]) == 0
        assert len(list((tmp_path / "o" / "train_truth").glob("*.npz"))) == 4


class TestTruth:
    def test_files_have_the_contract_s_arrays(self, folder: Path) -> None:
        files = sorted((folder / "test_truth").glob("*.npz"))
        assert len(files) == 9
        for file in files:
            with np.load(file) as truth:
                assert truth["flow"].shape == (2, 96, 64)
                assert truth["flow"].dtype == np.float32
                for key in ("visible", "foreground", "source_foreground"):
                    assert truth[key].shape == (96, 64)
                    assert truth[key].dtype == bool
                assert (truth["flow"][:, ~truth["visible"]] == 0).all()
                assert not (truth["visible"] & ~truth["foreground"]).any()
                assert 0.05 < truth["foreground"].mean() < 0.6
                assert np.isfinite(truth["flow"]).all()

    def test_warped_source_gives_the_target_on_disk(self, folder: Path) -> None:
        """The pictures' own colours, within what resampling costs; a wrong flow fails."""
        errors: dict[str, list[float]] = {"true": [], "zero": [], "off": [], "turned": []}
        for file in sorted((folder / "test_truth").glob("*.npz")):
            first, second = file.stem.split("_2_")
            source = read(folder / "test" / f"{first}.png")
            target = read(folder / "test" / f"{second}.png")
            with np.load(file) as truth:
                flow, where = truth["flow"].astype(float), inner(truth["visible"])
            if where.sum() < 60:  # seen from the other side
                continue
            errors["true"].append(warp_error(source, target, flow, where))
            errors["zero"].append(warp_error(source, target, 0 * flow, where))
            errors["off"].append(warp_error(source, target, flow + 2.0, where))
            errors["turned"].append(warp_error(source, target, flow[::-1], where))
        assert len(errors["true"]) >= 4
        mean = {name: float(np.mean(values)) for name, values in errors.items()}
        assert mean["true"] < 0.06
        for wrong in ("zero", "off", "turned"):
            assert mean[wrong] > 1.6 * mean["true"], mean


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--task", "posture", "--out", "x"], ["posture", "choose one of", "pose"]),
            (["--task", "pose"], ["--out"]),
            (["--task", "pose", "--out", "x", "--size", "100x64"], ["100x64", "multiples of 32"]),
            (["--task", "pose", "--out", "x", "--size", "big"], ["big", "96x64"]),
            (["--task", "pose", "--out", "x", "--views", "1"], ["'1'", "from 2"]),
            (["--task", "pose", "--out", "x", "--turn", "nan"], ["nan", "180"]),
            (["--task", "pose", "--out", "x", "--seed", "-1"], ["--seed", "-1"]),
            (["--task", "pose", "--out", "x", "--colour", "1"], ["--colour"]),
            ([*SMALL, "--out", "x", "--pairs", "99"], ["99", "18 test pairs", "more views"]),
        ],
    )
    def test_one_sentence(
        self,
        arguments: list[str],
        words: list[str],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        expect_sentence(capsys, arguments, words)
        assert not list(tmp_path.iterdir())

    def test_folders_that_cannot_be_used(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "file"
        file.write_text("mine")
        for out, words in ((file, ["is a file"]), (file / "deep", ["cannot write", "--out"])):
            expect_sentence(capsys, [*SMALL, "--out", str(out)], words)
        other = tmp_path / "mine"
        other.mkdir()
        (other / "thesis.txt").write_text("years of work")
        arguments = [*SMALL, "--out", str(other), "--force"]
        expect_sentence(capsys, arguments, ["no sample data", "another folder"])
        assert (other / "thesis.txt").read_text() == "years of work"

    def test_as_a_program(self, tmp_path: Path) -> None:
        """Started as a file, from anywhere, with no path set."""
        script = str(ROOT / "data_prep" / "make_samples.py")
        run: Callable[..., subprocess.CompletedProcess[str]] = lambda *a: subprocess.run(  # noqa: E731
            [sys.executable, script, *a], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        done = run(*SMALL, "--out", "here")
        assert done.returncode == 0
        assert "people: 6/6" in done.stderr
        assert "9 training and 9 test pictures, 9 exact flows" in done.stdout
        wrong = run("--task", "dancing", "--out", "there")
        assert wrong.returncode == 2
        assert wrong.stderr.startswith("error: ")
        assert wrong.stderr.count("\n") == 1
        assert "--views" in run("--task", "pose", "--help").stdout
