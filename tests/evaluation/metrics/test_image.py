"""Image metrics against scikit-image and plain formulas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from gfla_video.evaluation import L1, PSNR, SSIM, ForegroundL1
from gfla_video.registry import METRICS
from gfla_video.utils.errors import UserError

Batch = tuple[dict, list[dict]]


def make_images(count: int, size: tuple[int, int] = (32, 40)) -> tuple[Tensor, Tensor]:
    """Smooth random pictures in [-1, 1] and noisy copies of them, some values beyond the range."""
    coarse = torch.rand(count, 3, 8, 8) * 2 - 1
    true = torch.nn.functional.interpolate(coarse, size, mode="bilinear")
    return true, true + 0.3 * torch.randn_like(true) * torch.rand(count, 1, 1, 1)


def batches(true: Tensor, made: Tensor, sizes: list[int], **more: Tensor) -> list[Batch]:
    """Cut into batches of uneven sizes."""
    assert sum(sizes) == len(true)
    result, start = [], 0
    for size in sizes:
        part = slice(start, start + size)
        targets = {"image": true[part], **{key: value[part] for key, value in more.items()}}
        result.append(({"targets": targets}, [{"image": image} for image in made[part]]))
        start += size
    return result


def run(metric: object, parts: list[Batch], size: int) -> dict[str, float]:
    """Feed all batches and evaluate."""
    for data, predictions in parts:
        metric.process(data, predictions)
    return metric.evaluate(size)


def unit(image: Tensor) -> np.ndarray:
    """[3, H, W] in [-1, 1] -> [H, W, 3] in [0, 1], float64."""
    return np.clip((image.permute(1, 2, 0).double().numpy() + 1) / 2, 0, 1)


def skimage_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """The standard Gaussian window."""
    return structural_similarity(
        a,
        b,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        channel_axis=2,
    )


@pytest.mark.parametrize(
    ("metric", "formula", "tolerance"),
    [
        (SSIM, skimage_ssim, 1e-4),
        (L1, lambda a, b: float(np.abs(a - b).mean()), 1e-6),
        (PSNR, lambda a, b: peak_signal_noise_ratio(a, b, data_range=1.0), 1e-4),
    ],
)
def test_mean_over_pictures(
    metric: type, formula: Callable[[np.ndarray, np.ndarray], float], tolerance: float
) -> None:
    true, made = make_images(7)
    expected = np.mean([formula(unit(a), unit(b)) for a, b in zip(true, made, strict=True)])
    for sizes in ([7], [3, 3, 1], [1, 5, 1]):
        (value,) = run(metric(), batches(true, made, sizes), 7).values()
        assert value == pytest.approx(expected, abs=tolerance)


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
