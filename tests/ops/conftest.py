"""Both backends, for every test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from gfla_video.ops import load_native, using_backend


@pytest.fixture(params=["reference", "native"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a backend that ``auto`` means during the test."""
    if request.param == "native" and (reason := load_native("cpu")):
        pytest.skip(reason)
    with using_backend(request.param):
        yield request.param


@pytest.fixture
def native() -> None:
    """Skips where the CPU kernels are not built."""
    if reason := load_native("cpu"):
        pytest.skip(reason)


@pytest.fixture
def gather_case() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A channels-last source 9 x 7 of 37 channels, windows of 4 x 4, output 6 x 5."""
    source = torch.randn(2, 37, 9, 7).to(memory_format=torch.channels_last)
    weights = torch.randn(2, 16, 6, 5)
    base = torch.randint(-6, 11, (2, 2, 6, 5), dtype=torch.int32)
    return source, weights, base
