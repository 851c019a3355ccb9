"""Meshes to views: both layouts, names, splits, resuming, broken meshes, check and preview."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from data_prep import shapenet, shapenet_jobs
from data_prep.shapenet_jobs import short_names
from tests.data_prep.shapenet_meshes import write_box, write_shapenet

FEW = ["--size", "32", "--samples", "1", "--azimuths", "0:360:90", "--elevations", "0,10"]
VIEWS = [f"{az:03d}_{el:02d}" for el in (0, 10) for az in (0, 90, 180, 270)]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two boxes of one name, a grey one, a ShapeNetCore model, an empty and a broken mesh."""
    root = tmp_path_factory.mktemp("meshes") / "raw"
    write_box(root / "red" / "box.ply")
    write_box(root / "blue" / "Box.ply", (30, 30, 220))
    write_box(root / "plain.ply", None)
    write_shapenet(root / "02958343", "1a2b")
    (root / "empty.obj").write_text("v 0 0 0\n")
    (root / "broken.glb").write_bytes(b"no mesh")
    return root


def run(raw: Path, out: Path, *options: str) -> int:
    """Render with few small views."""
    return shapenet.main(["--raw", str(raw), "--out", str(out), *FEW, *options])


@pytest.fixture(scope="module")
def folder(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The meshes in the folder layout, with exact flow."""
    out = tmp_path_factory.mktemp("folder") / "out"
    assert run(raw, out, "--truth", "--split", "0") == 0
    return out


def test_folder_layout(folder: Path) -> None:
    objects = sorted(path.name for path in (folder / "test").iterdir())
    assert objects == ["1a2b", "blue__Box", "plain", "red__box"]
    for name in objects:
        views = sorted(path.name for path in (folder / "test" / name).iterdir())
        assert views == sorted(f"{view}.png" for view in VIEWS)
    cameras = json.loads((folder / "cameras.json").read_text())
    assert cameras["size"] == [32, 32] and cameras["azimuths"] == [0, 90, 180, 270]
    assert cameras["format"] == "gfla_video cameras" and cameras["background"] == [255] * 3
    red = np.array(Image.open(folder / "test/red__box/090_10.png"))
    assert red.shape == (32, 32, 3) and (red[0, 0] == 255).all()
    assert red[16, 16, 0] > red[16, 16, 2] + 50
    assert not (folder / "parts").exists()


def test_the_report_names_and_counts_what_is_odd(folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text())
    assert report["objects"] == 4 and report["views"] == 32
    assert sorted(report["broken"]) == ["raw/broken.glb", "raw/empty.obj"]
    assert "no triangle" in report["broken"]["raw/empty.obj"]
    assert report["grey"] == ["plain"]
    assert report["untextured"] == ["blue__Box", "plain", "red__box"]


def test_pairs_and_truth_follow_the_released_rule(folder: Path) -> None:
    with (folder / "pairs-test.csv").open() as file:
        rows = list(csv.DictReader(file))
    for number, name in enumerate(["1a2b", "blue__Box", "plain", "red__box"]):
        mine = [row for row in rows if row["object"] == name]
        assert {row["from"] for row in mine} == {f"{number * 90:03d}_00"}
        assert [row["to"] for row in mine] == VIEWS[:4]
    for row in rows:
        path = folder / "test_truth" / row["object"] / f"{row['from']}_2_{row['to']}.npz"
        with np.load(path) as truth:
            assert truth["flow"].shape == (2, 32, 32) and truth["flow"].dtype == np.float32
            assert truth["visible"].shape == (32, 32)
            assert (truth["foreground"] >= truth["visible"]).all()
            if row["from"] == row["to"]:
                assert truth["visible"].any() and np.abs(truth["flow"]).max() < 0.01


def test_a_second_run_renders_nothing(
    raw: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.[pn][np][gz]")}
    monkeypatch.setattr(shapenet_jobs.Scene, "render", None)
    monkeypatch.setattr(shapenet_jobs, "pair_truth", None)
    assert run(raw, folder, "--truth", "--split", "0") == 0
    assert "4 of 6 objects are finished already" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*.[pn][np][gz]")}


def test_hdf5_layout_as_released(raw: Path, folder: Path, tmp_path: Path) -> None:
    options = ("--layout", "hdf5", "--category", "car", "--split", "0.5")
    assert run(raw, tmp_path, *options) == 0
    ids = [(tmp_path / f"id_car_{phase}.txt").read_text().split() for phase in ("train", "test")]
    names = (tmp_path / "name_car_test.txt").read_text().split()
    assert {name.rsplit("_", 2)[0] for name in ids[1]} == set(names)
    with h5py.File(tmp_path / "data_car.hdf5") as file:
        assert sorted(file) == sorted(ids[0] + ids[1]) and len(file) == 32
        group = file["red__box_9_10"]
        assert group["pose"][()].tolist() == [9, 10]
        picture = np.array(Image.open(folder / "test/red__box/090_10.png"))
        assert (group["image"][()] == picture).all() and group["image"].dtype == np.uint8
    assert shapenet.main(["--out", str(tmp_path), *options[:4], "--check"]) == 0


def test_hdf5_is_put_together_once_all_shards_are_done(raw: Path, tmp_path: Path) -> None:
    options = ("--layout", "hdf5", "--category", "car")
    for shard in ("0/2", "1/2"):
        assert run(raw, tmp_path, *options, "--shard", shard) == 0
    assert not (tmp_path / "data_car.hdf5").exists()
    assert run(raw, tmp_path, *options) == 0
    with h5py.File(tmp_path / "data_car.hdf5") as file:
        assert len(file) == 32
    write_box(raw / "late.ply", (0, 200, 0))  # one more: the others stay
    try:
        assert run(raw, tmp_path, *options) == 0
    finally:
        (raw / "late.ply").unlink()
    with h5py.File(tmp_path / "data_car.hdf5") as file:
        assert len(file) == 40


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["group", "parent"])
def test_a_killed_run_goes_on_without_rendering_twice(tmp_path: Path, killed: str) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    for number in range(3):
        write_box(raw / f"box{number}.ply")
    angles = ["--azimuths", "0:360:12", "--elevations", "0", "--size", "48", "--samples", "4"]
    command = [sys.executable, shapenet.__file__, "--raw", str(raw), "--out", str(out), *angles]
    process = subprocess.Popen(
        [*command, "--workers", "2"], start_new_session=True, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 120
    while len(list(out.rglob("[0-9]*.png"))) < 20 and time.monotonic() < end:
        assert process.poll() is None
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL) if killed == "group" else process.kill()
    process.wait()
    group_ended(process.pid)
    stamps = {(p.parent.name, p.name): p.stat().st_mtime_ns for p in out.rglob("[0-9]*.png")}
    assert len(stamps) >= 20 and not (out / "report.json").exists()
    # In this process now, and counted.
    assert shapenet.main([*command[2:], "--split", "0.8"]) == 0
    for (name, view), stamp in stamps.items():
        (path,) = out.glob(f"t*/{name}/{view}")
        assert path.stat().st_mtime_ns == stamp, "rendered twice"
    for name in ("box0", "box1", "box2"):
        (place,) = out.glob(f"t*/{name}")
        assert len(list(place.iterdir())) == 30
        for path in place.iterdir():
            assert np.array(Image.open(path)).shape == (48, 48, 3)
    assert shapenet.main(["--out", str(out), "--check"]) == 0
    assert not list(out.rglob(".*")) and not (out / "parts").exists()


def group_ended(pid: int) -> None:
    """Wait until no process of a group is left."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            os.killpg(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.killpg(pid, signal.SIGKILL)
    pytest.fail("processes live on after their parent")


def test_other_options_and_other_meshes_of_a_name_are_refused(
    raw: Path, folder: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    assert "was rendered with fov 30.0, not 40.0" in refused(raw, folder, "--fov", "40")
    write_box(tmp_path / "other" / "plain.ply")
    assert "would become plain, which raw/plain.ply is" in refused(tmp_path / "other", folder)


def test_a_changed_mesh_is_made_anew_and_moves_with_its_phase(tmp_path: Path) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    write_box(raw / "a.ply", (200, 0, 0))
    assert run(raw, out, "--split", "1") == 0
    write_box(raw / "a.ply", None)
    assert run(raw, out, "--split", "1") == 0
    assert json.loads((out / "report.json").read_text())["grey"] == ["a"]
    assert run(raw, out, "--split", "0") == 0
    assert (out / "test/a").is_dir() and not (out / "train/a").exists()


def test_check_finds_what_is_missing_broken_and_blank(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shapenet.main(["--out", str(folder), "--check"]) == 0
    out = capsys.readouterr().out
    assert "raw/empty.obj: left out, has no triangle" in out and "complete" in out
    place = folder / "test" / "plain"
    kept = {
        name: (place / name).read_bytes() for name in ("000_00.png", "090_00.png", "180_00.png")
    }
    try:
        (place / "000_00.png").unlink()
        (place / "090_00.png").write_bytes(kept["090_00.png"][:40])
        Image.new("RGB", (32, 32), "white").save(place / "180_00.png")
        assert shapenet.main(["--out", str(folder), "--check"]) == 1
    finally:
        for name, content in kept.items():
            (place / name).write_bytes(content)
    out = capsys.readouterr().out
    assert "test/plain/000_00: cannot be read" in out
    assert "test/plain/090_00: cannot be read" in out
    assert "test/plain/180_00: shows next to nothing" in out and "3 things" in out


def test_preview_draws_every_object(folder: Path, tmp_path: Path) -> None:
    assert shapenet.main(["--out", str(folder), "--preview", str(tmp_path / "sheet.png")]) == 0
    sheet = np.array(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (4 * 128, 8 * 128, 3)


def test_nothing_but_broken_meshes_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "e.obj").write_text("")
    assert run(tmp_path / "raw", tmp_path / "out") == 1
    assert "no view was made" in capsys.readouterr().err


def test_front_of_shapenet_is_turned_and_up_is_passed(raw: Path, tmp_path: Path) -> None:
    jobs = shapenet_jobs.find_jobs([raw], "1", "auto", "auto")
    assert {job.name: job.front for job in jobs}["1a2b"] == 180
    assert {job.front for job in jobs if job.name != "1a2b"} == {0}
    out = tmp_path / "out"
    assert run(raw / "red", out, "--up", "z", "--split", "1") == 0
    flat = np.array(Image.open(out / "train/box/000_00.png"))
    rows, columns = np.nonzero((flat != 255).any(axis=-1))
    assert np.ptp(rows) > np.ptp(columns)  # the box's longest side stands up


def test_split_by_a_list_and_by_hash(
    raw: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    (tmp_path / "test.txt").write_text("plain\n1a2b\n")
    jobs = shapenet_jobs.find_jobs([raw], str(tmp_path / "test.txt"), "y", 0)
    assert sorted(job.name for job in jobs if job.phase == "test") == ["1a2b", "plain"]
    (tmp_path / "test.txt").write_text("nobody\n")
    assert "no mesh is called 'nobody'" in refused(raw, tmp_path, "--split", f"{tmp_path}/test.txt")
    hashes = [shapenet_jobs._hash(f"object{i}") for i in range(1000)]
    assert 0.75 < np.mean(np.array(hashes) < 0.8) < 0.85


def test_short_names_take_folders_only_where_they_must() -> None:
    keys = [
        ("raw", "a", "Chair"),
        ("raw", "b", "chair"),
        ("raw", "b", "sofa 2"),
        ("raw", "x", "b", "c"),
    ]
    names = short_names([*keys, ("raw", "y", "b", "c")])
    assert list(names.values()) == ["a__Chair", "b__chair", "sofa-2", "x__b__c", "y__b__c"]


@pytest.fixture(name="refused")
def refused_fixture(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run with options that must be refused, and return the one sentence."""

    def refused(raw: Path, out: Path, *options: str) -> str:
        with pytest.raises(SystemExit) as caught:
            run(raw, out, *options)
        said = capsys.readouterr().err
        assert caught.value.code == 2 and re.fullmatch(r"error: [^\n]+\n", said), said
        return said

    return refused


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--azimuths", "0:360"], "--azimuths 0:360: '0:360' is no angle or range"),
        (["--azimuths", "0:360:0"], "is no angle or range"),
        (["--azimuths", "0,360"], "'360' is no angle or range"),
        (["--azimuths", "5,5"], "names an angle twice"),
        (["--azimuths", "5,5.0000001"], "two views would have one name"),
        (["--elevations", "nan"], "is no angle or range"),
        (["--size", "0"], "--size 0: pass S or HxW"),
        (["--samples", "5"], "--samples 5: pass a square number"),
        (["--background", "white"], "--background white: pass R,G,B"),
        (["--shard", "2/2"], "--shard 2/2: pass I/N"),
        (["--workers", "0"], "--workers 0"),
        (["--points", "-1"], "--points -1"),
        (["--fov", "nan"], "--fov nan"),
        (["--distance", "0.1"], "--distance 0.1"),
        (["--split", "1.5"], "--split 1.5"),
        (["--split", "no.txt"], "--split no.txt"),
        (["--front", "north"], "--front north"),
        (["--preview", "sheet.jpg"], "ends in .png"),
        (["--layout", "hdf5"], "pass --category"),
        (["--layout", "hdf5", "--category", "car", "--azimuths", "5"], "in steps of 10 degrees"),
    ],
)
def test_wrong_options_are_refused(
    raw: Path, tmp_path: Path, options: list[str], said: str, refused: Callable[..., str]
) -> None:
    assert said in refused(raw, tmp_path, *options)


def test_folders_without_meshes_or_views_are_refused(
    tmp_path: Path, refused: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "holds no mesh" in refused(tmp_path, tmp_path / "out")
    assert "there is no such folder" in refused(tmp_path / "no", tmp_path / "out")
    with pytest.raises(SystemExit):
        shapenet.main(["--out", str(tmp_path), "--check"])
    assert "holds no object" in capsys.readouterr().err


def test_points_are_marked_once_and_only_for_training(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(raw, out, "--points", "9") == 0
    files = sorted((out / "train_points").iterdir())
    assert [file.stem for file in files] == sorted(p.name for p in (out / "train").iterdir())
    with np.load(files[0]) as marked:
        views = {p.stem for p in (out / "train" / files[0].stem).iterdir()}
        assert set(marked["names"]) == views and marked["points"].shape == (len(views), 9, 3)
    before = [file.stat().st_mtime_ns for file in files]
    assert run(raw, out, "--points", "9") == 0
    assert [file.stat().st_mtime_ns for file in files] == before
    assert run(raw, out, "--points", "5") == 0
    for file in files:
        with np.load(file) as marked:
            assert marked["points"].shape == (len(VIEWS), 5, 3)


def test_what_cannot_be_made_of_earlier_runs_objects_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("first/a.ply", "first/c.ply", "second/b.ply"):
        write_box(tmp_path / name)
    first, second, out = tmp_path / "first", tmp_path / "second", tmp_path / "out"
    assert run(first, out, "--split", "0", "--truth") == 0
    capsys.readouterr()
    assert run(second, out, "--split", "0", "--truth") == 1  # c is the third test object now
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"error: {out}: 1 objects (c) lack the exact flow of their pairs")
    assert run(first, out, "--split", "0", "--truth") == 0
    assert run(second, out, "--split", "0", "--truth") == 0
    assert shapenet.main(["--out", str(out), "--check"]) == 0
    assert run(first, tmp_path / "train", "--split", "1") == 0
    assert run(second, tmp_path / "train", "--split", "1", "--points", "4") == 1
    assert "2 objects (a, c) lack the points" in capsys.readouterr().err


def test_a_mesh_that_cannot_be_read_is_not_blamed_on_out(
    tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_box(tmp_path / "raw" / "a.ply")

    def lost(*arguments: object) -> list[shapenet_jobs.Job]:
        jobs = shapenet_jobs.find_jobs(*arguments)
        jobs[0].path.unlink()
        return jobs

    monkeypatch.setattr(shapenet, "find_jobs", lost)
    said = refused(tmp_path / "raw", tmp_path / "out")
    assert f"--raw {tmp_path}/raw/a.ply: cannot be read" in said and "cannot be written" not in said
    (tmp_path / "file").touch()
    monkeypatch.undo()
    write_box(tmp_path / "raw" / "a.ply")
    assert "cannot be written" in refused(tmp_path / "raw", tmp_path / "file" / "out")


def test_exact_flow_that_was_lost_is_made_again(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(raw, out, "--truth", "--split", "0") == 0
    lost = sorted((out / "test_truth").rglob("*.npz"))[-1]
    lost.unlink()
    assert run(raw, out, "--truth", "--split", "0") == 0
    assert lost.exists()
