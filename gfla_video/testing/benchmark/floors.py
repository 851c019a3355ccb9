"""The least that a computation costs: bytes moved once, arithmetic, and what the machine can do.

The floor of a variant is the longer of two times: its bytes at the measured copy bandwidth, its
operations at the rate that a large matrix product or a large 3 x 3 convolution of the same type
reaches, whichever is faster (on some processors the one, on some the other library is better).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

_COPY_BYTES = {"cpu": 256 << 20, "cuda": 1 << 30}
_MATMUL_SIZE = {"cpu": 2048, "cuda": 8192}
_CONVOLUTION_BATCH = {"cpu": 1, "cuda": 64}  # of 256 channels, 64 x 64


def nbytes(*tensors: Tensor | None) -> int:
    """Bytes of all tensors together."""
    return sum(t.numel() * t.element_size() for t in tensors if t is not None)


def parameter_bytes(*networks: nn.Module) -> int:
    """Bytes of the parameters and buffers of all networks."""
    return sum(nbytes(*n.parameters(), *n.buffers()) for n in networks)


def count_flops(run: Callable[[], object]) -> int:
    """Operations (a multiply-add is two) in the convolutions and matrix products of one run."""
    counter = FlopCounterMode(display=False)
    with counter:
        run()
    return int(counter.get_total_flops())


def gather_flops(taps: int, channels: int, positions: int) -> int:
    """Operations of a windowed gather: one multiply-add per tap, channel and position."""
    return 2 * taps * channels * positions


class Rates:
    """What the machine reaches on a plain copy, a matrix product and a convolution, measured once.

    Args:
        device: which machine.
        quick: smaller sizes, for tests.
    """

    def __init__(self, device: torch.device, quick: bool = False) -> None:
        self.device = device
        shrink = 16 if quick else 1
        copied = _COPY_BYTES.get(device.type, 64 << 20) // shrink
        self._size = max(_MATMUL_SIZE.get(device.type, 1024) // (8 if quick else 1), 64)
        self.copy_bytes_per_second = self._copy(copied)
        self._channels = 256 // (8 if quick else 1)
        self.matmul_flops_per_second: dict[str, float] = {}
        self.convolution_flops_per_second: dict[str, float] = {}

    def _best(self, run: Callable[[], object]) -> float:
        """Median seconds of a few runs after a warm one."""
        samples = []
        for _ in range(6):
            self._wait()
            started = time.perf_counter()
            run()
            self._wait()
            samples.append(time.perf_counter() - started)
        return statistics.median(samples[1:])

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _copy(self, size: int) -> float:
        """Bytes read plus bytes written per second."""
        there = torch.zeros(size // 4, device=self.device)
        here = torch.empty_like(there)
        return 2 * nbytes(there) / self._best(lambda: here.copy_(there))

    def arithmetic(self, dtype: torch.dtype) -> float:
        """Operations per second that this type can reach (measured at first use)."""
        name = str(dtype).removeprefix("torch.")
        if name not in self.matmul_flops_per_second:
            with torch.inference_mode(), _as_convolutions_round(self.device):
                self.matmul_flops_per_second[name] = self._matmul(dtype)
                self.convolution_flops_per_second[name] = self._convolution(dtype)
        return max(self.matmul_flops_per_second[name], self.convolution_flops_per_second[name])

    def _matmul(self, dtype: torch.dtype) -> float:
        n = self._size
        a, b = (torch.ones(n, n, device=self.device, dtype=dtype) for _ in range(2))
        return 2 * n**3 / self._best(lambda: torch.mm(a, b))

    def _convolution(self, dtype: torch.dtype) -> float:
        c, batch = self._channels, _CONVOLUTION_BATCH.get(self.device.type, 1)
        layer = nn.Conv2d(c, c, 3, padding=1, bias=False)
        layer = layer.to(self.device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        maps = torch.ones(batch, c, 64, 64, device=self.device, dtype=dtype)
        maps = maps.to(memory_format=torch.channels_last)
        return 2 * 9 * c * c * maps[:, 0].numel() / self._best(lambda: layer(maps))

    def floor(self, flops: int, moved: int, dtype: torch.dtype) -> dict[str, Any]:
        """The floor in seconds and which of the two it is.

        Args:
            flops: operations.
            moved: bytes that must be read or written once.
            dtype: type of the arithmetic.
        """
        arithmetic = flops / self.arithmetic(dtype) if flops else 0.0
        memory = moved / self.copy_bytes_per_second
        return {
            "seconds": max(arithmetic, memory),
            "bound_by": "arithmetic" if arithmetic > memory else "memory",
        }

    def as_dict(self) -> dict[str, Any]:
        """What was measured, for the file."""
        return {
            "copy_bytes_per_second": self.copy_bytes_per_second,
            "matmul_flops_per_second": dict(self.matmul_flops_per_second),
            "convolution_flops_per_second": dict(self.convolution_flops_per_second),
            "matmul_size": self._size,
        }


@contextmanager
def _as_convolutions_round(device: torch.device) -> Iterator[None]:
    """float32 products with the precision that torch gives float32 convolutions there (TF32)."""
    if device.type != "cuda" or not torch.backends.cudnn.allow_tf32:
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
