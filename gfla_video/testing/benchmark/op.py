"""The windowed gather alone, native against plain torch. Needs torch and ``gfla_video.ops``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from gfla_video.ops import window_base, windowed_gather
from gfla_video.testing.benchmark.cases import (
    DTYPES,
    FORMATS,
    Case,
    Settings,
    Variant,
    without_gradients,
)
from gfla_video.testing.benchmark.floors import gather_flops, nbytes

REACH = 4.0  # standard deviation of the flow in feature pixels


class Size(NamedTuple):
    """Channels, height, width and the attention's kernel size k (the gather's window is k + 1)."""

    channels: int
    height: int
    width: int
    kernel: int

    def __str__(self) -> str:
        return f"C={self.channels} {self.height}x{self.width} k={self.kernel}"


# Fashion's two blocks, Market's one, and an even kernel
SIZES = (Size(128, 64, 64, 5), Size(256, 32, 32, 3), Size(128, 32, 16, 3), Size(128, 64, 64, 4))
QUICK_SIZES = (Size(8, 12, 10, 3),)
WINDOWS = {2: "bilinear", 4: "Gaussian"}  # other uses of the op, at the first size


def sizes(settings: Settings) -> tuple[Size, ...]:
    """What is measured."""
    return QUICK_SIZES if settings.quick else SIZES


def random_flow(batch: int, size: Size, settings: Settings) -> Tensor:
    """Flows of a few pixels, smooth neither in truth nor here: ``[B, 2, h, w]`` float32."""
    flow = torch.randn(batch, 2, size.height, size.width)
    return (flow * REACH).to(settings.device)


def gather_cases(settings: Settings) -> Iterator[Case]:
    """Forward, and forward with backward, for every size and batch."""
    chosen = sizes(settings)
    for batch in settings.batches or (1,):
        for size in chosen:
            yield from _cases_of(size, size.kernel + 1, "attention", batch, settings)
        for window, use in WINDOWS.items():
            yield from _cases_of(chosen[0], window, use, batch, settings)


def _cases_of(size: Size, window: int, use: str, batch: int, settings: Settings) -> Iterator[Case]:
    torch.manual_seed(settings.seed)
    dtype, device = DTYPES[settings.dtype], settings.device
    shape = (batch, size.channels, size.height, size.width)
    weights = torch.rand(batch, window**2, size.height, size.width, device=device).to(dtype)
    weights = weights.to(memory_format=torch.channels_last)
    flow = random_flow(batch, size, settings)
    base = window_base(flow + _grid(flow), (size.height, size.width), window, (window - 1) // 2)
    about = {
        "window": window,
        "use": use,
        "batch": batch,
        "dtype": settings.dtype,
        **size._asdict(),
    }
    title = f"gather K={window} ({use}) C={size.channels} {size.height}x{size.width} batch {batch}"
    flops = gather_flops(window**2, size.channels, batch * size.height * size.width)
    for backward in (False, True):
        variants = {}
        for layout in settings.formats:
            source = torch.randn(shape, device=device).to(dtype)
            source = source.to(memory_format=FORMATS[layout])
            for backend in ("reference", "native"):
                variants[f"{_name(backend)} {layout}"] = _variant(
                    source, weights, base, backward, backend, flops, dtype
                )
        yield Case(
            f"{title} {'forward+backward' if backward else 'forward'}",
            {**about, "backward": backward},
            variants,
            [(f"plain {layout}", f"native {layout}") for layout in settings.formats],
        )


def _grid(flow: Tensor) -> Tensor:
    """Every position's own (x, y): ``[1, 2, h, w]``."""
    height, width = flow.shape[-2:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y]).unsqueeze(0).to(flow)


def _name(backend: str) -> str:
    return "plain" if backend == "reference" else backend


def _variant(
    source: Tensor,
    weights: Tensor,
    base: Tensor,
    backward: bool,
    backend: str,
    flops: int,
    dtype: torch.dtype,
) -> Variant:
    """One run; the bytes are each tensor once (backward reads the inputs again)."""
    forward = 2 * nbytes(source) + nbytes(weights, base)  # the result is as large as the source
    if not backward:
        run = without_gradients(lambda: windowed_gather(source, weights, base))
        return Variant(run, backend, forward, flops, dtype=dtype)
    leaves = (source.detach().clone().requires_grad_(), weights.detach().clone().requires_grad_())
    upstream = torch.randn_like(source)

    def both() -> object:
        return torch.autograd.grad(windowed_gather(*leaves, base), leaves, upstream)

    # read the upstream gradient, source, weights, base; write both gradients
    moved = forward + 3 * nbytes(source) + 2 * nbytes(weights) + nbytes(base)
    return Variant(both, backend, moved, 3 * flops, dtype=dtype)
