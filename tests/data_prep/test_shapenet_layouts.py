"""Several categories in one folder, what is begun, and what a killed run leaves."""

from pathlib import Path

import pytest

from data_prep import shapenet
from data_prep.meshes.cameras import Lens
from data_prep.shapenet_check import all_reports, check
from data_prep.shapenet_jobs import Job, Recipe, run_job
from data_prep.shapenet_layouts import FolderLayout, Hdf5Layout
from tests.data_prep.shapenet_meshes import write_box

RECIPE = Recipe(Lens((16, 16)), (255, 255, 255), (0.0, 180.0), (0.0,), 1)


def job_of(path: Path) -> Job:
    """The mesh as an object to train with."""
    return Job(path, path.stem, f"raw/{path.name}", "train", "y", 0.0)


def touch(path: Path) -> Path:
    """An empty file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_tidying_a_category_leaves_the_others_work(tmp_path: Path) -> None:
    car = Hdf5Layout(tmp_path, "car")
    others = [
        touch(tmp_path / name)
        for name in (
            "parts/chair/x.hdf5",
            ".data_chair.a1b2c3d4.hdf5",
            ".report-chair.a1b2c3d4.json",
            ".id_chair_test.a1b2c3d4.txt",
            ".pairs-test-chair.a1b2c3d4.csv",
            "reports/chair/.x.a1b2c3d4.json",
            "train_points/.a.001.a1b2c3d4.npz",  # of a.001, not of a
            "test_truth/.x.a1b2c3d4/000_00_2_000_00.npz",
        )
    ]
    own = [
        touch(tmp_path / name)
        for name in (
            "parts/car/a/000_00.png",
            ".cameras.a1b2c3d4.json",
            ".data_car.a1b2c3d4.hdf5",
            ".report-car.a1b2c3d4.json",
            ".name_car_train.a1b2c3d4.txt",
            ".pairs-test-car.a1b2c3d4.csv",
            "reports/car/.a.a1b2c3d4.json",
            "train_points/.a.a1b2c3d4.npz",
            "test_truth/.a.a1b2c3d4/000_00_2_000_00.npz",
            "test_truth/.a.old.a1b2c3d4/a/000_00_2_000_00.npz",
        )
    ]
    car.tidy({"a"})
    assert [path for path in others if not path.exists()] == []
    assert [path for path in own if path.exists()] == []
    assert not car.parts.exists()
    Hdf5Layout(tmp_path, "chair").tidy({"x", "a.001"})
    assert not (tmp_path / "parts").exists() and not any(path.exists() for path in others)


def test_categories_may_share_a_folder_but_no_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_box(tmp_path / "cars" / "a.ply")
    write_box(tmp_path / "chairs" / "b.ply")
    write_box(tmp_path / "chairs" / "more" / "a.ply")
    out = tmp_path / "out"
    few = ["--size", "16", "--samples", "1", "--azimuths", "0,90", "--elevations", "0"]
    few += ["--out", str(out), "--layout", "hdf5", "--split", "0", "--truth"]
    assert shapenet.main(["--raw", str(tmp_path / "cars"), "--category", "car", *few]) == 0
    truth = out / "test_truth" / "a" / "000_00_2_090_00.npz"
    before = truth.stat().st_mtime_ns
    chairs = ["--raw", str(tmp_path / "chairs"), "--category", "chair", *few]
    with pytest.raises(SystemExit) as caught:
        shapenet.main(chairs)
    said = capsys.readouterr().err.splitlines()[-1]
    assert caught.value.code == 2
    assert "a.ply: would become a, a name that an object of the category car" in said
    assert truth.stat().st_mtime_ns == before and not (out / "data_chair.hdf5").exists()
    (tmp_path / "chairs" / "more" / "a.ply").unlink()
    assert shapenet.main(chairs) == 0
    assert shapenet.main(["--raw", str(tmp_path / "cars"), "--category", "car", *few]) == 0


def test_a_changed_mesh_whose_run_is_killed_before_its_views_are_there_is_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, mesh = Hdf5Layout(tmp_path / "out", "car"), tmp_path / "m.ply"

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    def finished() -> bool:
        fresh = Hdf5Layout(layout.out, "car")
        return shapenet.is_finished(job_of(mesh), fresh, RECIPE, all_reports(fresh))

    write_box(mesh)
    run_job(job_of(mesh), layout, RECIPE)
    layout.finish({"m": "train"}, RECIPE.cameras)
    old = layout.read("m", "train", RECIPE.cameras[0])
    assert finished()
    write_box(mesh, None)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Hdf5Layout, "publish", stop)
        run_job(job_of(mesh), layout, RECIPE)
    assert not finished()
    assert run_job(job_of(mesh), layout, RECIPE)["rendered"] == 0
    assert finished()
    layout.finish({"m": "train"}, RECIPE.cameras)
    assert finished() and (layout.read("m", "train", RECIPE.cameras[0]) != old).any()


def test_check_names_begun_objects_whatever_their_names_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data_prep.shapenet_check.cameras_of", lambda out: [])
    for name in ("a/000_00.png", "b.001/000_00.png", "b.001.json", ".c.a1b2c3d4.json"):
        touch(tmp_path / "parts" / name)
    said = "was begun and is not finished, run this again"
    assert check(FolderLayout(tmp_path)) == [f"a: {said}", f"b.001: {said}"]
    touch(tmp_path / "parts" / "car" / "d.5.hdf5")
    assert check(Hdf5Layout(tmp_path, "car")) == [f"d.5: {said}"]
