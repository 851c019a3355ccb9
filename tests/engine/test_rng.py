"""Random generators go on where they were."""

from __future__ import annotations

import logging
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from gfla_video.engine.checkpoint import read_checkpoint, write_checkpoint
from gfla_video.engine.rng import gather_rng_states, restore_rng


def draw() -> list[float]:
    return [random.random(), random.gauss(0, 1), np.random.randn(), torch.rand(1).item()]


def test_states_survive_a_file(tmp_path: Path) -> None:
    draw()
    content = {"meta": {}, "state_dict": {}, "rng": gather_rng_states()}
    write_checkpoint(content, tmp_path / "rng.pth")
    expected = draw()
    draw()
    restore_rng(read_checkpoint(tmp_path / "rng.pth")["rng"], logging.getLogger("test"))
    assert draw() == expected


def test_a_new_process_keeps_its_seed(caplog: pytest.LogCaptureFixture) -> None:
    restore_rng([], logging.getLogger("test"))
    assert "process 0 is new" in caplog.text
