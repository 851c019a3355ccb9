"""LPIPS on its authors' example pictures, and what it says about wrong weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import Tensor

from gfla_video.evaluation import LPIPSMetric
from gfla_video.utils.errors import UserError


def picture(path: Path) -> Tensor:
    """[1, 3, H, W] in [-1, 1]."""
    pixels = np.array(Image.open(path).convert("RGB"), dtype=np.float32)
    return torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1)[None]


@pytest.mark.parametrize("heads", ["given", "of the package"])
def test_published_values(shared_dir: Path, heads: str) -> None:
    weights = shared_dir / "data" / "weights"
    folder = weights / "lpips" / "example_images"
    chosen = str(weights / "lpips" / "v0.1" / "squeeze.pth") if heads == "given" else None
    metric = LPIPSMetric(str(weights / "squeezenet1_1_torchvision_fp16.npz"), chosen)
    reference = picture(folder / "ex_ref.png")
    for other, expected in (("ex_p0", 0.711), ("ex_p1", 0.148)):
        metric.process(
            {"targets": {"image": reference}}, [{"image": picture(folder / f"{other}.png")[0]}]
        )
        assert metric.evaluate(1) == {"lpips_squeeze": pytest.approx(expected, abs=6e-4)}


def test_weights_made_here_are_loaded_by_torchvision_names(tmp_path: Path) -> None:
    """Identical pictures have distance 0, others more; two files of weights differ."""
    values = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        path = tmp_path / f"{seed}.pth"
        torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), path)
        metric = LPIPSMetric(str(path))
        generator = torch.Generator().manual_seed(0)
        images = torch.rand(2, 3, 64, 64, generator=generator) * 2 - 1
        metric.process({"targets": {"image": images}}, [{"image": images[0]}, {"image": images[1]}])
        assert metric.evaluate(2)["lpips_squeeze"] == 0
        metric.process({"targets": {"image": images}}, [{"image": images[1]}, {"image": images[0]}])
        values.append(metric.evaluate(2)["lpips_squeeze"])
    assert min(values) > 0
    assert values[0] != values[1]


def test_wrong_weights_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such weights file"):
        LPIPSMetric(str(tmp_path / "absent.npz"))
    with pytest.raises(UserError, match="choose squeeze, alex or vgg"):
        LPIPSMetric("any", net="resnet")
    path = tmp_path / "other.pth"
    torch.save({"features.0.weight": torch.zeros(4, 3, 3, 3)}, path)
    with pytest.raises(UserError, match=r"other\.pth: does not fit squeezenet"):
        LPIPSMetric(str(path))
