"""Reading what a training logged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gfla_video.apis.training_logs import Curve, read_curves, stage_logs
from gfla_video.utils.errors import UserError


def log(folder: Path, *records: dict[str, float], rest: str = "") -> Path:
    path = folder / "vis_data" / "scalars.json"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records) + rest)
    return path


def test_a_resumed_run_is_one_curve(tmp_path: Path) -> None:
    first = log(
        tmp_path / "1",
        {"loss": 3.0, "lr": 0.1, "iter": 10, "step": 10},
        {"loss": 2.0, "lr": 0.1, "iter": 20, "step": 20},
        rest='{"loss": 1.',
    )
    second = log(
        tmp_path / "2",
        {"loss": 1.5, "lr": 0.1, "iter": 20, "step": 20},
        {"loss": float("nan"), "lr": 0.05, "iter": 30, "step": 30},
    )
    curves = read_curves(first, second)
    assert list(curves) == ["loss", "lr"]
    assert curves["loss"] == Curve([10, 20], [3.0, 1.5])
    assert curves["lr"] == Curve([10, 20, 30], [0.1, 0.1, 0.05])


def test_logs_of_a_run_by_stage(tmp_path: Path) -> None:
    record = {"loss": 1.0, "step": 1}
    paths = [
        log(tmp_path / stage / time, record)
        for stage, time in (("stage2_full", "9"), ("stage1_flow", "10"), ("stage1_flow", "9"))
    ]
    log(tmp_path / "elsewhere" / "1", record)
    assert stage_logs(tmp_path) == {"stage1_flow": [paths[2], paths[1]], "stage2_full": [paths[0]]}
    assert stage_logs(tmp_path / "stage2_full") == {"stage2_full": [paths[0]]}
    assert stage_logs(tmp_path / "nowhere") == {}


def test_what_is_no_log_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no numbers\n")
    with pytest.raises(UserError, match=r"notes.txt: holds no line of numbers"):
        read_curves(tmp_path / "notes.txt")
    assert read_curves(log(tmp_path / "killed")) == {}
    with pytest.raises(UserError, match="cannot be read"):
        read_curves(tmp_path / "absent.json")
