"""LPIPS on its authors' example pictures, and what it says about wrong weights."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import lpips
import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import Tensor

from gfla_video.evaluation import LPIPSMetric
from gfla_video.evaluation.metrics import perceptual
from gfla_video.utils.errors import UserError
from tests.evaluation.metrics.pictures import batches, make_images, run


def picture(path: Path) -> Tensor:
    """[1, 3, H, W] in [-1, 1]."""
    pixels = np.array(Image.open(path).convert("RGB"), dtype=np.float32)
    return torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1)[None]


def lpips_package(net: str, version: str = "0.1") -> torch.nn.Module:
    """The package's own network: random trunk, its heads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = lpips.LPIPS(net=net, version=version, pnet_rand=True, verbose=False)
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("heads", ["given", "of the package"])
def test_published_values(shared_dir: Path, heads: str) -> None:
    weights = shared_dir / "data" / "weights"
    folder = weights / "lpips" / "example_images"
    chosen = str(weights / "lpips" / "v0.1" / "squeeze.pth") if heads == "given" else None
    metric = LPIPSMetric(str(weights / "squeezenet1_1_torchvision_fp16.npz"), chosen)
    reference = picture(folder / "ex_ref.png")
    package = lpips_package("squeeze")
    with np.load(weights / "squeezenet1_1_torchvision_fp16.npz") as trunk:
        for name, parameter in package.net.named_parameters():
            layer = re.sub(r"slice\d+", "features", name)
            parameter.data.copy_(torch.from_numpy(trunk[layer]).float())
    for other, expected in (("ex_p0", 0.711), ("ex_p1", 0.148)):
        metric.process(
            {"targets": {"image": reference}}, [{"image": picture(folder / f"{other}.png")[0]}]
        )
        (found,) = metric.evaluate(1).values()
        assert found == pytest.approx(expected, abs=6e-4)
        assert found == pytest.approx(
            float(package(picture(folder / f"{other}.png"), reference)), rel=1e-5
        )


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


@pytest.mark.parametrize("version", ["0.1", "0.0"])
@pytest.mark.parametrize("net", ["squeeze", "alex", pytest.param("vgg", marks=pytest.mark.slow)])
def test_every_network_and_version_agrees_with_the_package(
    net: str, version: str, tmp_path: Path
) -> None:
    """A random trunk, the package's own heads."""
    reference = lpips_package(net, version)
    trunk = {
        re.sub(r"slice\d+", "features", name): value
        for name, value in reference.net.state_dict().items()
        if name.startswith("slice")
    }
    torch.save(trunk, tmp_path / "trunk.pth")
    true, made = make_images(3, (64, 80))
    metric = LPIPSMetric(str(tmp_path / "trunk.pth"), net=net, version=version)
    found = run(metric, batches(true, made, [2, 1]), 3)
    expected = float(reference(made.clamp(-1, 1), true).mean())
    assert expected > 0
    assert found == {f"lpips_{net}": pytest.approx(expected, rel=1e-4)}


@pytest.mark.parametrize(("net", "least"), [("alex", 31), ("vgg", 16), ("squeeze", 17)])
def test_pictures_that_are_too_small_are_one_sentence(
    net: str, least: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False)
    monkeypatch.setattr(perceptual, "load_lpips", lambda *_: network.eval())
    metric = LPIPSMetric("none.pth", net=net)
    true, made = make_images(1, (least, least))
    assert run(metric, batches(true, made, [1]), 1)[f"lpips_{net}"] is not None
    true, made = make_images(1, (least + 9, least - 1))
    with pytest.raises(UserError, match=f"LPIPS of {net} needs pictures of at least {least} pixe"):
        run(metric, batches(true, made, [1]), 1)
