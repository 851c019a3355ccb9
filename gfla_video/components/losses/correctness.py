"""The sampling-correctness loss of the flow (paper Eq. 2-3; facts 1.5)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from gfla_video.components.losses.inputs import LossInputs, TransferLoss
from gfla_video.components.precision import in_float32
from gfla_video.ops import gaussian_warp
from gfla_video.registry import MODELS
from gfla_video.structures import resize_values_kept

EPS = 1e-8
SCORES = 16 * 2**20  # bytes of similarities at a time; larger blocks are no faster
SAMPLINGS = ("gaussian", "bilinear")


@torch.no_grad()
def best_similarity(source: Tensor, target: Tensor) -> Tensor:
    """Highest cosine of each target feature with any source feature (Eq. 3).

    Args:
        source: ``[B, C, h, w]``.
        target: ``[B, C, h, w]``.

    Returns:
        ``[B, h*w]``, without gradient. Target positions are compared with all of the source in
        blocks of bounded size (one block serves all): the N x N matrix is never in memory.
    """
    source = _unit(source.flatten(2))  # [B, C, N]
    target = _unit(target.flatten(2)).transpose(1, 2)  # [B, M, C]
    batch, count = target.shape[:2]
    row = batch * source.shape[2] * source.element_size()  # bytes of one target position
    rows = min(max(SCORES // max(row, 1), 1), count)
    scores = source.new_empty(batch, rows, source.shape[2])
    best = source.new_empty(batch, count)
    for start in range(0, count, rows):
        part = target[:, start : start + rows]
        found = torch.bmm(part, source, out=scores[:, : part.shape[1]])
        torch.amax(found, dim=2, out=best[:, start : start + rows])
    return best


def _unit(x: Tensor) -> Tensor:
    return x / (x.norm(dim=1, keepdim=True) + EPS)


def bilinear_zero_sample(source: Tensor, flow: Tensor) -> Tensor:
    """Bilinear sampling as the released option does it.

    Zero outside the map; the flow is normalised by 2 / size while the grid is normalised by
    2 / (size - 1) (facts 1.5), so a flow of one pixel moves (size - 1) / size pixels.

    Args:
        source: ``[B, C, h, w]``.
        flow: ``[B, 2, h, w]``.
    """
    height, width = flow.shape[-2:]
    x, y = (_released_grid(n, flow) for n in (width, height))
    grid = torch.stack(
        [x.view(1, 1, -1) + flow[:, 0] * 2 / width, y.view(1, -1, 1) + flow[:, 1] * 2 / height],
        dim=-1,
    )
    return F.grid_sample(source, grid, padding_mode="zeros", align_corners=True)


def _released_grid(count: int, like: Tensor) -> Tensor:
    """-1 ... 1 in single precision whatever the flow's type, as released."""
    steps = torch.arange(count, dtype=torch.float32, device=like.device)
    return (2 * steps / (count - 1) - 1).to(like.dtype)


@in_float32
def sampling_correctness(
    source: Tensor,
    target: Tensor,
    flow: Tensor,
    sampling: str = "gaussian",
    mask: Tensor | None = None,
) -> Tensor:
    """``mean_l exp(-mu(v_s,w(l), v_t(l)) / mu_max(l)) - 1/e`` at one scale (Eq. 2).

    Args:
        source: source features ``[B, C, h, w]``, constant.
        target: target features ``[B, C, h, w]``, constant.
        flow: ``[B, 2, h', w']``; resized by nearest neighbour, values kept, where sizes differ.
        sampling: ``gaussian`` (4 x 4 taps, sigma 2; released) or ``bilinear``.
        mask: ``[B, 1, H, W]`` positions that count, resized by nearest neighbour.

    Returns:
        A scalar; 0 where every target position samples its best match.
    """
    size = (target.shape[2], target.shape[3])
    flow = resize_values_kept(flow, size)
    best = best_similarity(source, target)
    if sampling == "gaussian":
        sampled = gaussian_warp(source, flow, window=4, sigma=2.0)
    else:
        sampled = bilinear_zero_sample(source, flow)
    similarity = F.cosine_similarity(sampled.flatten(2), target.flatten(2), dim=1, eps=EPS)
    value = torch.exp(-similarity / (best + EPS)) - math.exp(-1)  # [B, h*w]
    if mask is None:
        return value.mean()
    weight = F.interpolate(mask, size=size, mode="nearest").flatten(1)
    return (weight * value).sum() / (weight.sum() + EPS)


@MODELS.register_module()
class SamplingCorrectnessLoss(TransferLoss):
    """Sampling correctness summed over scales and references.

    The scale at level L is compared on the extractor's layer of role ``level<L>`` (VGG19: level 3 =
    relu4_1, level 2 = relu3_1).

    Args:
        weight: factor of the loss.
        sampling: ``gaussian`` or ``bilinear``.
        levels: the levels whose flow is judged; finer ones may be left out, as the comparison with
            every source position costs 16 times as much per level.
    """

    def __init__(
        self, weight: float = 1.0, sampling: str = "gaussian", levels: tuple[int, ...] = (3, 2)
    ) -> None:
        super().__init__(weight)
        if sampling not in SAMPLINGS:
            raise ValueError(f"sampling must be one of {', '.join(SAMPLINGS)}, got {sampling!r}")
        self.sampling = sampling
        self.levels = tuple(levels)
        roles = tuple(f"level{level}" for level in levels)
        self.needs = {"target": roles, "source": roles}

    def forward(self, inputs: LossInputs) -> Tensor:
        """A scalar."""
        total = inputs.target.new_zeros(())
        for flows, features in zip(inputs.flows, inputs.source_features, strict=True):
            for flow, level in zip(flows, inputs.levels, strict=True):
                for name in inputs.layers[f"level{level}"] if level in self.levels else ():
                    total = total + sampling_correctness(
                        features[name], inputs.target_features[name], flow, self.sampling
                    )
        return self.weight * total
