"""Feature extractors: the right layers, weights by path, frozen and outside of checkpoints."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import squeezenet1_1
from torchvision.models.vgg import cfgs, make_layers

from gfla_video.components.features import (
    FeatureExtractor,
    FilterBankFeatures,
    SqueezeNetFeatures,
    VGG19Features,
)
from gfla_video.components.losses import ReconstructionLoss
from gfla_video.models import FlowModel
from gfla_video.utils.errors import UserError
from gfla_video.utils.weights import load_strict

RELU_WIDTHS = {"1": 64, "2": 128, "3": 256, "4": 512, "5": 512}


def torchvision_maps(layers: nn.Sequential, picture: Tensor) -> dict[str, Tensor]:
    """Outputs of VGG's rectifiers, named by counting poolings and convolutions."""
    found, block, conv = {}, 1, 0
    x = picture
    for layer in layers:
        x = nn.functional.relu(x) if isinstance(layer, nn.ReLU) else layer(x)
        if isinstance(layer, nn.MaxPool2d):
            block, conv = block + 1, 0
        elif isinstance(layer, nn.Conv2d):
            conv += 1
        else:
            found[f"relu{block}_{conv}"] = x
    return found


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nn.Sequential]:
    """Random weights under torchvision's names, and torchvision's layers that hold them."""
    torch.manual_seed(1)
    layers = make_layers(cfgs["E"])
    state = {f"features.{name}": tensor for name, tensor in layers.state_dict().items()}
    state["classifier.6.bias"] = torch.zeros(1000)
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    torch.save(state, path)
    return path, layers


def test_vgg_layers_and_weights_by_path(vgg_file: tuple[Path, nn.Sequential]) -> None:
    path, layers = vgg_file
    extractor = VGG19Features(str(path))
    picture = torch.rand(1, 3, 64, 96) * 2 - 1
    found = extractor(picture, extractor.names)
    with torch.no_grad():
        true = torchvision_maps(layers, picture)
    assert set(found) == set(extractor.layers_of(extractor.roles)) <= set(true)
    for name, features in found.items():
        depth = int(name[4]) - 1
        assert features.shape == (1, RELU_WIDTHS[name[4]], 64 >> depth, 96 >> depth), name
        torch.testing.assert_close(features, true[name])
        assert float(features.min()) == 0.0  # what follows has not overwritten it
    for level in (1, 2, 3):
        (name,) = extractor.roles[f"level{level}"]
        assert found[name].shape[-2:] == (64 >> level, 96 >> level)


def test_nothing_deeper_than_asked_is_computed() -> None:
    extractor = VGG19Features(weights=None)
    seen: list[int] = []
    for index, stage in enumerate(extractor.stages):
        stage.register_forward_hook(lambda *_, index=index: seen.append(index))
    extractor(torch.zeros(1, 3, 32, 32), ["relu2_1"])
    assert seen == list(range(7))


def test_vgg_weights_that_do_not_fit(
    vgg_file: tuple[Path, nn.Sequential], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"none\.pth: no such weights file"):
        VGG19Features(str(tmp_path / "none.pth"))
    state = torch.load(vgg_file[0], weights_only=True)
    del state["features.34.weight"]
    torch.save(state, tmp_path / "short.pth")
    with pytest.raises(UserError, match=r"short\.pth: does not fit .*lacks '34\.weight'"):
        VGG19Features(str(tmp_path / "short.pth"))
    with pytest.raises(UserError, match=r"'vgg19\.nobody' could not be fetched"):
        VGG19Features("vgg19.nobody")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"'vgg19\.tv_in1k' could not be .* set weights='vgg19-"):
        VGG19Features()


@pytest.mark.parametrize("size", [(256, 256), (128, 96)])
def test_squeezenet_maps_have_the_sizes_of_the_levels(size: tuple[int, int]) -> None:
    extractor = SqueezeNetFeatures(weights=None)
    found = extractor(torch.rand(1, 3, *size), extractor.layers_of(extractor.roles))
    for level in (1, 2, 3):
        (name,) = extractor.roles[f"level{level}"]
        assert found[name].shape[-2:] == (size[0] >> level, size[1] >> level)


def test_squeezenet_is_torchvisions(tmp_path: Path) -> None:
    network = squeezenet1_1(weights=None).eval()
    np.savez(tmp_path / "w.npz", **{k: v.numpy() for k, v in network.state_dict().items()})
    extractor = SqueezeNetFeatures(str(tmp_path / "w.npz"))
    picture = torch.rand(1, 3, 65, 65)  # odd: the padding below and right changes no map inside
    mean, deviation = (
        torch.tensor(values).view(1, 3, 1, 1)
        for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    with torch.no_grad():
        true = network.features[:2]((picture - mean) / deviation)
    ours = extractor(picture * 2 - 1, ["relu1"])["relu1"]
    torch.testing.assert_close(ours[..., :32, :32], true)


def test_squeezenet_with_the_real_weights(shared_dir: Path) -> None:
    path = shared_dir / "data" / "weights" / "squeezenet1_1_torchvision_fp16.npz"
    extractor = SqueezeNetFeatures(str(path))
    found = extractor(torch.rand(1, 3, 64, 64) * 2 - 1, ["fire8"])["fire8"]
    assert found.shape == (1, 512, 4, 4)
    assert found.dtype == torch.float32
    with np.load(path) as arrays:
        assert np.array_equal(extractor.stages[0].bias.numpy(), arrays["features.0.bias"])


def test_filter_bank_roles_and_sizes() -> None:
    extractor = FilterBankFeatures(dimensions=16)
    picture = torch.rand(2, 3, 64, 96) * 2 - 1
    layers = extractor.layers_of(["content", "style", "level1", "level2", "level3"])
    found = extractor(picture, layers)
    assert set(found) == layers == {f"bank{v}" for v in range(4)} | {f"match{v}" for v in (1, 2, 3)}
    for name, features in found.items():
        level = int(name[-1])
        channels = 21 if name.startswith("bank") else 16
        assert features.shape == (2, channels, 64 >> level, 96 >> level)
    again = FilterBankFeatures(dimensions=16)(picture, layers)
    assert all(torch.equal(found[name], again[name]) for name in layers)
    assert extractor(picture, []) == {}


def test_filter_bank_responses() -> None:
    """A ramp to the right: slope 2 per pixel in x only, no second derivative, colour kept."""
    ramp = torch.arange(8.0).expand(1, 3, 8, 8) * 2
    out = FilterBankFeatures()(ramp, ["bank0"])["bank0"][0, :, 4, 4]
    rising = torch.tensor([2.0 * 2 * 4 / 4, 0.0, 0.0]).repeat(3)  # (f(x+1) - f(x-1)) * 4 / 4
    torch.testing.assert_close(out, torch.cat([torch.full((3,), 8.0), rising, torch.zeros(9)]))


def test_filter_bank_tells_colours_apart() -> None:
    """The cosine of two flat colours falls with their distance, and is 1 for the same."""
    extractor = FilterBankFeatures(dimensions=2048)
    colours = torch.tensor([0.0, 0.1, 1.0]).view(3, 1, 1, 1).expand(3, 3, 32, 32)
    features = extractor(colours, ["match2"])["match2"][:, :, 4, 4]
    near, far = nn.functional.cosine_similarity(features[:1], features[1:])
    assert float(near) > 0.8
    assert abs(float(far)) < 0.15


@pytest.mark.parametrize(
    "extractor",
    [FilterBankFeatures(), SqueezeNetFeatures(weights=None)],
    ids=lambda extractor: type(extractor).__name__,
)
def test_frozen_and_in_no_checkpoint(extractor: FeatureExtractor) -> None:
    assert not list(extractor.parameters())
    assert list(extractor.buffers())
    assert extractor.state_dict() == {}
    flow = nn.Conv2d(1, 1, 1)
    flow.flow_levels = (2,)  # type: ignore[assignment]
    flow.mask_parameters = lambda: iter(())  # type: ignore[assignment]
    model = FlowModel(flow, {"rec": ReconstructionLoss()}, extractor)
    model.train()
    assert not any(part.training for part in list(extractor.modules())[1:])
    state = model.state_dict()
    assert set(state) == {"flow_estimator.weight", "flow_estimator.bias"}
    load_strict(model, state, "itself")
    picture = torch.rand(1, 3, 64, 64, requires_grad=True)
    layer = next(iter(extractor.layers_of(["content"])))
    extractor(picture, [layer])[layer].sum().backward()
    assert picture.grad is not None and float(picture.grad.abs().sum()) > 0


def test_a_role_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="FilterBankFeatures has no layers for level4; it has con"):
        FilterBankFeatures().layers_of(["level1", "level4"])
