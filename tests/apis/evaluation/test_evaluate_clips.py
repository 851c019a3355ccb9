"""Evaluation of clips: the rollout, the flow stage, the baselines, files and previews."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from gfla_video.apis.evaluation.evaluate import evaluate
from gfla_video.apis.evaluation.measures import Measures
from gfla_video.apis.predictors import (
    CHUNK,
    copy_source,
    mean_of_targets,
    network_predictor,
    zero_flow,
)
from gfla_video.apis.preview import write_preview
from gfla_video.apis.tables import format_count
from gfla_video.registry import DATASETS, MODELS, STRUCTURES
from gfla_video.structures import FlowOutput, GeneratorOutput
from gfla_video.utils.errors import UserError

FRAMES = CHUNK + 3


def clip_sample(frames: int = FRAMES, own: int | None = None) -> dict[str, Any]:
    """Random pictures of 8 x 8; of T frames the first ``own`` are the clip's."""
    meta: dict[str, Any] = {"name": "clip_0"}
    if own is not None:
        meta["frames"] = own
    return {
        "inputs": {
            "sources": [torch.rand(3, 8, 8) * 2 - 1],
            "source_structures": [torch.rand(1, 8, 8)],
            "target_structures": torch.rand(frames, 1, 8, 8),
        },
        "targets": {"image": torch.rand(frames, 3, 8, 8) * 2 - 1},
        "meta": meta,
    }


class Averages:
    """The mean of all references plus the target's structure; the flows tell who was there."""

    previous = 2

    def __call__(
        self, sources: list[Tensor], structures: list[Tensor], target: Tensor
    ) -> GeneratorOutput:
        image = torch.stack(sources).mean(0) / 2 + target / 4
        flows = [
            [image_[:, :2], structure.repeat(1, 2, 1, 1)]
            for image_, structure in zip(sources, structures, strict=True)
        ]
        return GeneratorOutput(image, flows, [[target] for _ in sources])


def test_a_clip_is_rolled_out_over_the_chunks_borders() -> None:
    samples = [clip_sample(), clip_sample()]
    made = network_predictor(Averages())(default_collate(samples))
    assert len(made) == 2
    for one, sample in zip(made, samples, strict=True):
        inputs = sample["inputs"]
        before = [inputs["sources"][0]] * 2  # the newest first
        for t, structure in enumerate(inputs["target_structures"]):
            references = [inputs["sources"][0], *before]
            image = torch.stack(references).mean(0) / 2 + structure / 4
            torch.testing.assert_close(one["image"][t], image)
            for reference, flows in zip(references, one["flows"], strict=True):
                torch.testing.assert_close(flows[0][t], reference[:2])
            before = [image, before[0]]
        assert one["image"].shape == (FRAMES, 3, 8, 8)
        assert [masks[0].shape for masks in one["masks"]] == [(FRAMES, 1, 8, 8)] * 3


@pytest.mark.parametrize("previous", [0, 1, 2])
def test_a_flow_estimator_gets_the_true_frames(previous: int) -> None:
    """Also at the borders of chunks; before the beginning the source stands for them."""

    def estimator(sources: list[Tensor], structures: list[Tensor], target: Tensor) -> FlowOutput:
        assert len(sources) == len(structures) == 1 + previous
        flows = [
            [source[:, :2], structure.repeat(1, 2, 1, 1)]
            for source, structure in zip(sources, structures, strict=True)
        ]
        return FlowOutput(flows, [[target]])

    samples = [clip_sample(), clip_sample()]
    made = network_predictor(estimator, true_previous=previous)(default_collate(samples))
    for one, sample in zip(made, samples, strict=True):
        inputs, images = sample["inputs"], sample["targets"]["image"]
        assert "image" not in one
        for t in range(FRAMES):
            torch.testing.assert_close(one["flows"][0][0][t], inputs["sources"][0][:2])
            torch.testing.assert_close(one["masks"][0][0][t], inputs["target_structures"][t])
            for step in range(1, previous + 1):
                image = images[t - step] if t >= step else inputs["sources"][0]
                maps = (
                    inputs["target_structures"][t - step]
                    if t >= step
                    else inputs["source_structures"][0]
                )
                torch.testing.assert_close(one["flows"][step][0][t], image[:2])
                torch.testing.assert_close(one["flows"][step][1][t], maps.repeat(2, 1, 1))


def test_what_the_baselines_make_of_clips() -> None:
    samples = [clip_sample(3, own=2), clip_sample(3, own=3)]
    batch = default_collate(samples)
    for one, sample in zip(copy_source(batch), samples, strict=True):
        assert one["image"].shape == (3, 3, 8, 8)
        assert all(frame.equal(sample["inputs"]["sources"][0]) for frame in one["image"])
    for one in zero_flow(batch):
        assert one["flows"][0][0].shape == (3, 2, 8, 8)
        assert not one["flows"][0][0].any()
    images = [sample["targets"]["image"] for sample in samples]
    expected = (images[0][:2].mean(0) + images[1].mean(0)) / 2
    for one in mean_of_targets(samples)(batch):
        assert one["image"].shape == (3, 3, 8, 8)
        torch.testing.assert_close(one["image"][2], expected)


@pytest.fixture
def toy(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The toy clip task of ``tests/toy_clip_task``, with clips longer than a chunk."""
    for folder in ("toy_task", "toy_clip_task"):
        monkeypatch.syspath_prepend(repo_root / "tests" / folder)
    config = Config.fromfile(repo_root / "tests" / "toy_clip_task" / "config.py")
    config.test_dataloader.dataset.update(type="FilledUpDiscs", frames=FRAMES)
    return config


@DATASETS.register_module(name="FilledUpDiscs")
def filled_up_discs(**settings: Any) -> Dataset[Any]:
    """The toy's clips, the second one filled up from its third frame on."""
    clips = DATASETS.build(dict(settings, type="DiscClipDataset"))
    samples = []
    for index in range(len(clips)):
        sample = clips[index]
        own = 3 if index == 1 else FRAMES
        sample["targets"]["image"][own:] = 1.0
        sample["meta"]["frames"] = own
        samples.append(sample)
    return samples


def save(path: Path, config: Config, stage: int, name: str) -> Path:
    """A checkpoint of one network of the toy with random weights."""
    settings = config.stages[stage].model[name].to_dict()
    network = MODELS.build(settings)
    state = {f"{name}.{key}": value for key, value in network.state_dict().items()}
    torch.save({"meta": {"task": config.task, name: settings}, "state_dict": state}, path)
    return path


def test_numbers_files_and_preview(toy: Config, tmp_path: Path) -> None:
    checkpoint = save(tmp_path / "model.pth", toy, 1, "generator")
    out, images = tmp_path / "metrics.json", tmp_path / "images"
    report = evaluate(
        toy,
        checkpoint,
        out=out,
        preview=tmp_path / "preview.png",
        images_out=images,
        device="cpu",
        baselines=["copy_source", "mean_of_targets"],
    )
    assert json.loads(out.read_text()) == report
    (table,) = report["tables"]
    assert (table["count"], table["clips"]) == (2 * FRAMES + 3, 3)
    assert format_count(table) == f"{2 * FRAMES + 3} held-out frames of 3 clips"
    lengths = {"0_0": FRAMES, "1_0": 3, "2_0": FRAMES}
    names = [f"{name}_{t:05d}_vis.png" for name, count in lengths.items() for t in range(count)]
    assert sorted(path.name for path in images.iterdir()) == names

    copied, made = [], []
    for sample in filled_up_discs(**toy.test_dataloader.dataset):
        name, source = sample["meta"]["name"], sample["inputs"]["sources"][0]
        for t in range(lengths[name]):
            target = sample["targets"]["image"][t]
            copied.append(float((source - target).abs().mean() / 2))
            written = np.array(Image.open(images / f"{name}_{t:05d}_vis.png"))
            picture = torch.from_numpy(written).permute(2, 0, 1) / 127.5 - 1
            made.append(float((picture - target).abs().mean() / 2))
    results = table["results"]
    assert results["copy_source"]["l1"] == pytest.approx(np.mean(copied), abs=1e-5)
    assert results["model"]["l1"] == pytest.approx(np.mean(made), abs=2e-3)  # 8 bits
    for values in results.values():
        assert {"landmark_l1", "warping_error_ratio"} < set(values)
    same = {values["warping_error_true"] for values in results.values()}
    assert len(same) == 1
    preview = np.asarray(Image.open(tmp_path / "preview.png"))
    # source, structure, result, truth, then flow and mask of both references: 8 panels, 6 rows
    assert preview.shape[1] == 8 * (64 * 3 + 2) - 2
    assert preview.shape[0] > 6 * 64 * 3


def test_clips_under_a_protocol(toy: Config, tmp_path: Path) -> None:
    """Each frame is prepared as a picture; what fills a clip up does not count."""
    checkpoint = save(tmp_path / "model.pth", toy, 1, "generator")
    kinds = [{"type": "L1"}, {"type": "FrameDifferenceError"}]
    resized = {"step": "resize", "size": (32, 48), "library": "pillow", "filter": "bicubic"}
    toy.protocol = {"name": "mine", "version": 1, "metrics": kinds, "generated": [resized]}
    toy.test_metrics = kinds
    report = evaluate(
        toy,
        checkpoint,
        measures=Measures(["config", "mine", "face-256"]),
        report=tmp_path / "report",
        baselines=["copy_source"],
        device="cpu",
    )
    for table in report["tables"]:
        assert (table["count"], table["clips"]) == (2 * FRAMES + 3, 3)
    own, mine, face = report["tables"]
    keys = {"l1", "frame_difference_error", "frame_difference_ratio"}
    assert set(mine["results"]["model"]) == set(own["results"]["model"]) == keys
    assert {"warping_error", *keys} < set(face["results"]["copy_source"])
    truth, made = [], []
    for sample in filled_up_discs(**toy.test_dataloader.dataset):
        length = sample["meta"]["frames"]
        source = sample["inputs"]["sources"][0]
        for image, kept in ((sample["targets"]["image"][:length], truth), (source[None], made)):
            pictures = ((image + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
            small = [Image.fromarray(one).resize((48, 32), Image.BICUBIC) for one in pictures]
            kept.append(np.stack([np.asarray(one, dtype=np.float64) for one in small]))
    expected = [np.abs(a - b).mean() / 255 for a, b in zip(truth, made, strict=True)]
    lengths = np.array([len(clip) for clip in truth])
    weighted = (np.array(expected) * lengths).sum() / lengths.sum()
    assert mine["results"]["copy_source"]["l1"] == pytest.approx(weighted, rel=1e-4)
    assert (tmp_path / "report" / "index.html").is_file()


def test_a_flow_checkpoint_of_clips(toy: Config, tmp_path: Path) -> None:
    checkpoint = save(tmp_path / "flow.pth", toy, 0, "flow_estimator")
    toy.test_metrics = [{"type": "L1"}, {"type": "FlowEPE", "optional": True}]
    report = evaluate(toy, checkpoint, preview=tmp_path / "flow.png", baselines=(), device="cpu")
    (table,) = report["tables"]
    assert table["count"] == 2 * FRAMES + 3
    assert table["results"]["model"] == {}  # no pictures to measure, no true flow in the data
    assert Image.open(tmp_path / "flow.png").width == 7 * (64 * 3 + 2) - 2
    with pytest.raises(UserError, match="holds no generator"):
        evaluate(toy, checkpoint, baselines=(), images_out=tmp_path / "images", device="cpu")


@STRUCTURES.register_module()
class ShownStructure:
    """Maps that nothing can be decoded from, but that can be shown."""

    def show(self, structure: Tensor) -> np.ndarray:
        grey = (structure[0] * 255).byte().numpy()
        return np.stack([grey] * 3, axis=2)


def test_a_preview_shows_frames_over_time_with_one_legend(tmp_path: Path) -> None:
    """The flow grows with time; its last frame is the reddest, the legend is common."""

    def grown(batch: dict[str, Any]) -> list[dict[str, Any]]:
        frames = batch["inputs"]["target_structures"].shape[1]
        flow = torch.zeros(frames, 2, 8, 8)
        flow[:, 0] = torch.arange(frames).view(-1, 1, 1)
        return [{"image": batch["targets"]["image"][0], "flows": [[flow]]}]

    sample = clip_sample(9, own=7)
    sample["inputs"]["target_structures"][:] = torch.linspace(0, 1, 9).view(9, 1, 1, 1)
    path = write_preview(tmp_path / "p.png", grown, [sample], {"type": "ShownStructure"}, rows=3)
    side = 8 * 24
    picture = np.asarray(Image.open(path))
    assert picture.shape[1] == 5 * side + 4 * 2
    top = picture.shape[0] - 3 * side - 2 * 2  # the captions of the first row
    rows = [picture[top + row * (side + 2) :][:side] for row in range(3)]
    columns = [[row[:, n * (side + 2) :][:, :side] for n in range(5)] for row in rows]
    for panels, t in zip(columns, (0, 3, 6), strict=True):
        _, structure, result, truth, flow = panels
        assert abs(int(structure[0, 0, 0]) - 255 * t / 8) <= 1
        np.testing.assert_array_equal(result, truth)
        assert abs(int(flow[0, 0, 1]) - 255 * (1 - t / 6)) <= 2  # to the right is red
