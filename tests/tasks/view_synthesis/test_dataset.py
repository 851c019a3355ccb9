"""Samples of views: contract, choice of views, several sources, truth, bad folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import default_collate

from gfla_video.datasets import BrokenImageError, IdSplit, base
from gfla_video.datasets.sampler import SampleKey
from gfla_video.registry import DATASETS
from gfla_video.tasks.view_synthesis.cameras import Camera, angular_distance
from gfla_video.tasks.view_synthesis.dataset import ViewDataset
from gfla_video.tasks.view_synthesis.structure import CameraBins
from gfla_video.utils.errors import UserError
from tests.tasks.view_synthesis.views import (
    OBJECTS,
    SIZE,
    make_folder,
    seen_in,
    view_pixels,
    write_truth,
)

BINS = CameraBins()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 objects, 18 x 3 views. Read only."""
    return make_folder(tmp_path_factory.mktemp("views"))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The same with 4 views of an object, to be spoilt."""
    return make_folder(tmp_path / "data", azimuths=(0, 20, 40, 60), elevations=(0,))


def build(folder: Path, **options: Any) -> ViewDataset:
    plain = {
        "type": "ViewDataset",
        "data_root": str(folder),
        "size": SIZE,
        "structure": {"type": "CameraBins"},
    }
    return DATASETS.build({**plain, **options})


def cameras_of(sample: dict[str, Any]) -> tuple[list[Camera], Camera]:
    """What the codes of a sample say."""
    inputs = sample["inputs"]
    sources = [BINS.decode(code) for code in inputs["source_structures"]]
    return sources, BINS.decode(inputs["target_structure"])


def check_pictures(sample: dict[str, Any]) -> tuple[list[Camera], Camera]:
    """That the pictures show what the codes say, all of the object that the name says."""
    sources, target = cameras_of(sample)
    number = OBJECTS.index(sample["meta"]["name"].split("_")[0])
    for picture, camera in zip(sample["inputs"]["sources"], sources, strict=True):
        assert seen_in(picture) == (number, *camera)
    assert seen_in(sample["targets"]["image"]) == (number, *target)
    return sources, target


def test_a_sample_is_as_agreed(folder: Path) -> None:
    dataset = build(folder, pairs="all", objects="chair1", elevations=10)
    assert len(dataset) == 18 * 17
    sample = dataset[20]
    assert sample["meta"] == {
        "name": "chair1_020_10_2_080_10",
        "source": "chair1/020_10",
        "target": "chair1/080_10",
    }
    assert check_pictures(sample) == ([Camera(20, 10)], Camera(80, 10))
    inputs = sample["inputs"]
    assert set(inputs) == {"sources", "source_structures", "target_structure"}
    assert set(sample["targets"]) == {"image"}
    assert inputs["sources"][0].shape == sample["targets"]["image"].shape == (3, *SIZE)
    assert inputs["target_structure"].shape == inputs["source_structures"][0].shape == (21, 1, 1)
    assert inputs["sources"][0].dtype == inputs["target_structure"].dtype == torch.float32
    batch = default_collate([dataset[0], dataset[1]])
    assert batch["inputs"]["source_structures"][0].shape == (2, 21, 1, 1)
    assert batch["meta"]["name"][0] == "chair1_000_10_2_020_10"


def test_targets_are_drawn_at_the_source_s_elevation(folder: Path) -> None:
    dataset = build(folder)
    assert len(dataset) == len(OBJECTS) * 18 * 3
    place = [pair.source.name for pair in dataset.pairs].index("020_20")
    found = set()
    for epoch in range(60):
        (source,), target = check_pictures(dataset[SampleKey(place, epoch)])
        assert source == Camera(20, 20)
        assert target.elevation == 20
        found.add(target.azimuth)
    assert len(found) >= 14  # of 18, after 60 draws
    firsts = {dataset[index]["meta"]["source"] for index in range(len(dataset))}
    assert len(firsts) == len(dataset)
    across = build(folder, across_elevations=True)
    drawn = [cameras_of(across[SampleKey(place, epoch)])[1].elevation for epoch in range(20)]
    assert set(drawn) == {0, 10, 20}


def test_a_sample_depends_on_seed_pass_and_index_alone(folder: Path) -> None:
    first, again = (build(folder, sources=3, seed=3) for _ in range(2))
    first[SampleKey(4, 0)]  # drawing something before changes nothing
    names = [first[SampleKey(7, epoch)]["meta"] for epoch in range(8)]
    assert names == [again[SampleKey(7, epoch)]["meta"] for epoch in range(8)]
    assert len({meta["target"] for meta in names}) > 1
    assert names != [build(folder, sources=3)[SampleKey(7, epoch)]["meta"] for epoch in range(8)]


@pytest.mark.parametrize("pairs", [None, "all", "released"])
def test_several_sources_come_nearest_first(folder: Path, pairs: str | None) -> None:
    dataset = build(folder, sources=4, pairs=pairs)
    assert dataset.skipped_pairs == 0
    for index in range(0, len(dataset), len(dataset) // 25):
        sample = dataset[index]
        sources, target = check_pictures(sample)
        away = [angular_distance(camera, target) for camera in sources]
        assert away == sorted(away)
        assert len(set(sources)) == 4
        assert target not in sources[1:]
        assert {camera.elevation for camera in sources} == {target.elevation}
        named = sample["meta"]["name"].split("_2_")[0].replace("_", "/", 1)
        assert named in sample["meta"]["source"].split()


def test_objects_with_too_few_views_are_left_out(small: Path) -> None:
    make_folder(small, objects=("few",), azimuths=(0, 20), elevations=(0,))
    dataset = build(small, sources=3)
    assert len(dataset) == 12
    assert dataset.skipped_pairs == 2
    with pytest.raises(UserError, match="no pair of views is left"):
        build(small, sources=2, pairs="all", objects="few")


def test_choice_of_views(folder: Path) -> None:
    held_out = build(
        folder, azimuths="20:360:40", source_azimuths="0:360:40", elevations=[0], pairs="all"
    )
    assert len(held_out) == len(OBJECTS) * 9 * 9
    for index in range(0, len(held_out), 20):
        (source,), target = cameras_of(held_out[index])
        assert source.azimuth % 40 == source.elevation == target.elevation == 0
        assert target.azimuth % 40 == 20
    # Without source_azimuths held-out views are no sources either.
    training = build(folder, azimuths="0:360:40")
    assert len(training) == len(OBJECTS) * 9 * 3
    for index in range(len(training)):
        (source,), target = cameras_of(training[index])
        assert source.azimuth % 40 == target.azimuth % 40 == 0
    every = build(folder, pairs="all", across_elevations=True, objects="car1")
    assert len(every) == 54 * 53


def test_choice_of_objects(folder: Path, tmp_path: Path) -> None:
    def names(**options: Any) -> set[str]:
        return {pair.object for pair in build(folder, **options).pairs}

    assert names() == set(OBJECTS)
    assert names(objects="car*") == {"car1", "car2"}
    assert names(objects=["chair1", "car2"]) == {"chair1", "car2"}
    listed = tmp_path / "held_out.txt"
    listed.write_text("\ncar1\nchair?\n")
    assert names(objects=str(listed)) == {"car1", "chair1"}
    parts = [names(split={"fraction": 0.6, "part": part, "seed": 2}) for part in ("train", "test")]
    assert sorted([*parts[0], *parts[1]]) == sorted(OBJECTS)
    assert parts[0] == names(split=IdSplit(0.6, "train", 2))


def test_released_test(folder: Path) -> None:
    dataset = build(folder, pairs="released")
    assert len(dataset) == len(OBJECTS) * 18
    for number in range(len(OBJECTS)):
        found = [cameras_of(dataset[number * 18 + place]) for place in range(18)]
        assert {tuple(sources) for sources, _ in found} == {(Camera(20 * number, 0),)}
        assert [target for _, target in found] == [Camera(20 * place, 0) for place in range(18)]
    # Leaving objects out does not change the others' source views.
    last = build(folder, pairs="released", objects="chair1")
    assert last.pairs == dataset.pairs[36:]


def test_table_of_pairs(folder: Path) -> None:
    path = folder / "pairs-test.csv"
    path.write_text("object,from,to\ncar2,020_10,340_00\n\nchair1,000_00,040_20\n")
    dataset = build(folder, pairs="pairs-test.csv")
    assert [dataset[index]["meta"]["name"] for index in range(2)] == [
        "car2_020_10_2_340_00",
        "chair1_000_00_2_040_20",
    ]
    assert check_pictures(dataset[0]) == ([Camera(20, 10)], Camera(340, 0))
    assert len(build(folder, pairs="pairs-test.csv", objects="car*")) == 1
    assert len(build(folder, pairs="pairs-test.csv", azimuths=[0, 40])) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("object,from\n", r"has no column 'to', the first line must be object,from,to"),
        ("", "has no column 'object'"),
        ("object,from,to\nbus,000_00,020_00\n", r"line 2: there is no object bus in"),
        ("object,from,to\ncar1,000_00,005_00\n", r"line 2: car1 has no view 005_00"),
        ("object,from,to\n\ncar1,000_00\n", r"line 3: expected an object and two views"),
    ],
)
def test_bad_tables_of_pairs(folder: Path, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        build(folder, pairs=str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_max_pairs_keeps_a_drawn_part(folder: Path) -> None:
    dataset, every = build(folder, max_pairs=9), build(folder).pairs
    assert len(dataset) == 9
    assert dataset.pairs == [pair for pair in every if pair in dataset.pairs]
    assert dataset.pairs == build(folder, max_pairs=9).pairs
    assert dataset.pairs != build(folder, max_pairs=9, seed=1).pairs


def test_truth(small: Path) -> None:
    for number, pair in enumerate(build(small, pairs="all").pairs):
        assert pair.target is not None
        folder = small / "train_truth"
        write_truth(folder, pair.object, pair.source.name, pair.target.name, float(number))
    dataset = build(small, pairs="all", with_truth=True)
    targets = dataset[7]["targets"]
    assert set(targets) == {"image", "flow", "visible", "foreground", "source_foreground"}
    assert targets["flow"].shape == (2, *SIZE)
    assert (targets["flow"] == 7).all()
    assert targets["foreground"].shape == (1, *SIZE)
    assert targets["foreground"].sum() == 200
    # Half the size halves the flow.
    half = build(small, pairs="all", with_truth=True, size=(32, 32), truth_dir="train_truth")
    assert (half[7]["targets"]["flow"] == 3.5).all()
    assert half[7]["inputs"]["sources"][0].shape == (3, 32, 32)
    with pytest.raises(UserError, match="1 where with_truth is set, got 2"):
        build(small, with_truth=True, sources=2)
    (small / "train_truth" / "car1" / "000_00_2_020_00.npz").unlink()
    with pytest.raises(UserError, match=r"car1/000_00_2_020_00.npz: the ground truth of this pair"):
        dataset[0]


def test_pictures_of_other_sizes_and_kinds(small: Path) -> None:
    folder = small / "train" / "car1"
    Image.fromarray(view_pixels(0, 0, 0, (100, 130))).save(folder / "000_00.png")
    layer = np.zeros((*SIZE, 4), dtype=np.uint8)
    layer[20:40, 20:40] = (0, 10, 100, 255)
    Image.fromarray(layer).save(folder / "020_00.png")
    pictures = build(small, objects="car1", pairs="all")[0]
    assert pictures["inputs"]["sources"][0].shape == (3, *SIZE)
    assert seen_in(pictures["inputs"]["sources"][0]) == (0, 0, 0)
    target = pictures["targets"]["image"]
    assert (target[:, 0, 0] == 1).all()  # what is transparent shows white
    assert seen_in(target) == (0, 20, 0)


def test_names_of_files_may_be_any_two_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "train" / "mug"
    folder.mkdir(parents=True)
    for name in ("0_0.png", "007.5_-5.0.JPG", "355_0.png", ".hidden.png", "notes.txt"):
        Image.fromarray(view_pixels(0, 0, 0)).save(folder / name, format="png")
    dataset = build(tmp_path, structure={"type": "CameraAngles"})
    cameras = {view.name: view.camera for view in dataset.store.objects["mug"]}
    assert cameras == {"0_0": (0, 0), "007.5_-5.0": (7.5, -5), "355_0": (355, 0)}


def test_cameras_of_photographs(small: Path) -> None:
    folder = small / "train" / "car1"
    names = [f"obj__{number}.png" for number in range(4)]
    for number, old in enumerate(sorted(folder.glob("*.png"))):
        old.rename(folder / names[number])
    views = {name: {"azimuth": 5 * n, "elevation": 0} for n, name in enumerate(names[:3])}
    (folder / "cameras.json").write_text(json.dumps({"views": views}))
    dataset = build(small, structure={"type": "CameraAngles"}, objects="car1", pairs="all")
    assert len(dataset) == 6  # the fourth picture is not named
    assert dataset[0]["meta"]["name"] == "car1_obj__0_2_obj__1"
    decoded = dataset.structure.decode(dataset[1]["inputs"]["target_structure"])
    assert decoded.azimuth == pytest.approx(10, abs=1e-4)
    views["lost.png"] = {"azimuth": 1, "elevation": 0}
    (folder / "cameras.json").write_text(json.dumps({"views": views}))
    with pytest.raises(UserError, match=r"cameras.json: names lost.png, which is not in"):
        build(small)


def test_real_turntable_photographs(shared_dir: Path, tmp_path: Path) -> None:
    photographs = shared_dir / "data/multiview/coil20/coil-20-cnn/images/training/mug"
    folder = tmp_path / "train" / "mug"
    folder.mkdir(parents=True)
    views = {}
    for path in photographs.glob("*.png"):
        (folder / path.name).symlink_to(path)
        views[path.name] = {"azimuth": 5 * int(path.stem.split("__")[1]), "elevation": 0}
    (folder / "cameras.json").write_text(json.dumps({"views": views}))
    dataset = build(tmp_path, structure={"type": "CameraAngles"}, size=(128, 128), pairs="all")
    assert len(dataset) == 50 * 49
    sample = dataset[0]
    assert sample["inputs"]["sources"][0].std() > 0.1
    assert 0.01 < (sample["inputs"]["sources"][0] - sample["targets"]["image"]).abs().mean() < 0.5


def test_an_angle_off_the_bins_is_said(small: Path) -> None:
    path = small / "train" / "car1" / "020_00.png"
    path.rename(path.with_name("025_00.png"))
    for options in ({}, {"pairs": "all"}, {"pairs": "all", "objects": "car1", "sources": 3}):
        with pytest.raises(UserError, match=r"train: azimuth 25 is none of the 18") as caught:
            build(small, **options)
        assert "\n" not in str(caught.value)
    # What no sample can show needs no bin.
    assert len(build(small, azimuths="0:360:20")) == 11
    nearest = build(small, pairs="all", structure={"type": "CameraBins", "nearest": True})
    assert cameras_of(nearest[0])[1] == Camera(20, 0)


def spoil(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def test_a_corrupt_picture_is_named(small: Path) -> None:
    dataset = build(small, pairs="all")
    path = small / "train" / "car1" / "020_00.png"
    spoil(path)
    with pytest.raises(BrokenImageError, match="car1/020_00.png: the image cannot be read"):
        dataset[0]
    path.unlink()
    with pytest.raises(UserError, match="car1/020_00.png: there is no such image"):
        dataset[0]


def test_training_goes_on_past_a_corrupt_picture(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(base, "print_log", lambda message, **_: said.append(message))
    dataset = build(small, skip_broken=1)
    spoil(small / "train" / "car1" / "020_00.png")
    names = [dataset[SampleKey(i, e)]["meta"]["name"] for e in range(4) for i in range(12)]
    assert len(said) == 1
    assert "car1/020_00.png" in said[0]
    assert not any("car1" in name and "020_00" in name for name in names)
    assert dataset.broken_count == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data_root": "nowhere"}, "nowhere/train: there is no such folder"),
        ({"phase": "val"}, "val: there is no such folder; correct data_root or phase"),
        ({"layout": "zip"}, "layout must be one of folder, hdf5, got 'zip'"),
        ({"layout": "hdf5"}, "layout='hdf5' needs category"),
        ({"category": "car"}, "category and ids belong to layout='hdf5'"),
        ({"sources": 0}, "sources must be at least 1"),
        ({"objects": "bus*"}, r"holds no object bus\*; correct the option objects"),
        ({"objects": "held_out.txt"}, "held_out.txt: cannot be read"),
        ({"split": {"fraction": 1e-9, "part": "train"}}, r"no pair of views is left .*\(0 of 3"),
        ({"azimuths": 7}, "no pair of views is left"),
        ({"azimuths": "0:360"}, "azimuths: '0:360' is no angle"),
        ({"elevations": "high"}, "elevations: 'high' is no angle"),
        ({"pairs": "pairs-train.csv"}, "pairs-train.csv: cannot be read .*option pairs"),
        ({"pairs": "released", "phase": "few"}, "bus has no view 020_00, which the released test"),
    ],
)
def test_bad_options(folder: Path, options: dict[str, Any], message: str) -> None:
    if options.get("phase") == "few" and not (folder / "few").exists():
        make_folder(folder, "few", objects=("bus",), azimuths=(0,), elevations=(0,))
    with pytest.raises(UserError, match=message) as caught:
        build(folder, **options)
    assert "\n" not in str(caught.value)


def test_bad_folders(small: Path) -> None:
    (small / "empty").mkdir()
    with pytest.raises(UserError, match="holds no object, expected <object>/<azimuth>"):
        build(small, phase="empty")
    (small / "train" / "nothing").mkdir()
    with pytest.raises(UserError, match="nothing: holds no picture"):
        build(small)
    picture = small / "train" / "nothing" / "front.png"
    Image.fromarray(view_pixels(0, 0, 0)).save(picture)
    with pytest.raises(UserError, match=r"front.png: the name says no camera.*cameras.json"):
        build(small)
    picture.rename(picture.with_name("000_00.png"))
    Image.fromarray(view_pixels(0, 0, 0)).save(picture.with_name("000_00.jpg"))
    with pytest.raises(UserError, match=r"000_00.jpg: 000_00.png has the same name; remove one"):
        build(small)
