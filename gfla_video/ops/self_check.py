"""The one-time check that native kernels compute what the reference does."""

from __future__ import annotations

import threading

import torch
from torch import Tensor

from gfla_video.ops.native import gather_native
from gfla_video.ops.reference import gather_reference

# relative to the largest true value, or to 1; half types round their results only
TOLERANCES = {
    torch.float64: 1e-12,
    torch.float32: 1e-4,
    torch.float16: 2e-2,
    torch.bfloat16: 1e-1,
}
# Channels and K. What a network has (K = 2, 4 and 6 are kernels of their own on CUDA; 232 channels
# need every width of vectors on the CPU), and a number of channels that fits no vector.
SIZES = ((232, 6), (64, 4), (64, 2), (19, 3))


def must_wait(device_type: str) -> bool:
    """Whether the device records a graph at this moment, which a check would break."""
    module = getattr(torch, device_type, None)
    capturing = getattr(module, "is_current_stream_capturing", None)
    return bool(capturing and capturing())


def problem(device: torch.device, dtype: torch.dtype) -> str:
    """Compare both on small cases, forward and backward.

    Runs in a thread of its own, so that no autocast, inference or tracing mode of the caller
    reaches it.

    Returns:
        What is wrong, in a sentence; empty where all is well.
    """
    if dtype not in TOLERANCES:
        return f"there are no kernels for {dtype}"
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(_compare_all(device, dtype)))
    thread.start()
    thread.join()
    return found[0] if found else "its self-check did not finish"


def _compare_all(device: torch.device, dtype: torch.dtype) -> str:
    return next(filter(None, (_compare(device, dtype, *size) for size in SIZES)), "")


def _compare(device: torch.device, dtype: torch.dtype, channels: int, window: int) -> str:
    try:
        case = [tensor.to(device) for tensor in _case(dtype, channels, window)]
        ours, true = (_results(gather, case) for gather in (gather_native, gather_reference))
    except (RuntimeError, ValueError) as error:
        return f"its self-check failed ({str(error).splitlines()[0]})"
    for name, left, right in zip(("result", "source", "weights"), ours, true, strict=True):
        scale = max(1.0, right.abs().max().item())
        difference = (left.double() - right.double()).abs().max().item() / scale
        if not difference <= TOLERANCES[dtype]:
            what = "result" if name == "result" else f"gradient of {name}"
            return f"its self-check failed in {dtype}: the {what} is wrong by {difference:.2g}"
    return ""


def _case(dtype: torch.dtype, channels: int, window: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A source, weights, windows that overlap, lie apart and reach outside, upstream gradient."""
    generator = torch.Generator().manual_seed(0)
    source = torch.randn(2, channels, 5, 4, generator=generator).to(dtype)
    weights = torch.randn(2, window**2, 3, 6, generator=generator).to(dtype)
    base = torch.randint(-4, 6, (2, 2, 3, 6), generator=generator, dtype=torch.int32)
    base[0] = torch.stack(torch.meshgrid(torch.arange(6), torch.arange(3), indexing="xy")) - 2
    upstream = torch.randn(2, channels, 3, 6, generator=generator).to(dtype)
    return source, weights, base, upstream


def _results(gather: object, case: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    source, weights = (tensor.clone().requires_grad_() for tensor in case[:2])
    out = gather(source, weights, case[2])  # type: ignore[operator]
    grads = torch.autograd.grad(out, (source, weights), case[3])
    return (out.detach(), *grads)
