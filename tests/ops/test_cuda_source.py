"""The CUDA kernels: on the host without a GPU, as a library, on a GPU where there is one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from gfla_video.ops import native, windowed_gather

HOST = Path(__file__).parent / "cuda_host"
OPERATORS = ("windowed_gather", "windowed_gather_grad_source", "windowed_gather_grad_weights")


# ---- on the host: the same kernels, their threads simulated ----


@pytest.fixture(scope="session")
def harness(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of ``cuda_host``, which compares the kernels with plain loops."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler (g++ or clang++)")
    kernels = repo_root / "gfla_video" / "ops" / "csrc" / "cuda"
    program = tmp_path_factory.mktemp("cuda_host") / "harness"
    sources = [*sorted(kernels.glob("*.cu")), HOST / "simulator.cpp", HOST / "harness.cpp"]
    # GCC 12 crashes in its pass for scalar replacement of aggregates on these sources.
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"]
    flags += ["-fno-tree-sra"] if "g++" in Path(compiler).name.replace("clang++", "") else []
    command = [compiler, *flags, f"-I{HOST}", f"-I{kernels}", "-x", "c++", *map(str, sources)]
    done = subprocess.run([*command, "-o", str(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return program


def run_harness(program: Path, seed: int, cases: int, order: str) -> None:
    done = subprocess.run(
        [str(program), str(seed), str(cases)],
        env={**os.environ, "GFLA_ORDER": order},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"{cases} cases agree" in done.stdout


# Threads take turns in both orders: a difference would be a race in shared memory.
@pytest.mark.parametrize("order", ["forward", "backward"])
def test_kernels_agree_with_plain_loops_on_the_host(harness: Path, order: str) -> None:
    run_harness(harness, seed=1, cases=60, order=order)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_kernels_agree_in_many_cases_on_the_host(harness: Path, seed: int) -> None:
    run_harness(harness, seed, cases=500, order="forward")


# ---- the library, with or without a GPU ----


@pytest.fixture(scope="module")
def library() -> Path:
    """The compiled library, where the build record says that there is one."""
    entry = native.build_record().get("cuda", {})
    if not entry.get("built"):
        pytest.skip(f"the CUDA library was not built: {entry.get('reason') or 'no build record'}")
    found = native.find_library("cuda")
    assert found is not None, "the build record tells of a CUDA library, but it is not there"
    return found


def test_library_loads_and_serves_every_operator(library: Path) -> None:
    assert native.load("cuda") == ""
    for name in OPERATORS:
        assert torch._C._dispatch_has_kernel_for_dispatch_key(f"gfla_video::{name}", "CUDA"), name


def test_library_holds_the_recorded_architectures(library: Path) -> None:
    recorded = str(native.build_record()["cuda"].get("architectures", ""))
    wanted = {"".join(found) for found in re.findall(r"(\d+)\.(\d+)", recorded)}
    if not wanted:
        pytest.skip(f"the record names no architectures by number: {recorded!r}")
    inside = {found.decode() for found in re.findall(rb"sm_(\d+)", library.read_bytes())}
    assert wanted <= inside


# ---- on a GPU ----

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is visible")
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
# Relative to the norm of the right result, whose inputs are rounded to the type before.
TOLERANCE = {
    torch.float32: 1e-5,
    torch.float64: 1e-13,
    torch.float16: 1e-3,
    torch.bfloat16: 8e-3,
}


@pytest.fixture
def gpu() -> torch.device:
    """The GPU, with the library loaded."""
    reason = native.load("cuda")
    if reason:
        pytest.skip(reason)
    return torch.device("cuda")


class Sizes(NamedTuple):
    """Batch, channels, source, output and window of a case."""

    batch: int
    channels: int
    source: tuple[int, int]
    out: tuple[int, int]
    window: int


CASES = {
    "attention": Sizes(2, 128, (24, 20), (24, 20), 6),
    "small attention": Sizes(3, 256, (16, 16), (16, 16), 4),
    "gaussian": Sizes(2, 64, (9, 33), (17, 13), 4),
    "warp of RGB": Sizes(2, 3, (31, 29), (30, 37), 2),
    "odd windows": Sizes(1, 40, (13, 11), (11, 13), 5),
    "not aligned": Sizes(2, 33, (7, 9), (9, 7), 3),
    "many channels": Sizes(1, 300, (6, 5), (5, 6), 7),
    "one pixel": Sizes(2, 8, (1, 1), (1, 1), 6),
    "one output": Sizes(1, 16, (12, 12), (1, 1), 4),
    "wide window": Sizes(1, 4, (5, 5), (3, 3), 54),
}


def draw(sizes: Sizes, dtype: torch.dtype, flow: str) -> tuple[torch.Tensor, ...]:
    """Source, weights (channels last, accumulation type), base and a gradient on the CPU."""
    batch, channels, source_size, out_size, window = sizes
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    source = torch.randn(batch, channels, *source_size).to(dtype)
    weights = torch.randn(batch, *out_size, window**2).permute(0, 3, 1, 2).to(wide)
    grad = torch.randn(batch, channels, *out_size).to(dtype)
    grid = torch.stack(torch.meshgrid(*map(torch.arange, out_size), indexing="ij"))
    base = grid.flip(0).expand(batch, -1, -1, -1) - window // 2
    if flow == "smooth":
        base = base + torch.randint(0, 2, base.shape)
    elif flow == "wild":
        base = torch.randint(-window - 4, max(source_size) + 4, base.shape)
    elif flow == "extreme":
        ends = torch.tensor([-(2**31), 2**31 - 1, -1, 2])
        base = ends[torch.randint(0, 4, base.shape)]
    return source, weights, base.to(torch.int32), grad


def results(
    source: torch.Tensor, weights: torch.Tensor, base: torch.Tensor, grad: torch.Tensor, kind: str
) -> list[torch.Tensor]:
    """Output and both gradients of one backend."""
    source, weights = source.detach().requires_grad_(), weights.detach().requires_grad_()
    out = windowed_gather(source, weights, base, backend=kind)
    return [out.detach(), *torch.autograd.grad(out, (source, weights), grad)]


def expect_close(got: list[torch.Tensor], inputs: tuple[torch.Tensor, ...], what: str) -> None:
    """Compare with the reference in float64 on the CPU."""
    tolerance = TOLERANCE[inputs[0].dtype]
    source, weights, base, grad = (t.cpu() for t in inputs)
    right = results(source.double(), weights.double(), base, grad.double(), "reference")
    for name, one, other in zip(("out", "grad_source", "grad_weights"), got, right, strict=True):
        error = (one.cpu().double() - other).norm() / other.norm().clamp_min(1e-30)
        assert error <= tolerance, f"{what}: {name} is off by {error:.2e}"


@needs_gpu
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("flow", ["zero", "smooth", "wild", "extreme"])
def test_parity_on_a_gpu(gpu: torch.device, dtype: torch.dtype, flow: str) -> None:
    for name, sizes in CASES.items():
        inputs = tuple(t.to(gpu) for t in draw(sizes, dtype, flow))
        got = results(*inputs, "native")
        assert got[0].dtype == got[1].dtype == dtype
        expect_close(got, inputs, name)


@needs_gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_any_strides_on_a_gpu(gpu: torch.device, dtype: torch.dtype) -> None:
    source, weights, base, grad = (
        t.to(gpu) for t in draw(CASES["small attention"], dtype, "smooth")
    )
    shared_source = source[:1].contiguous(memory_format=torch.channels_last).expand_as(source)
    layouts = [
        (source, weights.contiguous().to(dtype), base, grad),
        (source.transpose(2, 3).contiguous().transpose(2, 3), weights, base.flip(3).flip(3), grad),
        (torch.cat([source, source], 1)[:, 1 : 1 + source.shape[1]], weights, base, grad),
        (shared_source, weights[:, :1].expand_as(weights), base, grad[:, :1].expand_as(grad)),
        (source.contiguous(memory_format=torch.channels_last)[..., 1:, 1:], weights, base, grad),
    ]
    for number, inputs in enumerate(layouts):
        expect_close(results(*inputs, "native"), inputs, f"layout {number}")


@needs_gpu
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_empty_on_a_gpu(gpu: torch.device, dtype: torch.dtype) -> None:
    for sizes in (Sizes(0, 8, (4, 4), (4, 4), 2), Sizes(2, 8, (4, 4), (0, 5), 2)):
        inputs = tuple(t.to(gpu) for t in draw(sizes, dtype, "zero"))
        out, grad_source, grad_weights = results(*inputs, "native")
        assert out.shape == (sizes.batch, sizes.channels, *sizes.out)
        assert grad_source.shape == inputs[0].shape and not grad_source.any()
        assert grad_weights.shape == inputs[1].shape


@needs_gpu
def test_values_that_are_not_finite_stay_where_they_are(gpu: torch.device) -> None:
    source, weights, base, grad = draw(CASES["attention"], torch.float32, "zero")
    source[0, 5, 7, 7], grad[1, 3, 9, 9] = torch.nan, torch.inf
    inputs = (source, weights, base, grad)
    right = results(*inputs, "reference")
    for got, expected in zip(results(*(t.to(gpu) for t in inputs), "native"), right, strict=True):
        assert torch.equal(got.cpu().isfinite(), expected.isfinite())


@pytest.fixture
def deterministic() -> Iterator[None]:
    """Deterministic algorithms for the length of a test."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(before)


@needs_gpu
@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_deterministic_mode_on_a_gpu(gpu: torch.device, dtype: torch.dtype) -> None:
    for name, sizes in CASES.items():
        for flow in ("smooth", "wild", "extreme"):
            inputs = tuple(t.to(gpu) for t in draw(sizes, dtype, flow))
            first = results(*inputs, "native")
            expect_close(first, inputs, name)
            for _ in range(3):
                assert all(map(torch.equal, first, results(*inputs, "native"))), name


@needs_gpu
@pytest.mark.parametrize("ordered", [False, True], ids=["scattered", "ordered"])
def test_graph_capture_on_a_gpu(gpu: torch.device, ordered: bool) -> None:
    sizes = CASES["attention"]
    source, weights, base, grad = (t.to(gpu) for t in draw(sizes, torch.float32, "smooth"))
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(ordered)
    try:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            results(source, weights, base, grad, "native")
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = results(source, weights, base, grad, "native")
    finally:
        torch.use_deterministic_algorithms(before)
    for flow in ("smooth", "wild"):
        fresh = draw(sizes, torch.float32, flow)
        for held, new in zip((source, weights, base, grad), fresh, strict=True):
            held.copy_(new)
        graph.replay()
        torch.cuda.synchronize()
        expect_close(captured, fresh, f"replay with a {flow} flow")


@needs_gpu
@pytest.mark.slow
def test_a_map_of_more_than_two_to_the_31_elements(gpu: torch.device) -> None:
    if torch.cuda.get_device_properties(gpu).total_memory < 40 * 2**30:
        pytest.skip("needs a GPU with 40 GiB")
    height, width, channels = 8192, 4100, 64
    source = torch.zeros(1, height, width, channels, dtype=torch.float16, device=gpu)
    source[:, -12:, -12:] = torch.randn(12, 12, channels, device=gpu)
    source = source.permute(0, 3, 1, 2)
    _, weights, base, grad = draw(Sizes(1, channels, (12, 12), (8, 8), 4), source.dtype, "smooth")
    weights, base, grad = weights.to(gpu), base.to(gpu).clamp_min(0), grad.to(gpu)
    offset = torch.tensor([width - 12, height - 12], device=gpu).view(1, 2, 1, 1)
    got = results(source, weights, (base + offset).to(torch.int32), grad, "native")
    got[1] = got[1][:, :, -12:, -12:]
    expect_close(got, (source[:, :, -12:, -12:], weights, base, grad), "the far corner")
