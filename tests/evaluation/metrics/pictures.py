"""Pictures, networks and processes that the tests of the metrics share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gfla_video.evaluation import (
    FID,
    KID,
    MAE,
    MSSSIM,
    PSNR,
    SSIM,
    FeatureExtractor,
    InceptionScore,
    LPIPSMetric,
    StreamingMetric,
)

Batch = tuple[dict, list[dict]]
COUNT = 27  # 14 and 14 of two processes: the last one is a repetition
BATCH = 8  # whose incomplete last one is dropped by some of some_metrics


def make_images(count: int, size: tuple[int, int] = (32, 40)) -> tuple[Tensor, Tensor]:
    """Smooth random pictures in [-1, 1] and noisy copies of them, some values beyond the range."""
    coarse = torch.rand(count, 3, 8, 8) * 2 - 1
    true = nn.functional.interpolate(coarse, size, mode="bilinear")
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


def pixels(images: Tensor) -> Tensor:
    """Images in [-1, 1] as uint8, rounded."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().byte()


class SmallNetwork(nn.Module):
    """A random network of two layers: 12 features, 5 classes; counts how often it runs."""

    num_features = 12

    def __init__(self, seed: int = 3) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.first, self.second, self.head = (
            nn.Parameter(torch.randn(*shape, generator=generator))
            for shape in ((8, 3, 5, 5), (12, 16), (5, 12))
        )
        self.calls = 0

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 [B, 3, H, W] -> features [B, 12], logits [B, 5]."""
        self.calls += 1
        maps = nn.functional.conv2d(pictures.float() / 255 - 0.5, self.first, stride=3).relu()
        described = torch.cat([maps.mean((2, 3)), maps.std((2, 3))], dim=1)
        pooled = described @ self.second.T
        return pooled, pooled @ self.head.T


def small_extractor(seed: int = 3) -> FeatureExtractor:
    """The network above as metrics take it."""
    return FeatureExtractor(SmallNetwork(seed), f"small {seed}")


def run_in_two_processes(script: str, folder: Path, root: Path, *arguments: str) -> list[str]:
    """Run a script twice at once, with a rank (0, 1), a file to meet at, and ``arguments``.

    Returns:
        what the two printed.
    """
    path = folder / "two.py"
    path.write_text(script)
    paths = [str(root), str(Path(__file__).parent)]  # the latter for what is in this file
    running = [
        subprocess.Popen(
            [sys.executable, str(path), str(rank), str(folder / "meeting"), *arguments],
            cwd=folder,  # MMEngine gathers through a folder that it makes there
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=240) for process in running]
    for process, (_, errors) in zip(running, outputs, strict=True):
        assert process.returncode == 0, errors
    return [printed for printed, _ in outputs]


def some_pictures() -> tuple[torch.Tensor, torch.Tensor]:
    """The same true and generated pictures in every process."""
    torch.manual_seed(5)
    true, made = make_images(COUNT, (48, 40))
    return true, made * 0.8 - 0.1


def some_metrics(trunk: str) -> dict[str, StreamingMetric]:
    """Every metric whose state is of its own kind, and the ones that are sums."""
    shared = small_extractor()
    return {
        "fid": FID(extractor=shared),
        "fid of whole batches": FID(extractor=shared, whole_batches=BATCH),
        "kid": KID(extractor=shared, subsets=3, subset_size=COUNT),
        "kid of subsets": KID(extractor=shared, subsets=4, subset_size=9),
        "is": InceptionScore(extractor=shared, splits=4),
        "ssim": SSIM(),
        "ssim_51": SSIM(window=31, sigma=None, sample_covariance=True),
        "ms_ssim": MSSSIM(betas=(0.5, 0.5)),
        "psnr": PSNR(),
        "psnr of whole batches": PSNR(whole_batches=BATCH),
        "mae": MAE(),
        "lpips": LPIPSMetric(trunk),
    }
