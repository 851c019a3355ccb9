"""Checkpoints on disk at every moment, and the line that says how far a run is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toy_training import CPU, toy_stages

from gfla_video.engine.checkpoint import last_checkpoint, read_checkpoint
from gfla_video.engine.hooks import AtomicCheckpointHook
from gfla_video.engine.runner import run_stage
from gfla_video.utils.errors import UserError


def test_a_crash_while_saving_keeps_a_checkpoint_to_resume_from(
    toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep one checkpoint only: MMEngine would have deleted it before it wrote the next."""
    hooks = {"checkpoint": {"interval": 2, "max_keep_ckpts": 1}}
    real = torch.save

    def crash_at_four(content: dict, path: Path) -> None:
        if "iter_4" in Path(path).name:
            Path(path).write_bytes(b"PK half")
            raise KeyboardInterrupt
        real(content, path)

    stage = toy_stages(tmp_path, default_hooks=hooks)[0]
    monkeypatch.setattr(torch, "save", crash_at_four)
    with pytest.raises(KeyboardInterrupt):
        run_stage(stage, CPU)
    monkeypatch.undo()
    assert [path.name for path in stage.folder.glob("*.pth")] == ["iter_2.pth"]
    assert last_checkpoint(stage.folder) == stage.folder / "iter_2.pth"

    (stage.folder / ".iter_4.123.tmp.pth").write_bytes(b"left by a killed process")
    run_stage(stage, CPU, last_checkpoint(stage.folder), resume=True)
    assert sorted(path.name for path in stage.folder.glob("*iter*")) == ["iter_6.pth"]
    ours = read_checkpoint(stage.folder / "iter_6.pth")["state_dict"]
    theirs = read_checkpoint(toy_run / "stage1_flow" / "iter_6.pth")["state_dict"]
    assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())


def test_stages_are_counted_in_iterations() -> None:
    with pytest.raises(UserError, match="by_epoch"):
        AtomicCheckpointHook(by_epoch=True)


def test_a_line_says_how_far_and_the_file_says_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = toy_stages(tmp_path, default_hooks={"logger": {"interval": 4}})[0]
    run_stage(stage, CPU)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[3] for line in lines] == ["1/6", "4/6", "6/6"]
    for part in ("s/step", "left 0:0", "lr 0.001", "loss_flow"):
        assert part in lines[0]
    (log,) = stage.folder.rglob("*.log")
    text = log.read_text()
    assert "seed 0" in text
    assert "Saving checkpoint at 6 iterations" in text
    (scalars,) = stage.folder.rglob("scalars.json")
    assert len(scalars.read_text().splitlines()) == 3
