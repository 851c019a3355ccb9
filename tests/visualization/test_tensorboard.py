"""What reaches TensorBoard, read back by TensorBoard itself."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gfla_video.registry import VISUALIZERS
from gfla_video.utils.errors import UserError
from gfla_video.visualization import TensorboardVisualizer


def test_scalars_pictures_and_moving_pictures(tmp_path: Path) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    visualizer = VISUALIZERS.build(
        {"type": "TensorboardVisualizer", "name": "board_test", "save_dir": str(tmp_path)}
    )
    visualizer.add_scalars({"loss": 0.5}, step=3)
    picture = np.zeros((8, 12, 3), np.uint8)
    picture[:, :6] = (250, 10, 10)
    visualizer.add_image("panels", picture, 3)
    frames = [np.full((8, 12, 3), value, np.uint8) for value in (0, 255, 0)]
    visualizer.add_video("panels in motion", frames, 4, 3)
    visualizer.close()
    events = reader.EventAccumulator(str(tmp_path / "vis_data"))
    events.Reload()
    assert [(item.step, item.value) for item in events.Scalars("loss")] == [(3, 0.5)]
    (shown,) = events.Images("panels")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(shown.encoded_image_string))), picture)
    (moving,) = events.Images("panels in motion")
    clip = Image.open(io.BytesIO(moving.encoded_image_string))
    assert (clip.n_frames, clip.info["duration"], clip.size) == (3, 250, (12, 8))
    assert (moving.step, moving.width, moving.height) == (3, 12, 8)
    assert (tmp_path / "vis_data" / "scalars.json").is_file()  # the JSON log stays
    assert (tmp_path / "vis_data" / "vis_image" / "panels_3.png").is_file()


def test_without_tensorboard_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'gfla_video\[tensorboard\]'"):
        TensorboardVisualizer("absent_test")
