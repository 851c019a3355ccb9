"""Evaluation of toy networks, whose numbers are known, over data on disk and in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from torch.utils.data import default_collate

from gfla_video.apis.evaluation import evaluate as module
from gfla_video.apis.evaluation.data import ReadableSamples, readable_loader
from gfla_video.apis.evaluation.evaluate import evaluate
from gfla_video.apis.evaluation.measures import Measures
from gfla_video.apis.evaluation.one_pass import run_pass
from gfla_video.apis.evaluation.tables import ConfigTable
from gfla_video.apis.evaluation.weights import MetricWeights
from gfla_video.apis.predictors import copy_source, mean_of_targets, network_predictor, zero_flow
from gfla_video.apis.tables import format_table
from gfla_video.utils.errors import UserError
from tests.apis.evaluation.toy_evaluation import METRICS, TOY, save, settings


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the importable module ``toy_networks``."""
    (tmp_path / "toy_networks.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_numbers_files_and_pictures(toy: Path, sample_data: Path) -> None:
    checkpoint = save(toy / "model.pth", {"generator": {"type": "ShiftGenerator"}})
    config = Config(settings(sample_data))
    report = evaluate(
        config,
        checkpoint,
        out=toy / "out" / "metrics.json",
        preview=toy / "preview.png",
        images_out=toy / "images",
        device="cpu",
    )
    stored = json.loads((toy / "out" / "metrics.json").read_text())
    assert stored == report
    assert (stored["format"], stored["version"]) == ("gfla_video results", 1)
    assert stored["checkpoint_sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert stored["versions"]["torch"] == torch.__version__.split("+")[0]
    assert (stored["iterations"], stored["train_seconds"]) == (7, 61.5)
    assert stored["size"] == [64, 64]
    assert stored["inference"] == {
        "precision": "float32",
        "channels_last": True,
        "compile": False,
        "cuda_graphs": False,
    }

    truths = sorted((sample_data / "test_truth").glob("*.npz"))
    (table,) = stored["tables"]
    assert table["count"] == len(truths)
    assert (table["protocol"], table["broken"], table["warnings"]) == (None, [], [])
    assert table["test_metrics"] == METRICS
    names = {path.stem for path in (toy / "images").iterdir()}
    assert names == {f"{path.stem}_vis" for path in truths}
    _check_results(table["results"], sample_data, truths)
    preview = np.asarray(Image.open(toy / "preview.png"))
    assert preview.shape[1] > 6 * 64 * 3  # six panels, enlarged
    assert preview.shape[0] > 6 * 64 * 3


def _check_results(results: dict[str, Any], data: Path, truths: list[Path]) -> None:
    """By NumPy from the files: L1, and the end-point error of a shift by 1 coarse = 4 pixels."""
    copied, halved, error, zero = [], [], [], []
    for path in truths:
        source, target = (
            np.asarray(Image.open(data / "test" / f"{stem}.png")) / 127.5 - 1
            for stem in path.stem.split("_2_")
        )
        copied.append(np.abs(source - target).mean() / 2)
        halved.append(np.abs(source * 0.5 - target).mean() / 2)
        with np.load(path) as truth:
            visible, flow = truth["visible"], truth["flow"]
        error.append(np.hypot(flow[0] - 4, flow[1])[visible])
        zero.append(np.hypot(*flow)[visible])
    assert results["copy_source"]["l1"] == pytest.approx(np.mean(copied), abs=1e-5)
    assert results["model"]["l1"] == pytest.approx(np.mean(halved), abs=1e-5)
    expected, baseline = np.concatenate(error).mean(), np.concatenate(zero).mean()
    assert results["model"]["flow_epe"] == pytest.approx(expected, rel=1e-5)
    assert results["model"]["flow_epe_ratio"] == pytest.approx(expected / baseline, rel=1e-5)
    assert results["zero_flow"]["flow_epe"] == pytest.approx(baseline, rel=1e-5)
    assert results["zero_flow"]["flow_epe_ratio"] == 1
    assert 0 < results["model"]["mask_auc"] < 1
    assert set(results["copy_source"]) == {"ssim", "l1", "foreground_l1"}
    assert set(results["mean_of_targets"]) == {"ssim", "l1", "foreground_l1"}


def test_a_checkpoint_of_the_flow_stage_gives_the_flow_metrics(
    toy: Path, sample_data: Path
) -> None:
    checkpoint = save(toy / "flow.pth", {"flow_estimator": {"type": "ShiftFlow"}})
    config = Config(settings(sample_data))
    report = evaluate(config, checkpoint, baselines=(), preview=toy / "flow.png", device="cpu")
    expected = {"flow_epe", "flow_epe_zero", "flow_epe_ratio", "mask_auc"}
    assert set(report["tables"][0]["results"]["model"]) == expected
    with pytest.raises(UserError, match="holds no generator"):
        evaluate(config, checkpoint, baselines=(), images_out=toy / "images", device="cpu")


def test_how_the_network_runs_is_an_option(toy: Path, sample_data: Path) -> None:
    from gfla_video.apis import InferenceOptions

    checkpoint = save(toy / "model.pth", {"generator": {"type": "ShiftGenerator"}})
    config = Config(settings(sample_data))
    options = InferenceOptions("bfloat16", channels_last=False)
    report = evaluate(config, checkpoint, baselines=(), device="cpu", inference=options)
    assert report["inference"]["precision"] == "bfloat16"
    assert report["inference"]["channels_last"] is False
    with pytest.raises(UserError, match="--precision float16: the CPU"):
        options = InferenceOptions("float16")
        evaluate(config, checkpoint, baselines=(), device="cpu", inference=options)


def test_a_structure_that_cannot_be_decoded_is_left_out_of_the_preview(
    toy: Path, sample_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gfla_video.tasks.pose.structure import PoseStructure

    checkpoint = save(toy / "model.pth", {"generator": {"type": "ShiftGenerator"}})
    config = Config(settings(sample_data))
    widths = []
    for path in (toy / "with.png", toy / "without.png"):
        evaluate(config, checkpoint, baselines=(), device="cpu", preview=path)
        widths.append(Image.open(path).width)
        monkeypatch.delattr(PoseStructure, "decode", raising=False)
    assert widths[0] - widths[1] == 3 * 64 + 2  # one panel, enlarged, and the gap


def test_bad_input_is_one_sentence(toy: Path, sample_data: Path) -> None:
    good = save(toy / "model.pth", {"generator": {"type": "ShiftGenerator"}})
    other = save(toy / "face.pth", {"generator": {"type": "ShiftGenerator"}}, task="face")
    config = Config(settings(sample_data))
    with pytest.raises(UserError, match=r"face\.pth: is a checkpoint of the task face, .*pose"):
        evaluate(config, other, device="cpu")
    with pytest.raises(UserError, match="unknown baseline 'median'"):
        evaluate(config, good, baselines=["median"], device="cpu")
    with pytest.raises(UserError, match="--device nowhere: cannot be used"):
        evaluate(config, good, device="nowhere")
    with pytest.raises(UserError, match="--batch-size: at least 1, not 0"):
        evaluate(config, good, batch_size=0, device="cpu")
    (toy / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        evaluate(config, good, out=toy / "file" / "metrics.json", device="cpu")
    with pytest.raises(UserError, match="cannot be written"):
        evaluate(config, good, images_out=toy / "file" / "images", device="cpu")
    blind = settings(sample_data)
    blind["test_dataloader"]["dataset"]["with_truth"] = False
    with pytest.raises(UserError, match="ForegroundL1 needs the target 'foreground'"):
        evaluate(Config(blind), good, baselines=(), device="cpu")
    del blind["test_dataloader"]
    with pytest.raises(UserError, match="has no test_dataloader"):
        evaluate(Config(blind), good, device="cpu")


def memory_samples(count: int) -> list[dict[str, Any]]:
    """Samples of random pictures, 16x16."""
    return [
        {
            "inputs": {
                "sources": [torch.rand(3, 16, 16) * 2 - 1],
                "source_structures": [torch.zeros(1, 16, 16)],
                "target_structure": torch.zeros(1, 16, 16),
            },
            "targets": {"image": torch.rand(3, 16, 16) * 2 - 1},
            "meta": {"name": f"{i}_2_{i}"},
        }
        for i in range(count)
    ]


def test_bad_weights_are_found_before_the_training_data_are_read(
    toy: Path, sample_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = save(toy / "model.pth", {"generator": {"type": "ShiftGenerator"}})
    read: list[str] = []
    monkeypatch.setattr(module, "mean_of_targets", lambda *_, **__: read.append("all"))
    for measures in (Measures(("nobody",)), Measures(weights={"inception": toy / "none.pth"})):
        with pytest.raises(UserError, match=r"nobody|none\.pth"):
            evaluate(Config(settings(sample_data)), checkpoint, measures=measures, device="cpu")
    assert not read


def test_batch_size_does_not_matter_and_the_observer_sees_every_sample() -> None:
    samples, tables, seen = memory_samples(7), [], []
    for batch_size in (7, 3, 1):
        predictors = {"copy": copy_source, "nothing": zero_flow}
        table = ConfigTable([{"type": "L1"}, {"type": "PSNR"}], MetricWeights(), list(predictors))
        broken = run_pass(
            predictors,
            readable_loader(ReadableSamples(samples), batch_size),
            [table],
            [lambda batch, made: seen.extend(zip(batch["meta"]["name"], made, strict=True))],
        )
        tables.append(table.report(broken)["results"])
    assert tables[0]["nothing"] == {}
    for table in tables[1:]:
        assert table["copy"] == pytest.approx(tables[0]["copy"])
    assert len(seen) == 21
    assert all(set(made) == {"image"} for _, made in seen)


def test_the_mean_of_targets_is_the_mean() -> None:
    samples = memory_samples(10)
    batch = default_collate(samples[:2])
    images = torch.stack([sample["targets"]["image"] for sample in samples])
    made = mean_of_targets(samples)(batch)
    assert len(made) == 2
    torch.testing.assert_close(made[1]["image"], images.mean(0))
    capped = mean_of_targets(samples, limit=5)(batch)
    torch.testing.assert_close(capped[0]["image"], images[::2].mean(0))
    with pytest.raises(UserError, match="empty"):
        mean_of_targets([])


def test_a_network_is_split_into_samples() -> None:
    from gfla_video.structures import GeneratorOutput

    def network(sources: list, structures: list, target: torch.Tensor) -> GeneratorOutput:
        flows = [[target[:, :1].repeat(1, 2, 1, 1), sources[0][:, :2]]]
        return GeneratorOutput(sources[0] + 1, flows, [[target]])

    samples = memory_samples(3)
    made = network_predictor(network)(default_collate(samples))
    for one, sample in zip(made, samples, strict=True):
        torch.testing.assert_close(one["image"], sample["inputs"]["sources"][0] + 1)
        torch.testing.assert_close(one["flows"][0][1], sample["inputs"]["sources"][0][:2])
        assert one["masks"][0][0].shape == (1, 16, 16)


def test_the_table_has_a_dash_for_what_is_not_defined() -> None:
    rows = {"model": {"a": 0.5, "b": None, "whole": 312}, "copy_source": {"a": 1.0}}
    lines = format_table(rows).split("\n")
    assert lines[0].split() == ["a", "b", "whole"]
    assert lines[1].split() == ["model", "0.5000", "-", "312"]
    assert lines[2].split() == ["copy_source", "1.0000", "-", "-"]


@pytest.mark.slow
def test_the_tool(
    toy: Path, sample_data: Path, run_tool: Callable[..., Any], repo_root: Path
) -> None:
    checkpoint = save(toy / "model.pth", {"generator": {"type": "ShiftGenerator"}})
    config = toy / "config.py"
    config.write_text("\n".join(f"{k} = {v!r}" for k, v in settings(sample_data).items()))
    path = f"{repo_root}:{toy}"
    out = toy / "metrics.json"
    done = run_tool(
        "tools/test.py", config, checkpoint, "--out", out, "--device", "cpu", PYTHONPATH=path
    )
    results = json.loads(out.read_text())["tables"][0]["results"]
    row = next(line for line in done.stdout.splitlines() if line.startswith("model "))
    assert f"{results['model']['l1']:.4f}" in row.split()
    assert "evaluating" in done.stderr

    other = save(toy / "face.pth", {"generator": {"type": "ShiftGenerator"}}, task="face")
    bad = run_tool("tools/test.py", config, other, PYTHONPATH=path, check=False)
    assert bad.returncode == 2
    assert bad.stderr.startswith("error: ")
    assert len(bad.stderr.strip().splitlines()) == 1
