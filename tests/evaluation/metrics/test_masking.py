"""Metrics of the person alone: what lies outside the mask cannot move them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor

from gfla_video.evaluation import SSIM, InceptionScore, LPIPSMetric, body_mask
from gfla_video.utils.errors import UserError
from tests.evaluation.metrics.pictures import batches, make_images, run, small_extractor

SIZE = (64, 48)


def filled_outside(images: Tensor, mask: Tensor, value: float) -> Tensor:
    """Images in [-1, 1], of one value where the mask is 0."""
    return torch.where(mask > 0, images.clamp(-1, 1), torch.tensor(value))


def some_points(count: int) -> Tensor:
    points = torch.rand(count, 18, 3) * torch.tensor([SIZE[1], SIZE[0], 1.0])
    points[..., 2] = (torch.rand(count, 18) > 0.2).float()
    return points


@pytest.mark.parametrize("kind", ["ssim", "ssim of its own range", "lpips", "is"])
def test_a_mask_is_the_metric_of_pictures_filled_outside(kind: str, tmp_path: Path) -> None:
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), tmp_path / "s.pth")
    plain = {
        "ssim": lambda **more: SSIM(**more),
        "ssim of its own range": lambda **more: SSIM(data_range="prediction", **more),
        "lpips": lambda **more: LPIPSMetric(str(tmp_path / "s.pth"), **more),
        "is": lambda **more: InceptionScore(extractor=small_extractor(), splits=2, **more),
    }[kind]
    true, made = make_images(4, SIZE)
    points = some_points(4)
    drawn = torch.stack([torch.from_numpy(body_mask(p, SIZE)) for p in points.numpy()])[:, None]
    value = 0.0 if kind == "lpips" else -1.0  # grey, as the released program has it; else black
    filled = (filled_outside(images, drawn, value) for images in (true, made))
    parts = batches(*filled, [4], points=points, mask=drawn)
    expected = run(plain(), parts, 4)
    noisy = torch.where(drawn > 0, made, torch.randn_like(made))
    parts = batches(true, noisy, [3, 1], points=points, mask=drawn)
    for mask in ("mask", "points"):
        found = run(plain(mask=mask), parts, 4)
        assert list(found) == [f"mask_{name}" for name in expected]
        assert list(found.values()) == pytest.approx(list(expected.values()), rel=1e-5)


def test_a_picture_without_a_person_does_not_count() -> None:
    true, made = make_images(3)
    mask = torch.ones(3, 1, 32, 40)
    mask[1] = 0
    found = run(SSIM(mask="mask"), batches(true, made, [3], mask=mask), 3)["mask_ssim"]
    keep = torch.tensor([0, 2])
    expected = run(SSIM(), batches(true[keep], made[keep], [2]), 2)["ssim"]
    assert found == pytest.approx(expected, rel=1e-6)


def test_masks_that_do_not_fit_are_one_sentence() -> None:
    true, made = make_images(1)
    with pytest.raises(UserError, match="'mask' is 16x20 and the pictures are 32x40"):
        run(SSIM(mask="mask"), batches(true, made, [1], mask=torch.ones(1, 1, 16, 20)), 1)
    with pytest.raises(UserError, match="18 joints of a body, these samples have 68 points"):
        run(SSIM(mask="points"), batches(true, made, [1], points=torch.ones(1, 68, 3)), 1)
    with pytest.raises(UserError, match="SSIM needs the target 'mask'"):
        run(SSIM(mask="mask"), batches(true, made, [1]), 1)
