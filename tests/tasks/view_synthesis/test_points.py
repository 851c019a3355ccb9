"""Surface points of an object in its views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gfla_video.components.losses.landmarks import point_flow
from gfla_video.tasks.view_synthesis.dataset import ViewDataset
from gfla_video.tasks.view_synthesis.points import SurfacePoints
from gfla_video.utils.errors import UserError
from tests.tasks.view_synthesis.views import AZIMUTHS, OBJECTS, make_folder

STRUCTURE = {"type": "CameraAngles"}


def make_points(root: Path, number: int = 5) -> Path:
    """Points whose x is half the azimuth and y the point's number, in pictures of 32 x 64."""
    folder = root / "train_points"
    folder.mkdir()
    names = [f"{azimuth:03d}_00" for azimuth in AZIMUTHS]
    points = np.ones((len(names), number, 3), np.float32)
    points[..., 0] = np.array(AZIMUTHS)[:, None] / 8
    points[..., 1] = np.arange(number)
    points[:, 0, 2] = 0
    for name in OBJECTS:
        np.savez_compressed(folder / f"{name}.npz", names=names, points=points, size=(32, 64))
    return root


def dataset(root: Path, **changes: object) -> ViewDataset:
    return ViewDataset(
        root, (64, 64), STRUCTURE, elevations=[0], with_points=True, pairs="all", **changes
    )


def test_points_of_target_and_source_at_the_samples_size(tmp_path: Path) -> None:
    data = dataset(make_points(make_folder(tmp_path, elevations=(0,))))
    sample = next(
        s for s in map(data.__getitem__, range(30)) if s["meta"]["target"] == "car1/040_00"
    )
    points, source = sample["targets"]["points"], sample["targets"]["source_points"]
    assert sample["meta"]["source"] == "car1/000_00"
    assert points.shape == source.shape == (5, 3) and points.dtype == torch.float32
    # as wide as marked: 40 / 8, and half a pixel from the edge to a centre; twice as high
    assert points[:, 0].tolist() == [5.5] * 5
    assert source[:, 0].tolist() == [0.5] * 5
    assert points[:, 1].tolist() == [1, 3, 5, 7, 9]
    assert points[:, 2].tolist() == [0, 1, 1, 1, 1]


def test_one_per_source(tmp_path: Path) -> None:
    data = dataset(make_points(make_folder(tmp_path, elevations=(0,))), sources=2)
    assert [p.shape for p in data[0]["targets"]["source_points"]] == [(5, 3), (5, 3)]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (None, "the points of this object are not there"),
        ({"names": ["000_00"], "points": np.ones((1, 2, 3)), "size": (64, 64)}, "no points of the"),
        ({"names": ["000_00"], "size": (64, 64)}, "is no file of names, points, size"),
        ({"names": ["000_00"], "points": np.ones((2, 2)), "size": (64, 64)}, "expected"),
    ],
)
def test_wrong_files_are_said(tmp_path: Path, arrays: dict | None, said: str) -> None:
    make_points(make_folder(tmp_path, elevations=(0,)))
    file = tmp_path / "train_points" / "car1.npz"
    file.unlink()
    if arrays is not None:
        np.savez(file, **arrays)
    data = dataset(tmp_path, objects="car1")
    with pytest.raises(UserError, match=said) as caught:
        for index in range(len(data)):
            data[index]
    assert str(file) in str(caught.value)


def test_a_broken_file_is_said(tmp_path: Path) -> None:
    make_points(make_folder(tmp_path, elevations=(0,)))
    (tmp_path / "train_points" / "car1.npz").write_bytes(b"no archive")
    with pytest.raises(UserError, match="make the data set again"):
        dataset(tmp_path, objects="car1")[0]


def test_a_point_pulls_where_it_lies(tmp_path: Path) -> None:
    """In the loss the weight is largest at the marked pixel, at the picture's own resolution."""
    data = dataset(make_points(make_folder(tmp_path, elevations=(0,))), objects="car1")
    marked = SurfacePoints(tmp_path / "train_points").of("car1", "080_00", (32, 64))  # x = 10
    assert len(data)
    flow = torch.zeros(1, 2, 32, 64, requires_grad=True)
    still = marked[3:4, :].unsqueeze(0)
    moved = still + torch.tensor([4.0, 0.0, 0.0])
    point_flow(flow, moved, still, (32, 64)).backward()
    assert flow.grad is not None
    place = int(flow.grad[0, 0].abs().argmax())
    assert (place % 64, place // 64) == (10, 3)


def test_another_number_of_points_is_said(tmp_path: Path) -> None:
    make_points(make_folder(tmp_path, elevations=(0,)))
    other = tmp_path / "more"
    other.mkdir()
    make_points(other, 7)
    (other / "train_points" / "car2.npz").replace(tmp_path / "train_points" / "car2.npz")
    points = SurfacePoints(tmp_path / "train_points")
    points.of("car1", "000_00", (64, 64))
    with pytest.raises(UserError, match=r"car2.npz: has 7 points, other objects have 5"):
        points.of("car2", "000_00", (64, 64))
