"""Samples of pose pairs: contract, augmentation, splits, ground truth, bad data folders."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import default_collate

from gfla_video.datasets import IdSplit, base
from gfla_video.datasets.sampler import SampleKey
from gfla_video.registry import DATASETS
from gfla_video.tasks.pose.dataset import PosePairDataset
from gfla_video.tasks.pose.structure import FLIP_ORDER, PoseStructure
from gfla_video.utils.errors import UserError

H, W = 96, 64
AFFINE = {"angle": 20.0, "shift": 6.0, "scale": (0.8, 1.2)}
GARMENT = re.compile(r"fashion.*?id\d{8}|\d{4}")
COLOURS = np.random.default_rng(5).integers(0, 256, (18, 3))


def body(seed: int) -> np.ndarray:
    """18 joints far from each other and from the border, int (x, y)."""
    rng = np.random.default_rng(seed)
    cells = np.stack(np.meshgrid(np.arange(3), np.arange(6)), axis=-1).reshape(-1, 2)
    return cells * (14, 11) + (18, 20) + rng.integers(0, 7, (18, 2))


def picture(joints: np.ndarray) -> Image.Image:
    """A dot of 5 x 5 pixels in the joint's colour at every joint, on white."""
    pixels = np.full((H, W, 3), 255, dtype=np.uint8)
    for (x, y), colour in zip(joints, COLOURS, strict=True):
        pixels[y - 2 : y + 3, x - 2 : x + 3] = colour
    return Image.fromarray(pixels)


def row(name: str, joints: np.ndarray) -> str:
    return f"{name}: {joints[:, 1].tolist()}: {joints[:, 0].tolist()}"


def make_folder(folder: Path, people: int = 2, views: int = 3) -> Path:
    (folder / "train").mkdir(parents=True)
    rows, names = ["name:keypoints_y:keypoints_x"], {}
    for person in range(people):
        for view in range(1, views + 1):
            name = f"fashionWOMENTestsid{person:08d}01_{view}front.png"
            joints = body(person * 10 + view)
            picture(joints).save(folder / "train" / name)
            rows.append(row(name, joints))
            names[person, view] = name
    pairs = [f"{names[p, v]},{names[p, v % views + 1]}" for p, v in names]
    (folder / "fasion-annotation-train.csv").write_text("\n".join(rows) + "\n")
    (folder / "fasion-pairs-train.csv").write_text("\n".join(["from,to", *pairs]) + "\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "data")


def build(folder: Path, **options: Any) -> PosePairDataset:
    plain = {
        "type": "PosePairDataset",
        "data_root": str(folder),
        "image_dir": "train",
        "annotation_size": (H, W),
        "size": (H, W),
        "structure": {"type": "PoseStructure", "sigma": 2.0},
    }
    return DATASETS.build({**plain, **options})


def dots_at(image: torch.Tensor, points: np.ndarray) -> list[bool]:
    """Whether each joint's own colour is found at its place."""
    pixels = ((image.permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(int)
    found = []
    for (x, y), colour in zip(points.astype(int), COLOURS, strict=True):
        if 1 <= x < W - 1 and 1 <= y < H - 1:
            found.append(bool(np.abs(pixels[y, x] - colour).max() <= 1))
    return found


def joints_in(maps: torch.Tensor) -> np.ndarray:
    return PoseStructure(sigma=2.0).decode(maps)[:, :2]


def test_a_sample_is_as_agreed(folder: Path) -> None:
    dataset = build(folder)
    assert len(dataset) == 6
    sample = dataset[0]
    source, target = (f"fashionWOMENTestsid0000000001_{view}front" for view in (1, 2))
    assert sample["meta"] == {
        "name": f"{source}_2_{target}",
        "source": f"{source}.png",
        "target": f"{target}.png",
    }
    assert set(sample["targets"]) == {"image"}
    inputs = sample["inputs"]
    assert set(inputs) == {"sources", "source_structures", "target_structure"}
    assert len(inputs["sources"]) == len(inputs["source_structures"]) == 1
    assert inputs["sources"][0].shape == sample["targets"]["image"].shape == (3, H, W)
    assert inputs["target_structure"].shape == inputs["source_structures"][0].shape == (18, H, W)
    assert inputs["sources"][0].dtype == torch.float32
    np.testing.assert_array_equal(joints_in(inputs["source_structures"][0]), body(1))
    np.testing.assert_array_equal(joints_in(inputs["target_structure"]), body(2))
    assert all(dots_at(inputs["sources"][0], body(1)))
    assert all(dots_at(sample["targets"]["image"], body(2)))
    assert not all(dots_at(sample["targets"]["image"], body(1)))
    batch = default_collate([dataset[0], dataset[1]])
    assert batch["inputs"]["sources"][0].shape == (2, 3, H, W)
    assert batch["meta"]["name"][0] == sample["meta"]["name"]


def test_joints_are_scaled_on_each_axis_by_itself(folder: Path) -> None:
    dataset = build(folder, size=(192, 96))
    np.testing.assert_allclose(
        dataset.joints_of(dataset.pairs[0].source)[:, 0], body(1)[:, 0] * 1.5
    )
    np.testing.assert_allclose(
        dataset.joints_of(dataset.pairs[0].source)[:, 1], body(1)[:, 1] * 2.0
    )
    assert dataset[0]["inputs"]["sources"][0].shape == (3, 192, 96)
    # A frame of another shape than the files stretches x alone, as the released loader does.
    wide = build(folder, annotation_size=(H, 2 * W))
    np.testing.assert_allclose(wide.joints_of(wide.pairs[0].source)[:, 0], body(1)[:, 0] / 2)


def test_affine_moves_image_and_joints_alike(folder: Path) -> None:
    dataset = build(folder, affine=AFFINE)
    still = build(folder)
    right, moved = [], 0
    for epoch in range(4):
        for index in range(len(dataset)):
            sample = dataset[SampleKey(index, epoch)]
            for image, maps in (
                (sample["inputs"]["sources"][0], sample["inputs"]["source_structures"][0]),
                (sample["targets"]["image"], sample["inputs"]["target_structure"]),
            ):
                right += dots_at(image, joints_in(maps))
            before = joints_in(still[index]["inputs"]["source_structures"][0])
            after = joints_in(sample["inputs"]["source_structures"][0])
            moved += int(np.abs(after - before).max() > 3)
    assert len(right) > 600
    assert np.mean(right) > 0.98  # truncation and nearest sampling may touch a dot's edge
    assert moved > 15


def test_affine_leaves_grey_and_moves_the_target_less(folder: Path) -> None:
    dataset = build(folder, affine={"angle": 0.0, "shift": 8.0, "scale": (1.0, 1.0)})
    still = build(folder)
    for index in range(len(dataset)):
        sample, before = dataset[index], still[index]
        shifts = []
        for after_maps, before_maps in (
            (sample["inputs"]["source_structures"][0], before["inputs"]["source_structures"][0]),
            (sample["inputs"]["target_structure"], before["inputs"]["target_structure"]),
        ):
            shifts.append((joints_in(after_maps) - joints_in(before_maps))[0])
        np.testing.assert_allclose(shifts[1], shifts[0] / 2, atol=1.0)
    grey = (dataset[0]["inputs"]["sources"][0] - (128 / 255 - 0.5) * 2).abs().max(dim=0).values
    assert (grey < 1e-6).sum() > 20


def test_augmentation_depends_on_seed_pass_and_index_alone(folder: Path) -> None:
    first, again = build(folder, affine=AFFINE, seed=3), build(folder, affine=AFFINE, seed=3)
    first[SampleKey(4, 0)]  # drawing something before changes nothing
    one = first[SampleKey(2, 7)]["inputs"]["sources"][0]
    torch.testing.assert_close(again[SampleKey(2, 7)]["inputs"]["sources"][0], one, rtol=0, atol=0)
    assert not torch.equal(again[SampleKey(2, 8)]["inputs"]["sources"][0], one)
    other = build(folder, affine=AFFINE, seed=4)
    assert not torch.equal(other[SampleKey(2, 7)]["inputs"]["sources"][0], one)


def test_flip_mirrors_both_and_swaps_sides(folder: Path) -> None:
    sample, before = build(folder, flip_prob=1.0)[0], build(folder)[0]
    for key in ("sources", "source_structures"):
        mirrored = sample["inputs"][key][0].flip(-1)
        expected = before["inputs"][key][0]
        if key == "source_structures":
            expected = expected[list(FLIP_ORDER)]
        torch.testing.assert_close(mirrored, expected)
    torch.testing.assert_close(sample["targets"]["image"].flip(-1), before["targets"]["image"])
    expected = before["inputs"]["target_structure"][list(FLIP_ORDER)]
    torch.testing.assert_close(sample["inputs"]["target_structure"].flip(-1), expected)
    drawn = build(folder, flip_prob=0.5)
    flips = [
        torch.equal(drawn[SampleKey(0, e)]["targets"]["image"], sample["targets"]["image"])
        for e in range(40)
    ]
    assert 8 < sum(flips) < 32


def test_all_pairs_of_one_person(folder: Path) -> None:
    dataset = build(folder, pairs="all")
    assert len(dataset) == 2 * 3 * 2
    assert all(pair.source.split("_")[0] == pair.target.split("_")[0] for pair in dataset.pairs)
    assert len({pair.name for pair in dataset.pairs}) == 12


@pytest.mark.parametrize("pairs", [None, "all"])
def test_split_divides_persons(tmp_path: Path, pairs: str | None) -> None:
    folder = make_folder(tmp_path / "many", people=12, views=2)
    people = {}
    for part in ("train", "test"):
        dataset = build(folder, pairs=pairs, split={"fraction": 0.7, "part": part, "seed": 1})
        people[part] = {pair.source[:28] for pair in dataset.pairs}
        again = build(folder, pairs=pairs, split=IdSplit(0.7, part, 1))
        assert again.pairs == dataset.pairs
    assert people["train"]
    assert people["test"]
    assert not people["train"] & people["test"]
    assert len(people["train"] | people["test"]) == 12


def test_real_data_split_by_id(shared_dir: Path) -> None:
    for name, frame in (("deepfashion", (256, 256)), ("market", (128, 64))):
        parts = []
        for part in ("train", "test"):
            dataset = build(
                shared_dir / "data" / name,
                image_dir="images",
                annotation_size=frame,
                size=(128, 64),
                pairs="all",
                split={"fraction": 0.8, "part": part},
                foreground="joints",
            )
            parts.append({GARMENT.match(pair.source)[0] for pair in dataset.pairs})
            sample = dataset[0]
            assert 0.05 < sample["targets"]["foreground"].mean() < 0.8
        assert not parts[0] & parts[1]
        assert len(parts[0]) > 2 * len(parts[1]) > 10


def test_max_pairs_keeps_a_drawn_part(folder: Path) -> None:
    dataset = build(folder, pairs="all", max_pairs=5)
    every = build(folder, pairs="all").pairs
    assert len(dataset) == 5
    assert dataset.pairs == [pair for pair in every if pair in dataset.pairs]
    assert dataset.pairs == build(folder, pairs="all", max_pairs=5).pairs
    assert dataset.pairs != build(folder, pairs="all", max_pairs=5, seed=1).pairs


def write_truth(folder: Path, dataset: PosePairDataset) -> None:
    (folder / "train_truth").mkdir()
    for number, pair in enumerate(dataset.pairs):
        flow = np.zeros((2, H, W), np.float32)
        flow[0], flow[1] = number + 1, -2
        box = np.zeros((H, W), bool)
        box[10:20, 10:30] = True
        np.savez(
            folder / "train_truth" / f"{pair.name}.npz",
            flow=flow,
            visible=box,
            foreground=box,
            source_foreground=~box,
        )


def test_truth_and_points(folder: Path) -> None:
    write_truth(folder, build(folder))
    targets = build(folder, with_truth=True)[1]["targets"]
    assert set(targets) == {"image", "flow", "visible", "foreground", "source_foreground", "points"}
    assert all(value.dtype == torch.float32 for value in targets.values())
    assert targets["flow"].shape == (2, H, W)
    assert (targets["flow"][0] == 2).all()
    for key in ("visible", "foreground", "source_foreground"):
        assert targets[key].shape == (1, H, W)
    assert targets["foreground"].sum() == 200
    np.testing.assert_array_equal(targets["points"][:, :2].numpy(), body(3))
    assert (targets["points"][:, 2] == 1).all()
    only = build(folder, foreground="truth")[1]["targets"]
    assert set(only) == {"image", "foreground", "source_foreground", "points"}
    mixed = build(folder, with_truth=True, foreground="joints")[1]["targets"]
    assert set(mixed) == set(targets)
    assert not torch.equal(mixed["foreground"], targets["foreground"])


def test_truth_must_be_there_whole_and_unmoved(folder: Path) -> None:
    with pytest.raises(UserError, match="affine or flip_prob"):
        build(folder, with_truth=True, affine=AFFINE)
    dataset = build(folder, with_truth=True)
    with pytest.raises(UserError, match=r"train_truth.*\.npz: the ground truth of this pair"):
        dataset[0]
    write_truth(folder, dataset)
    path = folder / "train_truth" / f"{dataset.pairs[0].name}.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="cannot be read"):
        dataset[0]


def test_the_truth_of_the_sample_data_explains_the_target(sample_data: Path) -> None:
    dataset = build(
        sample_data, image_dir="test", annotation_size=(64, 64), size=(64, 64), with_truth=True
    )
    moved, still, inside = [], [], []
    for index in range(len(dataset)):
        sample = dataset[index]
        targets = sample["targets"]
        source, target = sample["inputs"]["sources"][0], targets["image"]
        y, x = torch.nonzero(targets["visible"][0], as_tuple=True)
        there = (torch.stack([x, y]) + targets["flow"][:, y, x]).round().long().clamp(0, 63)
        moved.append(float((source[:, there[1], there[0]] - target[:, y, x]).abs().mean()))
        still.append(float((source[:, y, x] - target[:, y, x]).abs().mean()))
        seen = targets["points"][targets["points"][:, 2] > 0].long()
        inside.append(float(targets["foreground"][0, seen[:, 1], seen[:, 0]].mean()))
    assert np.mean(moved) < 0.75 * np.mean(still)
    assert np.mean(inside) > 0.9


def test_pairs_with_an_image_without_joints_are_skipped(folder: Path) -> None:
    path = folder / "fasion-annotation-train.csv"
    lines = path.read_text().splitlines()
    name = lines[1].split(":")[0]
    lines[1] = f"{name}: {[-1] * 18}: {[-1] * 18}"
    path.write_text("\n".join(lines))
    dataset = build(folder)
    assert dataset.table.skipped == 1
    assert dataset.skipped_pairs == 2
    assert len(dataset) == 4
    assert not any(name in (pair.source, pair.target) for pair in dataset.pairs)


def test_a_pair_naming_an_image_that_is_not_there(folder: Path) -> None:
    with (folder / "fasion-pairs-train.csv").open("a") as handle:
        handle.write("fashionWOMENTestsid0000000001_1front.png,nobody.png\n")
    with pytest.raises(
        UserError, match=r"fasion-pairs-train.csv line 8: image nobody.png is not in"
    ):
        build(folder)
    picture(body(1)).save(folder / "train" / "nobody.png")
    with pytest.raises(UserError, match=r"line 8: image nobody.png has no row in .*annotation"):
        build(folder)


def test_a_row_naming_an_image_that_is_not_there(folder: Path) -> None:
    (folder / "train" / "fashionWOMENTestsid0000000001_2front.png").unlink()
    with pytest.raises(
        UserError, match=r"annotation-train.csv line 3: image .*_2front.png is not in"
    ):
        build(folder, pairs="all")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data_root": "nowhere"}, "nowhere: there is no such data folder"),
        ({"image_dir": "val"}, r"no annotation file \(\*-annotation-val.csv"),
        ({"annotations": "x.csv"}, r"no annotation file \(x.csv\)"),
        ({"annotation_size": (H, 40)}, r"line 2: x of the .* outside annotation_size \(96, 40\)"),
        ({"size": 64}, r"size must be \(height, width\)"),
        ({"foreground": "mask"}, "foreground must be 'truth', 'joints' or None, got 'mask'"),
        ({"affine": {"angel": 3}}, "affine.angel: there is no such key, only angle, shift, scale"),
        ({"split": {"fraction": 0.5}}, "split: .*part"),
        ({"split": {"fraction": 0.5, "part": "val"}}, "split.part must be 'train' or 'test'"),
        ({"split": {"fraction": 2.0, "part": "test"}}, "split.fraction must lie between 0 and 1"),
        ({"split": {"fraction": 1e-9, "part": "train"}}, "no pair is left"),
        ({"skip_broken": -1}, "skip_broken must be 0 or more"),
    ],
)
def test_bad_options(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        build(folder, **options)
    assert "\n" not in str(caught.value)


def truncate(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def test_a_truncated_image_is_named(folder: Path) -> None:
    dataset = build(folder)
    path = folder / "train" / dataset.pairs[1].target
    truncate(path)
    with pytest.raises(UserError, match=f"{path.name}: the image cannot be read"):
        dataset[1]


def test_training_goes_on_past_broken_images(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(base, "print_log", lambda message, **_: said.append(message))
    dataset = build(folder, skip_broken=1, affine=AFFINE)
    path = folder / "train" / dataset.pairs[1].target
    truncate(path)
    samples = [dataset[SampleKey(index, 0)] for index in range(len(dataset))]
    assert len(said) == 1  # two pairs hold the image
    assert path.name in said[0]
    assert all(path.name not in sample["meta"]["name"] for sample in samples)
    assert dataset.broken_count == 1
    truncate(folder / "train" / dataset.pairs[0].source)
    with pytest.raises(UserError, match="more than 1 images are broken"):
        dataset[0]
