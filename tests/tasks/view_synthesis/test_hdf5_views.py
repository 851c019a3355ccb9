"""Views in HDF5 files: the released names, lists, processes, and files that lack something."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from gfla_video.datasets import BrokenImageError
from gfla_video.tasks.view_synthesis import hdf5_views
from gfla_video.tasks.view_synthesis.cameras import Camera
from gfla_video.tasks.view_synthesis.dataset import ViewDataset
from gfla_video.tasks.view_synthesis.structure import CameraAngles, CameraBins
from gfla_video.utils.errors import UserError
from tests.tasks.view_synthesis.views import OBJECTS, SIZE, make_hdf5, seen_in, write_truth

h5py = pytest.importorskip("h5py")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """3 models with azimuth indices 0..35 and two elevations."""
    return make_hdf5(tmp_path, azimuths=range(0, 360, 10), elevations=(0, 20))


def build(file: Path, **options: Any) -> ViewDataset:
    plain = {
        "data_root": file.parent,
        "size": SIZE,
        "structure": CameraBins(),
        "layout": "hdf5",
        "category": "car",
        "azimuths": "0:360:20",
    }
    return ViewDataset(**{**plain, **options})


def test_samples_are_as_released(file: Path) -> None:
    dataset = build(file)
    assert len(dataset) == len(OBJECTS) * 18 * 2
    bins = dataset.structure
    for index in range(0, len(dataset), 5):
        sample = dataset[index]
        name = sample["meta"]["source"].split("/")[0]
        source = bins.decode(sample["inputs"]["source_structures"][0])
        target = bins.decode(sample["inputs"]["target_structure"])
        number = OBJECTS.index(name)
        assert seen_in(sample["inputs"]["sources"][0]) == (number, *source)
        assert seen_in(sample["targets"]["image"]) == (number, *target)
        assert source.elevation == target.elevation
    assert dataset[1]["meta"]["name"].startswith("car1_020_00_2_")
    every = build(file, structure=CameraAngles(), azimuths=None)
    assert len(every) == len(OBJECTS) * 36 * 2


def test_views_off_the_bins_are_refused_at_once(file: Path) -> None:
    with pytest.raises(UserError, match=r"car.hdf5: azimuth 10 is none .*leave such views out"):
        build(file, azimuths=None)


def test_lists_of_ids_and_models(file: Path) -> None:
    groups = [f"{name}_{index}_0" for name in OBJECTS for index in range(0, 36, 2)]
    (file.parent / "id_car_test.txt").write_text("\n".join(groups) + "\n\n")
    dataset = build(file, phase="test", pairs="released")
    assert [pair.object for pair in dataset.pairs[::18]] == sorted(OBJECTS)
    (file.parent / "name_car_test.txt").write_text("chair1\ncar1\n")
    dataset = build(file, phase="test", pairs="released")
    assert len(dataset) == 36
    assert dataset.pairs[0].object == "chair1"
    assert dataset.pairs[18].source.camera == Camera(20, 0)
    assert build(file, ids="id_car_test.txt", pairs="released").pairs == dataset.pairs
    assert len(build(file, ids="id_car_test.txt")) == 54
    (file.parent / "name_car_test.txt").write_text("bus\n")
    with pytest.raises(UserError, match=r"name_car_test.txt: no id in .* is of the model bus"):
        build(file, phase="test")


def test_truth_lies_in_a_folder_beside(file: Path) -> None:
    (file.parent / "pairs-test.csv").write_text("object,from,to\ncar2,020_00,340_00\n")
    write_truth(file.parent / "train_truth", "car2", "020_00", "340_00", 2.0)
    sample = build(file, pairs="pairs-test.csv", with_truth=True)[0]
    assert sample["meta"]["name"] == "car2_020_00_2_340_00"
    assert (sample["targets"]["flow"] == 2).all()


def test_each_process_opens_the_file_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = file.with_suffix(".log")
    real: Callable[[Path], Any] = hdf5_views._open

    def counted(path: Path) -> Any:
        with log.open("a") as handle:
            handle.write(f"{os.getpid()}\n")
        return real(path)

    monkeypatch.setattr(hdf5_views, "_open", counted)
    dataset = build(file)
    expected = torch.stack([dataset[index]["targets"]["image"] for index in range(len(dataset))])
    here = log.read_text().split()
    assert here == [str(os.getpid())] * 2  # to look at the names, then to read
    # Workers that are forked while this process has the file open read the same, each by itself.
    loader = DataLoader(dataset, batch_size=9, num_workers=2, multiprocessing_context="fork")
    read = torch.cat([batch["targets"]["image"] for batch in loader])
    torch.testing.assert_close(read, expected, rtol=0, atol=0)
    workers = log.read_text().split()[2:]
    assert len(workers) == len(set(workers)) == 2
    assert str(os.getpid()) not in workers
    assert dataset[3]["targets"]["image"].equal(expected[3])


def test_it_can_be_pickled_while_it_is_open(file: Path) -> None:
    dataset = build(file)
    before = dataset[4]["targets"]["image"]
    again = pickle.loads(pickle.dumps(dataset))
    assert again.store._handle is None
    assert again[4]["targets"]["image"].equal(before)
    dataset.store.close()
    assert dataset[4]["targets"]["image"].equal(before)


def spoil_group(file: Path, group: str, **arrays: Any) -> None:
    """Replace arrays of a group, or take them away (None)."""
    with h5py.File(file, "r+") as opened:
        for key, value in arrays.items():
            del opened[group][key]
            if value is not None:
                opened[group][key] = value


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"image": None}, "the group car1_0_0 has no image, it holds pose"),
        ({"pose": None}, "the group car1_0_0 has no pose, it holds image"),
        ({"pose": None, "image": None}, "the group car1_0_0 has no pose, it holds nothing"),
        ({"pose": np.array([1, 0])}, r"pose of the group car1_0_0 is \[1, 0\], .*says \[0, 0\]"),
        ({"image": np.zeros((4, 4), np.uint8)}, r"is uint8 \[4, 4\], expected uint8 \[H, W, 3\]"),
        ({"image": np.zeros((4, 4, 3))}, r"is float64 \[4, 4, 3\], expected uint8"),
    ],
)
def test_a_group_that_lacks_something_is_named(
    file: Path, arrays: dict[str, Any], message: str
) -> None:
    spoil_group(file, "car1_0_0", **arrays)
    dataset = build(file, pairs="all")
    with pytest.raises(UserError, match=message) as caught:
        dataset[0]
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


def test_an_id_that_is_not_in_the_file(file: Path) -> None:
    ids = file.parent / "id_car_train.txt"
    text = ids.read_text()
    ids.write_text(text + "car9_0_0\n")
    with pytest.raises(UserError, match=r"id_car_train.txt: the id car9_0_0 is not in .*car.hdf5"):
        build(file)
    for line in ("car1", "car1_36_0", "car1_0_x"):
        ids.write_text(f"{text}{line}\n")
        with pytest.raises(UserError, match=f"the id {line} is no <model>_<azimuth index>"):
            build(file)
    ids.write_text("\n")
    with pytest.raises(UserError, match=r"id_car_train.txt: the list is empty"):
        build(file)
    ids.unlink()
    with pytest.raises(UserError, match=r"id_car_train.txt: cannot be read"):
        build(file)


def test_a_picture_that_cannot_be_read_may_be_skipped(file: Path) -> None:
    with h5py.File(file, "r+") as opened:
        pixels = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        del opened["car1_0_0/image"]
        options = {"chunks": pixels.shape, "compression": "gzip"}
        image = opened.create_dataset("car1_0_0/image", data=pixels, **options)
        place = image.id.get_chunk_info(0).byte_offset
    with file.open("r+b") as handle:
        handle.seek(place)
        handle.write(b"\0" * 64)
    with pytest.raises(BrokenImageError, match=r"image of the group car1_0_0 cannot be read"):
        build(file, pairs="all")[0]
    dataset = build(file, pairs="all", skip_broken=1)
    assert "car1/000_00" not in dataset[0]["meta"]["source"].split()
    assert dataset.broken_count == 1


def test_files_that_are_none(file: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="data_bus.hdf5: there is no such file"):
        build(file, category="bus", ids="id_car_train.txt")
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(UserError, match=r"data_car.hdf5: cannot be opened as HDF5") as caught:
        build(file)
    assert "\n" not in str(caught.value)
