"""The real pictures that FID is measured against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from gfla_video.apis.evaluation.real import TargetPictures, pictures_in, real_pictures
from gfla_video.registry import DATASETS
from gfla_video.utils.errors import UserError
from tests.apis.evaluation.toy_evaluation import settings


def levels(count: int) -> torch.Tensor:
    """Pictures ``[count, 3, 4, 5]`` in [-1, 1]; number i has the 8-bit level 10 i everywhere."""
    return (10.0 * torch.arange(count) / 127.5 - 1).view(-1, 1, 1, 1).expand(-1, 3, 4, 5)


@DATASETS.register_module(name="PlainStills")
def plain_stills() -> list[dict[str, Any]]:
    """Three still samples of a data set that names no folder."""
    return [{"inputs": {}, "targets": {"image": image}} for image in levels(3)]


def test_a_data_set_without_a_folder_gives_its_targets() -> None:
    cfg = Config({"train_dataloader": {"dataset": {"type": "PlainStills"}}})
    real = real_pictures(None, cfg)
    assert real is not None
    assert [int(picture.max()) for picture in real.pictures] == [0, 10, 20]
    assert real.pictures[0].shape == (4, 5, 3)
    assert real.pictures[0].dtype == np.uint8
    assert real_pictures(None, Config({})) is None


def test_of_clips_every_frame_of_their_own() -> None:
    clips = [
        {
            "inputs": {"target_structures": torch.zeros(4, 1, 4, 5)},
            "targets": {"image": levels(4)},
            "meta": {"frames": frames},
        }
        for frames in (4, 2)
    ]
    pictures = TargetPictures(clips)  # type: ignore[arg-type]
    assert [int(picture.max()) for picture in pictures] == [0, 10, 20, 30, 0, 10]
    assert len(pictures) == 6


def test_a_data_set_with_a_folder_gives_all_pictures_there(sample_data: Path) -> None:
    real = real_pictures(None, Config(settings(sample_data)))
    assert real is not None
    assert set(real.pictures) == set((sample_data / "train").glob("*.png"))


def test_a_folder_with_sub_folders_in_natural_order(tmp_path: Path) -> None:
    for name in ("a/10.png", "a/2.jpg", "b/1.PNG"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (2, 2)).save(path)
    (tmp_path / "notes.txt").write_text("none")
    found = [path.relative_to(tmp_path).as_posix() for path in pictures_in(tmp_path, "--images")]
    assert found == ["a/2.jpg", "a/10.png", "b/1.PNG"]
    with pytest.raises(UserError, match="--train-images .*none: there is no such folder"):
        real_pictures(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: holds no picture \(.jpg"):
        real_pictures(tmp_path / "empty")
