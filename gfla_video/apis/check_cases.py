"""What the install check computes: operators, sizes, layouts, extreme inputs, and its measure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from gfla_video.ops import bilinear_warp, gaussian_warp, local_attention, windowed_gather

EXTREME_FLOWS = (float("nan"), float("inf"), -float("inf"), 3e9, -3e9, 0.0)
INT32 = torch.iinfo(torch.int32)

Inputs = list[Tensor]
Operator = Callable[[Inputs, str], Tensor]


class Case(NamedTuple):
    """One size: source ``[batch, channels, *size]``, result ``[batch, channels, *out]``, K taps."""

    batch: int
    channels: int
    size: tuple[int, int]
    out: tuple[int, int]
    window: int
    layout: str  # of the source: contiguous, channels_last, transposed or sliced


CASES = (
    Case(2, 32, (16, 16), (16, 16), 4, "channels_last"),
    Case(1, 128, (24, 24), (24, 24), 6, "contiguous"),
    Case(3, 19, (7, 5), (9, 3), 3, "transposed"),
    Case(2, 33, (5, 12), (4, 4), 5, "sliced"),
    Case(1, 3, (1, 1), (2, 3), 2, "contiguous"),
    Case(0, 8, (4, 4), (4, 4), 2, "contiguous"),
)


def _gather(inputs: Inputs, backend: str) -> Tensor:
    return windowed_gather(inputs[0], inputs[1], inputs[2], backend=backend)


def _attention(inputs: Inputs, backend: str) -> Tensor:
    return local_attention(inputs[0], inputs[1], inputs[2], backend=backend)


def _gaussian(inputs: Inputs, backend: str) -> Tensor:
    return gaussian_warp(inputs[0], inputs[1], backend=backend)


def _bilinear(inputs: Inputs, backend: str) -> Tensor:
    return bilinear_warp(inputs[0], inputs[1], backend=backend)


OPERATORS: dict[str, Operator] = {
    "windowed_gather": _gather,
    "local_attention": _attention,
    "gaussian_warp": _gaussian,
    "bilinear_warp": _bilinear,
}


def run_operator(op: str, inputs: Inputs, upstream: Tensor, backend: str) -> list[Tensor]:
    """Result of an operator, and the gradients of every floating input under ``upstream``."""
    leaves = [x.detach().requires_grad_(x.is_floating_point()) for x in inputs]
    out = OPERATORS[op](leaves, backend)
    differentiable = [leaf for leaf in leaves if leaf.requires_grad]
    grads = torch.autograd.grad(out, differentiable, upstream.to(out.dtype))
    return [out.detach(), *grads]


def make_inputs(
    op: str, case: Case, dtype: torch.dtype, generator: torch.Generator
) -> tuple[Inputs, Tensor]:
    """Inputs of an operator and the gradient of its result, on the CPU.

    Flows are multiples of 1/16, so that positions are exact in every type and no floor differs;
    among them are NaN, infinite and huge ones, among the windows the farthest of int32.
    """
    batch, channels, out = case.batch, case.channels, case.out

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    source = _laid_out(random(batch, channels, *case.size).to(dtype), case.layout)
    upstream = random(batch, channels, *out).to(dtype)
    taps = random(batch, case.window**2, *out).div(case.window).to(dtype)
    if op == "windowed_gather":
        base = torch.randint(-9, max(case.size) + 9, (batch, 2, *out), generator=generator)
        extremes = torch.tensor([INT32.min, INT32.max])
        return [source, taps, _overwrite(base, extremes).to(torch.int32)], upstream
    flow = random(batch, 2, *out).mul(48).round().clamp(-120, 120).div(16)
    flow = _overwrite(flow, torch.tensor(EXTREME_FLOWS, dtype=torch.float64)).to(dtype)
    return ([source, taps, flow] if op == "local_attention" else [source, flow]), upstream


def _overwrite(values: Tensor, extremes: Tensor) -> Tensor:
    """Put the extremes at the start and the end of every batch."""
    if values.numel() == 0:
        return values
    flat = values.flatten(1)
    count = min(len(extremes), flat.shape[1] // 2)
    flat[:, :count] = extremes[:count].to(flat.dtype)
    flat[:, -count:] = extremes[:count].to(flat.dtype)
    return flat.view(values.shape)


def _laid_out(source: Tensor, layout: str) -> Tensor:
    """The same values with other strides."""
    if layout == "channels_last":
        return source.contiguous(memory_format=torch.channels_last)
    if layout == "transposed":
        return source.transpose(2, 3).contiguous().transpose(2, 3)
    if layout == "sliced":
        return source.repeat_interleave(2, dim=1).repeat_interleave(3, dim=3)[:, ::2, :, 1::3]
    return source


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copied to a device with its strides (``to`` would make a sliced tensor dense)."""
    if tensor.device == device or tensor.numel() == 0:
        return tensor.to(device)
    span = sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride(), strict=True))
    storage = torch.as_strided(tensor, (span + 1,), (1,), tensor.storage_offset())
    return torch.as_strided(storage.to(device), tensor.shape, tensor.stride(), 0)


def relative_error(ours: Tensor, true: Tensor) -> float:
    """Largest difference, relative to the largest true value or 1; infinite where not a number."""
    if ours.shape != true.shape:
        return float("inf")
    if true.numel() == 0:
        return 0.0
    scale = max(1.0, true.abs().max().item())
    found = (ours.double().cpu() - true).abs().max().item() / scale
    return found if found == found else float("inf")
