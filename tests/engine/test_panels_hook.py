"""Panels during training: what they show, and that they change nothing of the training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from gfla_video.apis import train
from gfla_video.engine.checkpoint import read_checkpoint
from gfla_video.engine.panels_hook import PanelsHook
from gfla_video.utils.errors import UserError
from gfla_video.utils.video import read_video

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "_smoke"


def options(data: Path, **hook: Any) -> dict[str, Any]:
    """The smoke config over sample data; with the hook where its values are given."""
    found: dict[str, Any] = {
        f"{part}_dataloader.dataset.data_root": str(data) for part in ("train", "test")
    }
    if hook:
        found["default_hooks.panels"] = {"type": "PanelsHook", **hook}
    return found


def weights(path: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(path)["state_dict"]


def drawn(folder: Path) -> list[str]:
    """Panels below a run's folder, by stage."""
    found = [path for path in folder.rglob("panels_*") if path.suffix in (".png", ".mp4")]
    return sorted(f"{path.relative_to(folder).parts[0]}/{path.name}" for path in found)


def test_single_pictures(sample_data: Path, tmp_path: Path) -> None:
    hook = {"interval": 2, "samples": 3, "frames": 5, "fps": 3}
    plain = train(
        CONFIGS / "pose.py", tmp_path / "a", cfg_options=options(sample_data), device="cpu"
    )
    watched = train(
        CONFIGS / "pose.py", tmp_path / "b", cfg_options=options(sample_data, **hook), device="cpu"
    )
    one, other = weights(plain), weights(watched)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not drawn(tmp_path / "a")
    assert drawn(tmp_path / "b") == [
        *("stage1_flow/panels_2.mp4", "stage1_flow/panels_2.png"),
        *("stage2_full/panels_2.mp4", "stage2_full/panels_2.png"),
    ]
    (picture,) = (tmp_path / "b" / "stage2_full").rglob("panels_2.png")
    with Image.open(picture) as sheet:
        # source, structure, result, truth, flow, warped source, mask, legend; a row per sample
        assert sheet.size[0] == 8 * 192 + 7 * 2
        assert 3 * 192 < sheet.size[1] < 4 * 192
    (clip,) = (tmp_path / "b" / "stage2_full").rglob("panels_2.mp4")
    assert len(list(read_video(clip))) == 5
    assert read_video(clip).fps == 3


def test_clips_are_rolled_out(face_samples: Path, tmp_path: Path) -> None:
    cfg_options = options(face_samples, interval=2, samples=2, frames=3)
    train(CONFIGS / "face.py", tmp_path, cfg_options=cfg_options, device="cpu")
    stages = ("stage1_flow", "stage2_full")
    assert drawn(tmp_path) == [f"{s}/panels_2.{end}" for s in stages for end in ("mp4", "png")]
    for stage in stages:
        (clip,) = (tmp_path / stage).rglob("panels_2.mp4")
        assert len(list(read_video(clip))) == 3


def test_clips_of_a_generator_without_flow(face_samples: Path, tmp_path: Path) -> None:
    config = tmp_path / "plain.py"
    config.write_text(
        f"_base_ = {str(CONFIGS / 'face.py')!r}\n"
        "_full = _base_.stages[1]\n"
        "_generator = dict(type='AutoEncoder', structure_channels=16, norm='none', gain=1.0,\n"
        "                  base_channels=8, max_channels=16)\n"
        "stages = [dict(_full, model=dict(_full.model, generator=_generator))]\n"
    )
    cfg_options = options(face_samples, interval=2, samples=2, frames=3)
    train(config, tmp_path / "run", cfg_options=cfg_options, device="cpu")
    assert drawn(tmp_path / "run") == [f"stage1_full/panels_2.{end}" for end in ("mp4", "png")]
    (clip,) = (tmp_path / "run").rglob("panels_2.mp4")
    assert len(list(read_video(clip))) == 3


class Runner:
    """As much of a runner as the hook looks at before training."""

    def __init__(self, **config: Any) -> None:
        self.stage = type("Stage", (), {"config": config})


def test_what_is_missing_is_said() -> None:
    with pytest.raises(UserError, match=r"PanelsHook.interval: must be 1 or more, not 0"):
        PanelsHook(interval=0)
    with pytest.raises(UserError, match="no test_dataloader"):
        PanelsHook().before_train(Runner())
