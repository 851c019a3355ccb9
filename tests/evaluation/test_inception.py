"""The Inception networks from files: the same features as their libraries', and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import torch_fidelity
import torchvision
from PIL import Image
from torch import nn
from torch_fidelity import feature_extractor_inceptionv3 as fidelity

from gfla_video.evaluation import FID, KID, InceptionScore, load_extractor
from gfla_video.utils.errors import UserError
from tests.evaluation.metrics.pictures import batches, make_images, pixels, run, small_extractor


def livelier(network: nn.Module) -> nn.Module:
    """Weights under which the features of pictures differ; the usual ones fade from layer to
    layer."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return network


@pytest.fixture(scope="module")
def reference() -> nn.Module:
    """torch-fidelity's network, random weights."""
    torch.manual_seed(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fidelity, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(fidelity.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        names = ["2048", "logits_unbiased"]
        return livelier(fidelity.FeatureExtractorInceptionV3("random", names))


@pytest.fixture(scope="module")
def weights(reference: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its file, as torch-fidelity's releases have it."""
    path = tmp_path_factory.mktemp("inception") / "weights-inception.pth"
    torch.save(reference.state_dict(), path)
    return str(path)


def test_the_network_of_torch_fidelity(reference: nn.Module, weights: str) -> None:
    extractor = load_extractor("torch-fidelity", weights)
    assert load_extractor("torch-fidelity", weights) is extractor
    images = pixels(make_images(2, (64, 48))[0])
    found = extractor(images)
    pooled, logits = reference(images)
    assert found.pooled.shape == (2, 2048) and pooled.std() > 0
    torch.testing.assert_close(found.pooled, pooled)
    torch.testing.assert_close(found.logits, logits)


@pytest.mark.slow
def test_fid_kid_and_is_as_torch_fidelity_finds_them_in_folders(
    weights: str, tmp_path: Path
) -> None:
    """All of that library, from PNG files to values, and the metrics in uneven batches."""
    true, made = make_images(6, (48, 64))
    for name, images in (("true", true), ("made", made)):
        (tmp_path / name).mkdir()
        for i, image in enumerate(pixels(images).permute(0, 2, 3, 1).numpy()):
            Image.fromarray(image).save(tmp_path / name / f"{i}.png")
    theirs = torch_fidelity.calculate_metrics(
        input1=str(tmp_path / "made"),
        input2=str(tmp_path / "true"),
        isc=True,
        fid=True,
        kid=True,
        cuda=False,
        verbose=False,
        cache=False,
        kid_subsets=1,
        kid_subset_size=6,
        isc_splits=2,
        samples_shuffle=False,
        feature_extractor_weights_path=weights,
        batch_size=3,
    )
    parts = batches(true, made, [4, 2])
    found = run(FID(weights), parts, 6)["fid"]
    assert found == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3)
    found = run(KID(weights, subsets=1, subset_size=6), parts, 6)["kid"]
    assert found == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-3)
    found = run(InceptionScore(weights, splits=2), parts, 6)["is"]
    assert found - 1 == pytest.approx(theirs["inception_score_mean"] - 1, rel=1e-3)


def test_the_network_of_torchvision(tmp_path: Path) -> None:
    network = livelier(torchvision.models.inception_v3(weights=None, init_weights=False)).eval()
    torch.save(network.state_dict(), tmp_path / "vision.pth")
    extractor = load_extractor("torchvision", str(tmp_path / "vision.pth"))
    images = pixels(make_images(2, (64, 48))[0])
    resized = F.interpolate(images.float(), (299, 299), mode="bilinear") / 127.5 - 1
    taken = []
    network.avgpool.register_forward_hook(lambda _, __, output: taken.append(output.flatten(1)))
    with torch.no_grad():
        logits = network(resized)
    found = extractor(images)
    torch.testing.assert_close(found.pooled, taken[0])
    torch.testing.assert_close(found.logits, logits)
    assert found.pooled.shape == (2, 2048)


def test_a_changed_file_is_read_anew(weights: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pth"
    copy.write_bytes(Path(weights).read_bytes())
    first = load_extractor("torch-fidelity", str(copy))
    assert first.digest == load_extractor("torch-fidelity", weights).digest
    state = torch.load(weights)
    state["fc.bias"] += 1
    torch.save(state, copy)
    os.utime(copy, ns=(1, 1))
    second = load_extractor("torch-fidelity", str(copy))
    assert second is not first and second.digest != first.digest


def test_what_is_missing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="need weights, which are not downloaded; fetch weights-in"):
        FID()
    with pytest.raises(UserError, match="torchvision' need weights.* inception_v3_google"):
        InceptionScore(extractor="torchvision")
    with pytest.raises(UserError, match=r"absent.pth: no such weights file; put weights-incep"):
        KID(str(tmp_path / "absent.pth"))
    with pytest.raises(UserError, match="no feature extractor 'dino'; choose 'torch-fidelity' or"):
        load_extractor("dino", None)
    torch.save({"fc.weight": torch.zeros(3, 3)}, tmp_path / "other.pth")
    for name in ("torch-fidelity", "torchvision"):
        with pytest.raises(UserError, match=r"other.pth: does not fit .*; pass \w+"):
            load_extractor(name, str(tmp_path / "other.pth"))
    with pytest.raises(ValueError, match="uint8"):
        small_extractor()(torch.zeros(1, 3, 8, 8))


def test_only_the_last_batches_are_remembered() -> None:
    extractor = small_extractor()
    stacks = [torch.full((1, 3, 16, 16), value, dtype=torch.uint8) for value in range(10)]
    for stack in stacks:
        extractor(stack)
    assert extractor.network.calls == 10
    extractor(stacks[-1])
    assert extractor.network.calls == 10
    extractor(stacks[0])
    assert extractor.network.calls == 11
