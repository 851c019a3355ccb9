"""Curves of training logs: stages and resumed runs joined, keys, means, pictures."""

from __future__ import annotations

import json
import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gfla_video.apis import log_curves
from gfla_video.apis.log_curves import draw_logs, read_run, smoothed
from gfla_video.apis.training_logs import Curve
from gfla_video.utils.errors import UserError


def log(folder: Path, stage: str, points: dict[int, dict[str, float]], start: str = "1") -> None:
    """What a stage's training writes."""
    path = folder / stage / f"20260101_00000{start}" / "vis_data" / "scalars.json"
    path.parent.mkdir(parents=True)
    lines = [json.dumps({**values, "iter": 0, "step": step}) for step, values in points.items()]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two stages, the second of them resumed: what the later log says of step 4 counts."""
    folder = tmp_path / "run"
    log(folder, "stage1_flow", {2: {"loss": 8.0, "lr": 1.0}, 4: {"loss": 6.0, "lr": 1.0}})
    log(folder, "stage2_full", {2: {"loss_generator": 5.0}, 4: {"loss_generator": 9.0}})
    log(folder, "stage2_full", {4: {"loss_generator": 4.0}, 6: {"loss_generator": 3.0}}, "2")
    return folder


def test_stages_follow_each_other(run: Path) -> None:
    found = read_run(run)
    assert found["loss"] == [Curve([2, 4], [8.0, 6.0])]
    assert found["loss_generator"] == [Curve([6, 8, 10], [5.0, 4.0, 3.0])]


def test_one_stage_alone(run: Path) -> None:
    found = read_run(run / "stage2_full")
    assert found == {"loss_generator": [Curve([2, 4, 6], [5.0, 4.0, 3.0])]}


@pytest.mark.parametrize("width", [1, 2, 3, 5, 50])
def test_means_over_neighbours(width: int) -> None:
    values = np.random.default_rng(0).normal(size=9)
    found = smoothed(Curve(list(range(9)), values.tolist()), width)
    whole = min(width, 9)
    assert found.steps == [start + (whole - 1) // 2 for start in range(10 - whole)]
    for start, value in enumerate(found.values):
        assert value == pytest.approx(values[start : start + whole].mean())


def test_no_mean_is_taken_over_two_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is printed is what was logged last."""
    for stage, level in (("stage1_flow", 8.0), ("stage2_full", 2.0)):
        points = {step: {"loss": level} for step in range(1, 9)}
        log(tmp_path / "run", stage, {**points, 9: {"loss": level - 1}})
    lines: list[Any] = []
    monkeypatch.setattr(log_curves, "_draw", lambda drawn, *_: lines.append(drawn))
    assert draw_logs({"a": tmp_path / "run"}, tmp_path / "c.png", smooth=3) == {"a": {"loss": 1.0}}
    first, second = lines[0]["a"]["loss"]
    assert (first.steps, second.steps) == (list(range(2, 9)), list(range(11, 18)))
    assert set(first.values[:-1]) == {8.0} and set(second.values[:-1]) == {2.0}


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_several_runs_in_one_picture(run: Path, tmp_path: Path, suffix: str) -> None:
    log(tmp_path / "other", "stage1_train", {10: {"loss": 1.5}})
    out = tmp_path / f"curves{suffix}"
    found = draw_logs({"ours": run, "theirs": tmp_path / "other"}, out)
    assert found == {"ours": {"loss": 6.0, "loss_generator": 3.0}, "theirs": {"loss": 1.5}}
    if suffix == ".svg":
        assert xml.etree.ElementTree.parse(out).getroot().tag.endswith("svg")
    else:
        pixels = np.asarray(Image.open(out).convert("RGB"))
        assert pixels.shape[1] > pixels.shape[0]  # two plots side by side
        assert (pixels == (31, 119, 180)).all(-1).any()  # the first run's blue


def test_chosen_keys(run: Path, tmp_path: Path) -> None:
    found = draw_logs({"a": run}, tmp_path / "c.png", keys=["lr"], smooth=2)
    assert found == {"a": {"lr": 1.0}}


@pytest.mark.parametrize(
    ("out", "settings", "said"),
    [
        ("c.png", {"keys": ["loss_x"]}, "--keys loss_x: no run logs that; there are loss, lr"),
        ("c.txt", {}, "must end in .png, .svg, .pdf"),
        ("c.png", {"smooth": 0}, "--smooth 0: must be at least 1"),
    ],
)
def test_bad_settings(
    out: str, settings: dict[str, Any], said: str, run: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        draw_logs({"a": run}, tmp_path / out, **settings)
    assert not (tmp_path / out).exists()


def test_no_log(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no training log"):
        read_run(tmp_path)


def test_a_log_without_a_number(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One stage of several is left out with a note; a run that has nothing else is refused."""
    log(tmp_path / "none", "stage1_flow", {})
    with pytest.raises(UserError, match="none: its training log holds no number yet"):
        draw_logs({"a": run, "b": tmp_path / "none"}, tmp_path / "c.png")
    assert not (tmp_path / "c.png").exists()
    log(run, "stage3_more", {})
    assert draw_logs({"a": run}, tmp_path / "c.png")["a"]["loss"] == 6.0
    assert "the log of stage3_more is empty, so it is left out" in capsys.readouterr().err


def test_the_command(run_tool: Any, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.png"
    done = run_tool("tools/analyze_logs.py", f"mine={run}", "--keys", "loss", "--out", out)
    assert done.stdout.splitlines()[-2:] == ["mine  6.0000", f"wrote {out}"]
