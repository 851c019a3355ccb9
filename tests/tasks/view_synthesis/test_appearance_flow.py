"""Appearance flow with the project's tools: its config is trained, resumed, measured, animated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from gfla_video.apis import Animator, evaluate, train
from gfla_video.apis.config import load_config
from gfla_video.registry import MODELS
from gfla_video.utils.video import read_video
from tests.tasks.view_synthesis.views import AZIMUTHS, OBJECTS, make_folder, write_truth

CONFIG = Path(__file__).resolve().parents[3] / "configs" / "view_synthesis" / "appearance_flow.py"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Views of three objects, two to train on, and exact flow of three pairs of the third."""
    folder = make_folder(tmp_path / "data", "train", OBJECTS[:2], AZIMUTHS[:4], (0,))
    make_folder(folder, "test", OBJECTS[2:], AZIMUTHS[:4], (0,))
    rows = ["object,from,to"]
    for target in ("020_00", "040_00", "060_00"):
        rows.append(f"{OBJECTS[2]},000_00,{target}")
        write_truth(folder / "test_truth", OBJECTS[2], "000_00", target)
    (folder / "pairs-test.csv").write_text("\n".join(rows) + "\n")
    return folder


def small(data: Path, **more: Any) -> dict[str, Any]:
    """Changes of the published config: narrow, 64 x 64, and plain folders instead of HDF5."""
    folder = {"data_root": str(data), "layout": "folder", "category": None, "size": (64, 64)}
    loader = {"num_workers": 0, "persistent_workers": False, "batch_size": 2}
    test = {"phase": "test", "ids": None, "pairs": "pairs-test.csv", "with_truth": True}
    generator = {"size": (64, 64), "width": 32}
    groups = {
        "train_dataloader": loader,
        "train_dataloader.dataset": {**folder, "ids": None},
        "test_dataloader": {"num_workers": 0, "batch_size": 2},
        "test_dataloader.dataset": {**folder, **test},
        "stages.0.model.generator": generator,
    }
    changes = {
        f"{group}.{name}": value
        for group, values in groups.items()
        for name, value in values.items()
    }
    metrics = [{"type": "L1"}, {"type": "FlowEPE"}]
    return {**changes, "size": (64, 64), "test_metrics": metrics, **more}


def test_it_is_trained_measured_and_animated(data: Path, tmp_path: Path) -> None:
    run, steps = tmp_path / "run", "stages.0.train_cfg.max_iters"
    train(CONFIG, run, cfg_options=small(data, **{steps: 1}), device="cpu")
    train(CONFIG, run, cfg_options=small(data, **{steps: 2}), device="cpu", resume=True)
    content = torch.load(run / "model.pth", weights_only=True)
    assert content["meta"]["iter"] == 2
    assert {name.split(".")[0] for name in content["state_dict"]} == {"generator"}

    options = {"cfg_options": small(data), "device": "cpu"}
    results = evaluate(CONFIG, run / "model.pth", preview=tmp_path / "preview.png", **options)
    (table,) = results["tables"]
    assert table["count"] == 3
    assert set(table["results"]["model"]) == {"l1", "flow_epe", "flow_epe_zero", "flow_epe_ratio"}
    assert (tmp_path / "preview.png").is_file()

    config = load_config(CONFIG, {"size": (64, 64)})
    animator = Animator(config, run / "model.pth", device="cpu")
    sources = [data / "test" / OBJECTS[2] / f"{azimuth:03d}_00.png" for azimuth in (0, 20)]
    for source in (sources[0], sources):
        clip = tmp_path / "clip.mp4"
        animator.animate(
            source, "azimuth=0:120:20,elevation=0", clip, show="source,flow,mask,result"
        )
        frames = list(read_video(clip))
        assert len(frames) == 6


def test_the_mask_head_is_one_line_of_the_config(tmp_path: Path) -> None:
    text = CONFIG.read_text().replace("../", f"{CONFIG.parents[1]}/")
    line = "_background = None"
    assert line in text
    config = tmp_path / "white.py"
    config.write_text(text.replace(line, "_background = (255, 255, 255)"))
    settings = load_config(config, {"stages.0.model.generator.width": 8})
    model = MODELS.build(settings["stages"][0]["model"])
    assert model.generator.composes and set(model.losses) == {"reconstruction", "foreground"}
