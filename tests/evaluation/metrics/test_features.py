"""FID, KID and the Inception score against TorchMetrics, torch-fidelity and plain formulas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor, nn
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore as TorchmetricsInceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from gfla_video.evaluation import FID, KID, InceptionScore, Statistics
from gfla_video.evaluation.metrics.features import KeptBlocks, to_8bit
from gfla_video.registry import METRICS
from gfla_video.utils.errors import UserError
from tests.evaluation.metrics.pictures import (
    SmallNetwork,
    batches,
    make_images,
    pixels,
    run,
    small_extractor,
)

COUNT = 29
SPLITS = ([29], [10, 3, 16], [1] * 29)


class Pooled(SmallNetwork):
    """The small network as TorchMetrics takes it: one output."""

    part = 0

    def forward(self, pictures: Tensor) -> Tensor:
        """Features, or logits."""
        return super().forward(pictures)[self.part]


class Logits(Pooled):
    """The other output."""

    part = 1
    num_features = 5


@pytest.fixture
def pictures() -> tuple[Tensor, Tensor]:
    """True and generated, that differ in more than noise."""
    true, made = make_images(COUNT)
    return true, made * 0.7 - 0.2


def features(images: Tensor, network: nn.Module) -> np.ndarray:
    """Float64 features of images in [-1, 1]."""
    return network(pixels(images)).detach().double().numpy()


def heusel(one: np.ndarray, other: np.ndarray, eps: float = 0.0) -> float:
    """The formula as the first programs wrote it: the root of the product by scipy.

    ``eps`` is what they add under the root, and only there, where that root is not finite.
    """
    covariances = [np.cov(x, rowvar=False) for x in (one, other)]
    moved = [covariance + eps * np.eye(len(covariance)) for covariance in covariances]
    root = sqrtm(moved[0] @ moved[1]).real
    gap = one.mean(0) - other.mean(0)
    return float(gap @ gap + np.trace(covariances[0] + covariances[1] - 2 * root))


@pytest.mark.parametrize("sizes", SPLITS)
def test_fid_agrees_with_the_references(sizes: list[int], pictures: tuple[Tensor, Tensor]) -> None:
    true, made = pictures
    found = run(FID(extractor=small_extractor()), batches(true, made, sizes), COUNT)["fid"]
    theirs = FrechetInceptionDistance(feature=Pooled())
    theirs.update(pixels(true), real=True)
    theirs.update(pixels(made), real=False)
    assert found == pytest.approx(float(theirs.compute()), rel=1e-3)
    one, other = (
        fid_features_to_statistics(torch.from_numpy(features(images, Pooled())))
        for images in (made, true)
    )
    (fidelity,) = fid_statistics_to_metric(one, other, verbose=False).values()
    assert found == pytest.approx(fidelity, rel=1e-5)
    expected = heusel(features(made, Pooled()), features(true, Pooled()))
    assert found == pytest.approx(expected, rel=1e-5)


def test_fid_drops_the_incomplete_batch(pictures: tuple[Tensor, Tensor]) -> None:
    """As the released program: 24 of 29 pictures."""
    true, made = pictures
    metric = FID(extractor=small_extractor(), whole_batches=8)
    expected = heusel(*(features(images[:24], Pooled()) for images in (made, true)))
    for sizes in SPLITS:
        assert run(metric, batches(true, made, sizes), COUNT)["fid"] == pytest.approx(expected)
        assert metric.remarks == []


@pytest.mark.parametrize("root", ["finite", "not finite"])
def test_fid_of_few_pictures_is_that_of_the_released_program(
    root: str, pictures: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """8 pictures of 12 features: an offset only where scipy finds no root of the product."""
    true, made = pictures
    if root == "not finite":
        monkeypatch.setattr("scipy.linalg.sqrtm", lambda product: np.full_like(product, np.nan))
    few = [images[:8] for images in (made, true)]
    metric = FID(extractor=small_extractor(), eps=1e-2)
    found = run(metric, batches(few[1], few[0], [8]), 8)["fid"]
    expected = heusel(
        *(features(images, Pooled()) for images in few), eps=1e-2 if root == "not finite" else 0.0
    )
    assert found == pytest.approx(expected, rel=1e-5)
    assert metric.remarks == [
        "8 pictures for 12 features, so fid is too large and compares with equal counts only"
    ]


@pytest.mark.parametrize("sizes", SPLITS)
def test_kid_agrees_with_the_references(sizes: list[int], pictures: tuple[Tensor, Tensor]) -> None:
    true, made = pictures
    parts = batches(true, made, sizes)
    whole = KID(extractor=small_extractor(), subsets=2, subset_size=COUNT)
    found = run(whole, parts, COUNT)
    theirs = KernelInceptionDistance(feature=Pooled(), subsets=2, subset_size=COUNT)
    theirs.update(pixels(true), real=True)
    theirs.update(pixels(made), real=False)
    assert found["kid"] == pytest.approx(float(theirs.compute()[0]), rel=1e-3)
    assert found["kid_std"] == pytest.approx(0, abs=1e-6)
    metric = KID(extractor=small_extractor(), subsets=7, subset_size=11, seed=5)
    found = run(metric, parts, COUNT)
    expected = kid_features_to_metric(
        *(torch.from_numpy(features(images, Pooled())) for images in (made, true)),
        kid_subsets=7,
        kid_subset_size=11,
        rng_seed=5,
        verbose=False,
    )
    assert list(found.values()) == pytest.approx(list(expected.values()), rel=1e-4)
    assert metric.remarks == []


@pytest.mark.parametrize("sizes", SPLITS)
def test_is_of_parts_in_the_order_of_the_data(
    sizes: list[int], pictures: tuple[Tensor, Tensor]
) -> None:
    true, made = pictures
    metric = InceptionScore(extractor=small_extractor(), splits=3)
    found = run(metric, batches(true, made, sizes), COUNT)
    logits = features(made, Logits())
    p = np.exp(logits - np.log(np.exp(logits).sum(1, keepdims=True)))
    parts = [p[i * COUNT // 3 : (i + 1) * COUNT // 3] for i in range(3)]
    scores = [np.exp((q * np.log(q / q.mean(0))).sum(1).mean()) for q in parts]
    assert found["is"] == pytest.approx(np.mean(scores), rel=1e-5)
    assert found["is_std"] == pytest.approx(np.std(scores), rel=1e-4)
    whole = InceptionScore(extractor=small_extractor(), splits=1)
    theirs = TorchmetricsInceptionScore(feature=Logits(), splits=1)
    theirs.update(pixels(made))
    found = run(whole, batches(true, made, sizes), COUNT)["is"]
    assert found == pytest.approx(float(theirs.compute()[0]), rel=1e-3)


def test_given_statistics_are_those_of_the_real_pictures(
    pictures: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    true, made = pictures
    parts = batches(true, made, [20, 9])
    for batch, _ in parts:
        del batch["targets"]["image"]  # not read then
    other, _ = make_images(40)
    real = features(other, Pooled())
    mean, covariance = real.mean(0), np.cov(real, rowvar=False)
    np.savez(tmp_path / "theirs.npz", mu=mean, sigma=covariance)
    statistics = Statistics(
        torch.from_numpy(mean), torch.from_numpy(covariance), 40, torch.from_numpy(real).float()
    )
    expected = heusel(features(made, Pooled()), real)
    for given in (str(tmp_path / "theirs.npz"), statistics):
        metric = METRICS.build({"type": "FID", "extractor": small_extractor(), "real": given})
        assert run(metric, parts, COUNT)["fid"] == pytest.approx(expected, rel=1e-5)
    metric = KID(extractor=small_extractor(), real=statistics, subset_size=COUNT, subsets=1)
    fields = run(metric, parts, COUNT)
    theirs = kid_features_to_metric(
        torch.from_numpy(features(made, Pooled())),
        torch.from_numpy(real),
        kid_subsets=1,
        kid_subset_size=COUNT,
        verbose=False,
    )
    assert fields["kid"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)
    with pytest.raises(UserError, match="hold no features"):
        KID(extractor=small_extractor(), real=str(tmp_path / "theirs.npz"))
    np.savez(tmp_path / "theirs.npz", mu=mean[:7], sigma=covariance[:7, :7])
    metric = FID(extractor=small_extractor(), real=str(tmp_path / "theirs.npz"))
    with pytest.raises(UserError, match="statistics have 7 features, the network gives 12"):
        run(metric, parts, COUNT)


def test_too_few_pictures_are_said() -> None:
    true, made = make_images(3)
    parts = batches(true, made, [3])
    metric = KID(extractor=small_extractor(), subsets=2)
    assert np.isfinite(run(metric, parts, 3)["kid"])
    assert "subsets of 3 pictures, as there are no 1000" in metric.remarks[0]
    score = InceptionScore(extractor=small_extractor())
    assert np.isnan(run(score, parts, 3)["is"])
    assert "3 pictures are too few for 10 splits" in score.remarks[0]
    one = batches(true[:1], made[:1], [1])
    for kind in (FID, KID):
        assert all(np.isnan(v) for v in run(kind(extractor=small_extractor()), one, 1).values())


def test_pictures_are_rounded_to_8_bits() -> None:
    values = torch.tensor([0.0, 0.49, 0.51, 254.6, 255.0]) / 255
    assert to_8bit(values).tolist() == [0, 0, 1, 255, 255]


def test_metrics_of_the_same_pictures_run_the_network_once(
    pictures: tuple[Tensor, Tensor],
) -> None:
    true, made = pictures
    shared = small_extractor()
    metrics = [kind(extractor=shared) for kind in (FID, KID, InceptionScore)]
    for data, predictions in batches(true, made, [15, 14]):
        for metric in metrics:
            metric.process(data, predictions)
    assert shared.network.calls == 4  # two batches, generated and true


@pytest.mark.parametrize("sizes", SPLITS)
def test_kept_rows_fill_several_blocks(
    sizes: list[int], pictures: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    true, made = pictures
    parts = batches(true, made, sizes)
    whole = run(InceptionScore(extractor=small_extractor(), splits=4), parts, COUNT)
    monkeypatch.setattr(KeptBlocks, "BLOCK", 4)
    assert run(InceptionScore(extractor=small_extractor(), splits=4), parts, COUNT) == whole
