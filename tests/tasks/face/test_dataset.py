"""Clips of faces: contract, windows, sources, changes alike for a whole clip, splits, errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, default_collate

from gfla_video.datasets import BrokenImageError, IdSplit
from gfla_video.datasets.sampler import SampleKey
from gfla_video.registry import DATASETS
from gfla_video.tasks.face.annotation import FaceAnnotation
from gfla_video.tasks.face.dataset import FaceClipDataset, person_of
from gfla_video.testing.made_faces import (
    NOSE,
    blob_centre,
    frame_index,
    made_landmarks,
    write_face_video,
)
from gfla_video.utils.errors import UserError

SIZE = (64, 64)
COLOUR = {"brightness": 0.1, "contrast": 0.3, "saturation": 0.3, "hue": 0.1}
AFFINE = {"angle": 20.0, "shift": 5.0, "scale": (0.8, 1.2)}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos of 20 frames; the last has a face in frames 6 to 13 alone."""
    folder = tmp_path_factory.mktemp("faces")
    write_face_video(folder, "ann__1")
    write_face_video(folder, "ann__2")
    found = np.zeros(20, bool)
    found[6:14] = True
    write_face_video(folder, "bob", found=found)
    return folder


def build(root: Path, **options: Any) -> FaceClipDataset:
    given = {"size": SIZE, "structure": {"type": "FaceStructure"}, "frames": 5, **options}
    return FaceClipDataset(root, "train", **given)


def picture(image: torch.Tensor) -> np.ndarray:
    """A sample's picture ``[3, H, W]`` as uint8 ``[H, W, 3]``."""
    return ((image + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()


def indices(sample: dict[str, Any]) -> list[int]:
    """Which frames a clip is made of."""
    return [frame_index(picture(image)) for image in sample["targets"]["image"]]


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return all(
        torch.equal(first["targets"][key], second["targets"][key]) for key in ("image", "points")
    ) and torch.equal(first["inputs"]["sources"][0], second["inputs"]["sources"][0])


def test_a_batch_keeps_the_contract(root: Path) -> None:
    values = {"data_root": root, "phase": "train", "size": (96, 64), "frames": 5}
    data = DATASETS.build(
        {"type": "FaceClipDataset", "structure": {"type": "FaceStructure"}} | values
    )
    batch = default_collate([data[0], data[1]])
    inputs, targets = batch["inputs"], batch["targets"]
    assert [tuple(x.shape) for x in inputs["sources"]] == [(2, 3, 96, 64)]
    assert [tuple(x.shape) for x in inputs["source_structures"]] == [(2, 16, 96, 64)]
    assert inputs["target_structures"].shape == (2, 5, 16, 96, 64)
    assert targets["image"].shape == (2, 5, 3, 96, 64)
    assert targets["points"].shape == (2, 5, 68, 3)
    tensors = [*inputs["sources"], *inputs["source_structures"], inputs["target_structures"]]
    assert {x.dtype for x in [*tensors, *targets.values()]} == {torch.float32}
    assert targets["image"].min() >= -1 and targets["image"].max() <= 1
    assert set(batch["meta"]) == {"name", "source", "target", "frames"}
    start = indices(data[0])[0]
    assert batch["meta"]["name"][0] == f"ann__1_{start}"
    assert batch["meta"]["frames"].tolist() == [5, 5]


def test_structures_and_points_belong_to_the_frames(root: Path) -> None:
    data = build(root, reference="first")
    sample = data[1]
    points, found = (
        sample["targets"]["points"][..., :2].numpy(),
        sample["targets"]["points"][..., 2],
    )
    assert (found == 1).all()
    for place, index in enumerate(indices(sample)):
        image = picture(sample["targets"]["image"][place])
        np.testing.assert_allclose(points[place], made_landmarks(index / 4), atol=1e-4)
        expected = data.structure.encode(FaceAnnotation(points[place], SIZE, image), SIZE)
        assert torch.equal(sample["inputs"]["target_structures"][place], expected)
    assert frame_index(picture(sample["inputs"]["sources"][0])) == 0
    other = build(root, reference="first", size=(128, 64))[1]["targets"]["points"].numpy()
    np.testing.assert_allclose(other[..., :2], points * [1, 2], atol=1e-3)


def test_windows_cover_the_videos_and_move_within_their_step(root: Path) -> None:
    data = build(root, windows="all", window_step=4, videos=["ann__1"])
    assert [window.start for window in data.windows] == [0, 4, 8, 12]
    starts: dict[int, set[int]] = {}
    for epoch in range(12):
        for index in range(4):
            found = indices(data[SampleKey(index, epoch)])
            assert found == list(range(found[0], found[0] + 5))
            starts.setdefault(index, set()).add(found[0])
    for index, seen in starts.items():
        assert len(seen) > 1
        assert seen <= set(range(4 * index, 4 * index + 4))
    assert len(build(root, videos=["ann__1"])) == 4  # one after the other by default


def test_a_sample_depends_on_its_key_alone(root: Path) -> None:
    options = {"colour": COLOUR, "affine": AFFINE, "flip_prob": 0.5}
    data = build(root, **options)
    assert same(data[SampleKey(1, 3)], build(root, **options)[SampleKey(1, 3)])
    assert not same(data[SampleKey(1, 3)], data[SampleKey(1, 4)])
    assert not same(data[SampleKey(1, 3)], build(root, seed=1, **options)[SampleKey(1, 3)])
    loaded = next(iter(DataLoader(data, batch_size=None, sampler=[1], num_workers=1)))
    assert same(loaded, data[1])


def test_strides(root: Path) -> None:
    assert indices(build(root, stride=3, windows="first")[0]) == [0, 3, 6, 9, 12]
    data = build(root, stride=(1, 4), videos=["ann__2"], window_step=20)
    steps = set()
    for epoch in range(30):
        found = indices(data[SampleKey(0, epoch)])
        assert len(set(np.diff(found))) == 1 and found[-1] < 20
        steps.add(int(np.diff(found)[0]))
    assert steps == {1, 2, 3, 4}


def test_the_first_clip_repeats_the_last_frame(root: Path) -> None:
    data = build(root, windows="first", frames=24, reference="first", videos=["ann__1", "ann__2"])
    assert len(data) == 2
    sample = data[1]
    assert indices(sample) == [*range(20), 19, 19, 19, 19]
    assert sample["meta"]["name"] == "ann__2_0"
    assert sample["meta"]["frames"] == 20
    structures = sample["inputs"]["target_structures"]
    assert torch.equal(structures[19], structures[23])


def test_sources(root: Path) -> None:
    def source(epoch: int, reference: str, video: str) -> tuple[int, int]:
        sample = build(root, reference=reference, videos=[video])[SampleKey(0, epoch)]
        return frame_index(picture(sample["inputs"]["sources"][0])), indices(sample)[0]

    assert len({source(epoch, "random", "ann__1")[0] for epoch in range(12)}) > 4
    assert {source(epoch, "random", "bob")[0] for epoch in range(12)} <= set(range(6, 14))
    for epoch in range(4):
        assert source(epoch, "first", "ann__1")[0] == 0
        assert len(set(source(epoch, "clip", "ann__1"))) == 1


def test_frames_without_a_face(root: Path) -> None:
    data = build(root, videos=["bob"], window_step=5, frames=8)
    # frames 0-7 hold two faces, 5-12 seven, 10-17 four of eight
    assert [window.start for window in data.windows] == [5, 10]
    assert data.skipped_windows == 1
    assert data.short_videos == 0
    for epoch in range(6):
        sample = data[SampleKey(0, epoch)]
        found = np.array([6 <= index < 14 for index in indices(sample)])
        points = sample["targets"]["points"].numpy()
        np.testing.assert_array_equal(points[..., 2], np.repeat(found[:, None], 68, axis=1))
        for place, index in enumerate(indices(sample)):
            nearest = min(max(index, 6), 13)
            np.testing.assert_allclose(points[place, :, :2], made_landmarks(nearest / 4), atol=1e-4)


def test_one_move_for_the_whole_clip_and_its_landmarks(root: Path) -> None:
    data = build(root, affine=AFFINE, flip_prob=0.5, videos=["ann__1"])
    mirrored = set()
    for epoch in range(8):
        sample = data[SampleKey(0, epoch)]
        points = sample["targets"]["points"].numpy()
        moves = []
        for image, frame in zip(sample["targets"]["image"], points, strict=True):
            assert np.abs(blob_centre(picture(image)) - frame[NOSE, :2]).max() < 0.8
            moves.append(frame[NOSE, :2])
        np.testing.assert_allclose(np.diff(moves, n=2, axis=0), 0, atol=1e-3)  # a steady motion
        mirrored.add(bool(points[0, 16, 0] > points[0, 0, 0]))
        steps = np.diff(moves, axis=0)
        # to the right in the video; a mirrored clip goes to the left, points keep their sides
        assert mirrored == {True}
        assert np.abs(steps).max() > 0.1
    directions = {
        bool(np.diff(data[SampleKey(0, e)]["targets"]["points"][:2, NOSE, 0])[0] > 0)
        for e in range(8)
    }
    assert directions == {True, False}


def test_one_colour_change_for_the_whole_clip(root: Path) -> None:
    plain = build(root, windows="first", reference="first", videos=["ann__1"])
    changed = build(
        root, windows="first", reference="first", videos=["ann__1"], colour={"brightness": 0.5}
    )
    before, after = plain[0], changed[SampleKey(0, 1)]
    pairs = zip(
        [before["inputs"]["sources"][0], *before["targets"]["image"]],
        [after["inputs"]["sources"][0], *after["targets"]["image"]],
        strict=True,
    )
    ratios = [np.median(picture(b)) / np.median(picture(a)) for a, b in pairs]
    assert abs(ratios[0] - 1) > 0.02
    np.testing.assert_allclose(ratios, ratios[0], atol=0.04)


def test_persons_stay_together(root: Path) -> None:
    assert [person_of(name) for name in ("a__1", "a__b__2", "a_1")] == ["a", "a__b", "a_1"]
    parts = {}
    for part in ("train", "test"):
        split = {"fraction": 0.5, "part": part, "seed": 0}
        parts[part] = {v.name for v in build(root, split=split, frames=2).videos}
        again = build(root, split=IdSplit(0.5, part, 0), frames=2)
        assert {v.name for v in again.videos} == parts[part]
    assert parts["train"] | parts["test"] == {"ann__1", "ann__2", "bob"}
    assert not parts["train"] & parts["test"]
    assert {"ann__1", "ann__2"} in parts.values()


def test_exact_truth(tmp_path: Path) -> None:
    root = write_face_video(tmp_path, "a")
    flow = np.zeros((20, 2, 64, 64), np.float16)
    flow[:, 0] = -np.arange(20)[:, None, None] / 4
    foreground = np.arange(20)[:, None, None] == np.arange(64)[:, None] + np.zeros((1, 1, 64), int)
    path = root / "train" / "a_truth.npz"
    np.savez(path, flow=flow, visible=foreground, foreground=foreground)
    data = build(root, reference="first", with_truth=True, size=(128, 64), window_step=20)
    sample = data[SampleKey(0, 2)]
    targets, found = sample["targets"], indices(sample)
    assert found[0] > 0
    assert targets["flow"].shape == (5, 2, 128, 64)
    np.testing.assert_allclose(targets["flow"][:, 0, 0, 0], -np.array(found) / 4)
    assert targets["visible"].shape == targets["foreground"].shape == (5, 1, 128, 64)
    assert targets["foreground"][2, 0, :, 5].nonzero().ravel().tolist() == [
        2 * found[2],
        2 * found[2] + 1,
    ]
    assert targets["source_foreground"].shape == (1, 128, 64)
    assert targets["source_foreground"][0, :2].all()
    assert default_collate([sample, sample])["targets"]["flow"].shape == (2, 5, 2, 128, 64)
    path.unlink()
    with pytest.raises(UserError, match="a_truth.npz: the ground truth of this video is not there"):
        data[0]


def test_a_broken_video_is_replaced_as_often_as_allowed(tmp_path: Path) -> None:
    write_face_video(tmp_path, "a")
    root = write_face_video(tmp_path, "b")
    (root / "train" / "a.mp4").write_bytes(b"no video")
    with pytest.raises(BrokenImageError, match="a.mp4"):
        build(root)[0]
    data = build(root, skip_broken=1)
    assert data[0]["meta"]["source"].startswith("b/")
    assert data.broken_count == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"videos": ["carl"]}, "there is no video carl"),
        ({"frames": 21}, "no clip is left .* .3 videos, 3 shorter than 21 frames"),
        ({"frames": 0}, "frames and window_step must be at least 1, got 0"),
        (
            {"stride": (3, 2)},
            r"stride must be a number from 1 on or a range .lo, hi., got \(3, 2\)",
        ),
        ({"stride": (1, 2), "windows": "first"}, "windows='first' takes one stride"),
        ({"windows": "some"}, "windows must be one of all, first, got 'some'"),
        ({"reference": "last"}, "reference must be one of random, first, clip, got 'last'"),
        ({"with_truth": True}, "with_truth needs reference='first'"),
        (
            {"with_truth": True, "reference": "first", "affine": AFFINE},
            "with_truth needs reference='first' and neither affine",
        ),
        ({"colour": {"gamma": 2}}, "colour.gamma: there is no such key"),
        ({"colour": {"hue": 0.7}}, "colour.hue must lie between 0 and 0.5"),
        ({"affine": {"turn": 2}}, "affine.turn: there is no such key"),
        ({"split": {"fraction": 2.0, "part": "test"}}, "split.fraction must lie between 0 and 1"),
    ],
)
def test_wrong_options(root: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(root, **options)
