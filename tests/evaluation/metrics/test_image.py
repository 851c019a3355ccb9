"""Image metrics against scikit-image and plain formulas."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d, uniform_filter
from skimage.metrics import peak_signal_noise_ratio
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from gfla_video.evaluation import L1, MAE, MSSSIM, PSNR, SSIM, ForegroundL1
from gfla_video.registry import METRICS
from gfla_video.utils.errors import UserError
from tests.evaluation.metrics.pictures import batches, make_images, run, unit


def ssim_map(a: np.ndarray, b: np.ndarray, blur: Callable, data_range: float) -> np.ndarray:
    """The formula of Wang et al., population covariance; one channel in float64."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    ma, mb = blur(a), blur(b)
    va, vb, cov = blur(a * a) - ma**2, blur(b * b) - mb**2, blur(a * b) - ma * mb
    return (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))


def gaussian(picture: np.ndarray) -> np.ndarray:
    """11 x 11, sigma 1.5, the picture mirrored at its border (the border pixel repeated)."""
    kernel = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    for axis in (0, 1):
        picture = correlate1d(picture, kernel / kernel.sum(), axis=axis, mode="reflect")
    return picture


def standard_ssim(a: np.ndarray, b: np.ndarray, data_range: float = 1.0) -> float:
    """Gaussian window, without the border."""
    maps = [ssim_map(a[..., c], b[..., c], gaussian, data_range)[5:-5, 5:-5] for c in range(3)]
    return float(np.mean(maps))


def prediction_range_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """``ssim_256`` of GFLA, and PATN's."""
    return standard_ssim(a, b, b.max() - b.min())


def sample_covariance_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """A uniform window of 21, covariances divided by N - 1."""
    n = 21 * 21
    grow = n / (n - 1)
    values = []
    for c in range(3):
        x, y = a[..., c], b[..., c]
        mx, my = uniform_filter(x, 21), uniform_filter(y, 21)
        vx, vy = (grow * (uniform_filter(v * v, 21) - m**2) for v, m in ((x, mx), (y, my)))
        cov = grow * (uniform_filter(x * y, 21) - mx * my)
        top = (2 * mx * my + 1e-4) * (2 * cov + 9e-4)
        values.append((top / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4)))[10:-10, 10:-10])
    return float(np.mean(values))


def relative_error(a: np.ndarray, b: np.ndarray) -> float:
    """GFLA's MAE."""
    return float(np.abs(a - b).sum() / (a + b).sum())


@pytest.mark.parametrize(
    ("metric", "formula", "tolerance"),
    [
        (SSIM, standard_ssim, 1e-6),
        (partial(SSIM, data_range="prediction", name="ssim_256"), prediction_range_ssim, 1e-6),
        (
            partial(SSIM, window=21, sigma=None, sample_covariance=True),
            sample_covariance_ssim,
            1e-6,
        ),
        (MAE, relative_error, 1e-6),
        (L1, lambda a, b: float(np.abs(a - b).mean()), 1e-6),
        (PSNR, lambda a, b: peak_signal_noise_ratio(a, b, data_range=1.0), 1e-4),
    ],
)
def test_mean_over_pictures(
    metric: Callable, formula: Callable[[np.ndarray, np.ndarray], float], tolerance: float
) -> None:
    true, made = make_images(7)
    expected = np.mean([formula(unit(a), unit(b)) for a, b in zip(true, made, strict=True)])
    for sizes in ([7], [3, 3, 1], [1, 5, 1]):
        (value,) = run(metric(), batches(true, made, sizes), 7).values()
        assert value == pytest.approx(expected, abs=tolerance)


def test_ssim_agrees_with_torchmetrics() -> None:
    true, made = make_images(5)
    as_unit = [(images.clamp(-1, 1) + 1) / 2 for images in (made, true)]
    maps = structural_similarity_index_measure(
        *as_unit, data_range=1.0, reduction="none", return_full_image=True
    )[1]
    found = run(SSIM(), batches(true, made, [5]), 5)["ssim"]
    assert found == pytest.approx(float(maps[..., 5:-5, 5:-5].mean()), rel=1e-4)
    whole = np.mean(
        [
            ssim_map(unit(a)[..., c], unit(b)[..., c], gaussian, 1.0)
            for a, b in zip(true, made, strict=True)
            for c in range(3)
        ]
    )
    found = run(SSIM(border="reflect"), batches(true, made, [5]), 5)["ssim"]
    assert found == pytest.approx(whole, rel=1e-6)


def test_ms_ssim_agrees_with_torchmetrics() -> None:
    true, made = make_images(3, (64, 48))
    betas = (0.2, 0.3, 0.5)
    as_unit = [(images.clamp(-1, 1) + 1) / 2 for images in (made, true)]
    expected = multiscale_structural_similarity_index_measure(
        *as_unit, data_range=1.0, betas=betas, normalize="relu"
    )
    found = run(MSSSIM(betas=betas), batches(true, made, [2, 1]), 3)["ms_ssim"]
    assert found == pytest.approx(float(expected), rel=1e-5)
    with pytest.raises(UserError, match="5 scales need pictures of more than 160 pixels"):
        run(MSSSIM(), batches(true, made, [3]), 3)


def test_a_flat_prediction_has_no_similarity_in_its_own_range() -> None:
    true, _ = make_images(1)
    flat = torch.zeros_like(true)
    assert run(SSIM(data_range="prediction"), batches(true, flat, [1]), 1) == {"ssim": 0}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 51}, "a Gaussian window of sigma 1.5 is 11 wide, got window 51"),
        ({"window": 4, "sigma": None}, "must be odd and at least 3 wide, not 4"),
        ({"window": 7, "sigma": 0}, "sigma > 0"),
        ({"border": "zeros"}, "border must be 'crop' or 'reflect'"),
        ({"data_range": "truth"}, "a number or 'prediction', not truth"),
        ({"mask": "body"}, "mask must be 'mask', 'points' or None"),
    ],
)
def test_settings_of_ssim_that_are_none(settings: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        SSIM(**settings)


def test_pictures_smaller_than_the_window() -> None:
    true, made = make_images(1)
    with pytest.raises(UserError, match="window of 51 pixels does not fit into pictures of 32x40"):
        run(SSIM(window=51, sigma=None), batches(true, made, [1]), 1)


def test_equal_pictures() -> None:
    true, _ = make_images(2)
    parts = batches(true, true, [2])
    assert run(SSIM(), parts, 2)["ssim"] == pytest.approx(1)
    assert run(L1(), parts, 2) == {"l1": 0}
    assert run(PSNR(), parts, 2)["psnr"] == pytest.approx(100)


def test_foreground_l1_pools_the_pixels_of_both_people() -> None:
    true, made = make_images(5)
    target, source = (torch.rand(5, 1, 32, 40) > 0.7).float(), torch.zeros(5, 1, 32, 40)
    source[:, :, :10] = 1
    target[3], source[3] = 0, 0  # a picture without people weighs nothing
    parts = batches(true, made, [2, 3], foreground=target, source_foreground=source)
    errors = []
    for i in range(5):
        union = ((target[i] + source[i])[0] > 0).numpy()
        errors.append(np.abs(unit(true[i]) - unit(made[i])).mean(2)[union])
    expected = np.concatenate(errors).mean()
    assert run(ForegroundL1(), parts, 5)["foreground_l1"] == pytest.approx(expected, abs=1e-6)


def test_a_metric_starts_anew_after_evaluate() -> None:
    true, made = make_images(4)
    metric = METRICS.build({"type": "L1"})
    first = run(metric, batches(true, made, [4]), 4)
    run(metric, batches(true, true, [4]), 4)
    assert run(metric, batches(true, made, [3, 1]), 4) == pytest.approx(first)


def test_values_may_have_a_prefix() -> None:
    true, made = make_images(1)
    assert list(run(L1(prefix="val"), batches(true, made, [1]), 1)) == ["val/l1"]


def test_a_missing_input_is_one_sentence() -> None:
    true, made = make_images(1)
    ((data, predictions),) = batches(true, made, [1])
    with pytest.raises(UserError, match="ForegroundL1 needs the target 'foreground' and target"):
        ForegroundL1().process(data, predictions)
    with pytest.raises(UserError, match="L1 needs the prediction 'image'"):
        L1().process(data, [{"flows": []}])
    with pytest.raises(UserError, match="no sample"):
        L1().evaluate(0)


def test_an_optional_metric_is_left_out() -> None:
    true, made = make_images(2)
    assert run(ForegroundL1(optional=True), batches(true, made, [1, 1]), 2) == {}
