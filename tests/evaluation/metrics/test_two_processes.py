"""Two processes with an uneven split against one process and against the reference libraries."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import lpips
import numpy as np
import pytest
import torch
import torchvision
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from tests.evaluation.metrics.pictures import (
    COUNT,
    SmallNetwork,
    batches,
    pixels,
    run,
    run_in_two_processes,
    some_metrics,
    some_pictures,
    unit,
)

SCRIPT = """
import sys, json, torch, torch.distributed as dist
from mmengine.dataset import DefaultSampler
from pictures import some_metrics, some_pictures

rank, meeting, trunk = int(sys.argv[1]), sys.argv[2], sys.argv[3]
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
true, made = some_pictures()
metrics = some_metrics(trunk)
for count in map(int, sys.argv[4:]):
    indices = list(DefaultSampler(list(range(count)), shuffle=False))
    assert len(indices) == (count + 1) // 2
    values = {}
    for name, metric in metrics.items():
        for part in torch.tensor(indices).split(3):
            data = {"targets": {"image": true[part]}}
            metric.process(data, [{"image": image} for image in made[part]])
        values[name] = metric.evaluate(count)
    print("RESULT", json.dumps(values))
dist.barrier()
dist.destroy_process_group()
"""


def references(trunk: str) -> dict[str, float]:
    """The libraries' numbers of the same pictures."""
    true, made = some_pictures()

    class Pooled(SmallNetwork):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images)[0]

    fid = FrechetInceptionDistance(feature=Pooled())
    kid = KernelInceptionDistance(feature=Pooled(), subsets=1, subset_size=COUNT)
    for metric in (fid, kid):
        metric.update(pixels(true), real=True)
        metric.update(pixels(made), real=False)
    pairs = [(unit(a), unit(b)) for a, b in zip(true, made, strict=True)]
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    similar = [
        structural_similarity(a, b, data_range=1.0, channel_axis=2, **settings) for a, b in pairs
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = lpips.LPIPS(net="squeeze", pnet_rand=True, verbose=False).eval()
    weights = torch.load(trunk)
    for name, parameter in network.net.named_parameters():
        parameter.data.copy_(weights["features." + name.split(".", 1)[1]])
    with torch.no_grad():
        distance = network(made.clamp(-1, 1), true)
    return {
        "fid": float(fid.compute()),
        "kid": float(kid.compute()[0]),
        "ssim": float(np.mean(similar)),
        "psnr": float(np.mean([peak_signal_noise_ratio(a, b, data_range=1.0) for a, b in pairs])),
        "lpips": float(distance.mean()),
    }


@pytest.mark.slow
def test_as_one_process_and_as_the_libraries(tmp_path: Path, repo_root: Path) -> None:
    trunk = str(tmp_path / "trunk.pth")
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), trunk)
    counts = (3, COUNT)
    printed = run_in_two_processes(SCRIPT, tmp_path, repo_root, trunk, *map(str, counts))
    metrics, alone = some_metrics(trunk), {}
    for i, count in enumerate(counts):
        parts = batches(*(images[:count] for images in some_pictures()), [count])
        alone = {name: run(metric, parts, count) for name, metric in metrics.items()}
        for out in printed:
            lines = [line for line in out.splitlines() if line.startswith("RESULT")]
            for name, values in json.loads(lines[i].removeprefix("RESULT")).items():
                expected = pytest.approx(alone[name], rel=1e-5, abs=1e-7, nan_ok=True)
                assert values == expected, name
    for name, value in references(trunk).items():
        (found, *_) = alone[name].values()
        assert found == pytest.approx(value, rel=1e-3), name
