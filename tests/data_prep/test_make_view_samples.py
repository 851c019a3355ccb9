"""The embedded cars and chairs: layout, determinism, exact truth on the pictures on disk."""

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep import make_samples
from tests.data_prep.checks import Array, digest, expect_sentence, inner, warp_error

VIEWS = ("--task", "view_synthesis", "--samples", "4")
SMALL = (
    *(*VIEWS, "--size", "96x64", "--train-objects", "1", "--test-objects", "3"),
    *("--azimuths", "18", "--elevations", "20", "0", "--workers", "1"),
)
FEW = (
    *(*VIEWS, "--size", "64x64", "--train-objects", "2", "--test-objects", "1"),
    *("--azimuths", "4", "--elevations", "0"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set, read only."""
    out = tmp_path_factory.mktemp("data") / "views"
    assert make_samples.main([*SMALL, "--out", str(out)]) == 0
    return out


def picture(path: Path) -> Array:
    """A picture as [H,W,3] float."""
    return np.asarray(Image.open(path), dtype=np.float64)


def rows_of(folder: Path) -> list[dict[str, str]]:
    """The rows of pairs-test.csv."""
    with (folder / "pairs-test.csv").open(newline="") as file:
        return list(csv.DictReader(file))


class TestLayout:
    def test_a_folder_per_object_and_a_picture_per_camera(self, folder: Path) -> None:
        names = {s: sorted(p.name for p in (folder / s).iterdir()) for s in ("train", "test")}
        assert names["train"] == ["car00001"]
        assert names["test"] == ["car90001", "car90002", "chair90001"]
        wanted = {f"{20 * i:03d}_{e}.png" for i in range(18) for e in ("00", "20")}
        for split, objects in names.items():
            for name in objects:
                assert {p.name for p in (folder / split / name).iterdir()} == wanted
        for path in (folder / "test").rglob("*.png"):
            held = picture(path)
            assert held.shape == (96, 64, 3)
            assert (held[[0, -1]] == 255).all() and (held[:, [0, -1]] == 255).all()  # not cut off

    def test_the_cameras_are_written_down(self, folder: Path) -> None:
        held = json.loads((folder / "cameras.json").read_text())
        assert held["format"] == "gfla_video cameras" and held["version"] == 1
        assert held["size"] == [96, 64] and held["background"] == [255, 255, 255]
        assert held["distance"] == 2.0
        half = np.tan(np.radians(held["fov"]) / 2)  # of the height; of the width: as 30 degrees
        assert half * 64 / 96 == pytest.approx(np.tan(np.radians(15)))
        assert held["azimuths"] == [20.0 * i for i in range(18)]
        assert held["elevations"] == [0.0, 20.0]

    def test_pairs_by_the_published_rule(self, folder: Path) -> None:
        """Elevation 0; object i, sorted, from azimuth i, to all azimuths; truth for each pair."""
        rows = rows_of(folder)
        assert len(rows) == 3 * 18
        for i, name in enumerate(("car90001", "car90002", "chair90001")):
            mine = [row for row in rows if row["object"] == name]
            assert {row["from"] for row in mine} == {f"{20 * i:03d}_00"}
            assert [row["to"] for row in mine] == [f"{20 * k:03d}_00" for k in range(18)]
        truth = folder / "test_truth"
        files = {p.relative_to(truth) for p in truth.rglob("*.npz")}
        assert files == {Path(r["object"], f"{r['from']}_2_{r['to']}.npz") for r in rows}

    def test_points_of_the_training_objects_in_all_views(self, folder: Path) -> None:
        (file,) = (folder / "train_points").iterdir()
        assert file.stem == next((folder / "train").iterdir()).name
        with np.load(file) as marked:
            views = {p.stem for p in (folder / "train" / file.stem).iterdir()}
            assert set(marked["names"]) == views
            assert marked["points"].shape == (len(views), 128, 3)
            assert marked["size"].tolist() == [96, 64]

    def test_fewer_pairs_lie_all_round(self, tmp_path: Path) -> None:
        fewer = ("--train-objects", "1", "--test-objects", "2")
        options = (*fewer, "--pairs", "4", "--azimuths", "12", "--kinds", "chair")
        assert make_samples.main([*FEW, *options, "--out", str(tmp_path / "o")]) == 0
        rows = rows_of(tmp_path / "o")
        assert Counter(row["object"] for row in rows) == {"chair90001": 4, "chair90002": 4}
        turns = [(int(r["to"][:3]) - int(r["from"][:3])) % 360 for r in rows[:4]]
        assert turns == [30, 120, 210, 300]

    def test_the_cars_nose_is_at_azimuth_0(self, folder: Path) -> None:
        """Narrow from the front, wide from the side, where the nose is to the left."""
        for name in ("car90001", "car90002"):
            shown = {
                azimuth: (picture(folder / "test" / name / f"{azimuth:03d}_00.png") < 250).any(-1)
                for azimuth in (0, 80)
            }
            wide = {azimuth: np.ptp(np.flatnonzero(held.any(0))) for azimuth, held in shown.items()}
            assert wide[80] > 1.5 * wide[0]
            columns = shown[80].sum(0)  # a bonnet is lower than the rest
            middle = int(np.flatnonzero(columns).mean())
            assert columns[: middle - 12].mean() < columns[middle + 12 :].mean()


class TestDeterminism:
    def test_folders_are_equal_whatever_the_processes(self, tmp_path: Path) -> None:
        many = [*FEW, "--train-objects", "7"]
        for name, options in (
            ("a", [*many, "--workers", "1"]),
            ("b", [*many, "--workers", "2"]),
            ("fewer", [*FEW, "--workers", "1"]),
        ):
            assert make_samples.main([*options, "--out", str(tmp_path / name)]) == 0
        a, b, fewer = (digest(tmp_path / name) for name in ("a", "b", "fewer"))
        assert a == b
        assert fewer.items() < a.items()
        pictures = [name for name in a if name.endswith("_00.png")]
        assert len({a[name] for name in pictures}) == len(pictures) == 8 * 4  # nothing comes twice

    def test_another_seed_gives_other_objects(self, tmp_path: Path) -> None:
        for seed in ("0", "1"):
            options = ("--seed", seed, "--out", str(tmp_path / seed), "--workers", "1")
            assert make_samples.main([*FEW, *options]) == 0
        first, second = (digest(tmp_path / seed) for seed in ("0", "1"))
        assert all(first[name] != second[name] for name in first if name.endswith(".png"))


class TestTruth:
    def test_files_have_the_arrays(self, folder: Path) -> None:
        for row in rows_of(folder):
            stem = f"{row['from']}_2_{row['to']}"
            with np.load(folder / "test_truth" / row["object"] / f"{stem}.npz") as truth:
                flow, visible = truth["flow"], truth["visible"]
                foreground, source = truth["foreground"], truth["source_foreground"]
            assert flow.shape == (2, 96, 64) and flow.dtype == np.float32
            assert visible.dtype == foreground.dtype == source.dtype == bool
            assert (flow[:, ~visible] == 0).all() and not (visible & ~foreground).any()
            target = picture(folder / "test" / row["object"] / f"{row['to']}.png")
            assert ((target < 250).any(-1) != foreground).mean() < 0.06  # all but edges
            if row["from"] == row["to"]:
                assert np.abs(flow).max() < 1e-3
                assert visible.sum() > 0.97 * foreground.sum()

    def test_warped_source_gives_the_target_on_disk(self, folder: Path) -> None:
        """For turns of 20 and 40 degrees, within what resampling costs; a wrong flow fails."""
        errors: dict[str, list[float]] = {"true": [], "zero": [], "off": [], "turned": []}
        for row in rows_of(folder):
            turn = abs(int(row["from"][:3]) - int(row["to"][:3]))
            if min(turn, 360 - turn) not in (20, 40):
                continue
            source, target = (
                picture(folder / "test" / row["object"] / f"{row[key]}.png")
                for key in ("from", "to")
            )
            stem = f"{row['from']}_2_{row['to']}"
            with np.load(folder / "test_truth" / row["object"] / f"{stem}.npz") as truth:
                flow, where = truth["flow"].astype(float), inner(truth["visible"])
            assert where.sum() > 100
            for name, used in (
                ("true", flow),
                ("zero", 0 * flow),
                ("off", flow + 2.0),
                ("turned", flow[::-1]),
            ):
                errors[name].append(warp_error(source, target, used, where))
        assert len(errors["true"]) == 12
        mean = {name: float(np.mean(values)) for name, values in errors.items()}
        assert mean["true"] < 0.05
        for wrong in ("zero", "off", "turned"):
            assert mean[wrong] > 2 * mean["true"], mean


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--size", "100x64"], ["100x64", "multiples of 32"]),
            (["--size", "big"], ["big", "64x64"]),
            (["--kinds", "boat"], ["boat", "car", "chair"]),
            (["--azimuths", "1"], ["'1'", "from 2"]),
            (["--elevations", "90"], ["90", "0 to 80"]),
            (["--samples", "5"], ["5", "16"]),
            (["--train-objects", "none"], ["none", "from 1"]),
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
        expect_sentence(capsys, ["--task", "view_synthesis", "--out", out, *arguments], words)
        assert not list(tmp_path.iterdir())

    def test_summary_says_what_was_made(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "views"
        assert make_samples.main([*FEW, "--out", str(out), "--workers", "1"]) == 0
        said = capsys.readouterr().out
        assert "2 training and 1 test objects, 4 views each, 4 exact flows" in said
        assert make_samples.main([*FEW, "--out", str(out)]) == 0
        assert "re-used" in capsys.readouterr().out
