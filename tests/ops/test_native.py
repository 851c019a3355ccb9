"""The native operator in PyTorch's dispatcher: opcheck, compile, export, determinism."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gfla_video.components.attention import LocalAttention
from gfla_video.ops import gaussian_warp, local_attention, using_backend, windowed_gather

pytestmark = pytest.mark.usefixtures("native")
Case = tuple[Tensor, Tensor, Tensor]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_opcheck(gather_case: Case, dtype: torch.dtype, layout: torch.memory_format) -> None:
    """Schema, autograd registration, fake kernels and AOT dispatch with dynamic shapes."""
    source, weights, base = gather_case
    source = source.to(dtype).contiguous(memory_format=layout)
    weights = weights.to(dtype)
    operators = torch.ops.gfla_video
    leaves = (source.clone().requires_grad_(), weights.clone().requires_grad_(), base)
    torch.library.opcheck(operators.windowed_gather, leaves)
    grad = torch.randn(2, 37, 6, 5).to(dtype)
    torch.library.opcheck(operators.windowed_gather_grad_source, (grad, weights, base, 9, 7))
    torch.library.opcheck(operators.windowed_gather_grad_weights, (grad, source, base, 4))


class Sampler(nn.Module):
    """A convolution, the attention's sampling and a Gaussian warp."""

    def __init__(self) -> None:
        super().__init__()
        self.to_kernel = nn.Conv2d(8, 9, 3, padding=1)

    def forward(self, source: Tensor, flow: Tensor) -> Tensor:
        """``[B, 8, H, W]`` twice."""
        attention = torch.softmax(self.to_kernel(source), dim=1)
        return local_attention(source, attention, flow) + gaussian_warp(source, flow)


@pytest.mark.slow
def test_compile_of_the_whole_graph() -> None:
    """One graph without a break; values and gradients as without compilation."""
    model = Sampler()
    source = torch.randn(2, 8, 6, 7, requires_grad=True)
    flow = (torch.randn(2, 2, 6, 7) * 2).requires_grad_()
    compiled = torch.compile(model, fullgraph=True)
    inputs = (source, flow, model.to_kernel.weight)
    out, true = compiled(source, flow), model(source, flow)
    torch.testing.assert_close(out, true)
    upstream = torch.randn_like(true)
    for ours, right in zip(
        torch.autograd.grad(out, inputs, upstream),
        torch.autograd.grad(true, inputs, upstream),
        strict=True,
    ):
        torch.testing.assert_close(ours, right, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_export(tmp_path: Path, layout: torch.memory_format) -> None:
    """The exported program holds the operator, is saved, loaded and run at another batch size."""
    model = Sampler().eval()
    batch = torch.export.Dim("batch", min=1, max=8)
    example = (torch.randn(2, 8, 6, 7).to(memory_format=layout), torch.randn(2, 2, 6, 7))
    program = torch.export.export(model, example, dynamic_shapes=({0: batch}, {0: batch}))
    names = {str(node.target) for node in program.graph.nodes}
    assert "gfla_video.windowed_gather.default" in names
    torch.export.save(program, tmp_path / "sampler.pt2")
    loaded = torch.export.load(tmp_path / "sampler.pt2").module()
    source = torch.randn(3, 8, 6, 7).to(memory_format=layout)
    flow = torch.randn(3, 2, 6, 7)
    torch.testing.assert_close(loaded(source, flow), model(source, flow))


def test_fake_kernels_lay_out_as_the_real_ones(gather_case: Case) -> None:
    source, weights, base = gather_case
    real = windowed_gather(source, weights, base, backend="native")
    on_meta = (x.to("meta") for x in (source, weights, base))
    fake = torch.ops.gfla_video.windowed_gather(*on_meta)
    assert (fake.shape, fake.stride(), fake.dtype) == (real.shape, real.stride(), real.dtype)


def gradients(case: Case, upstream: Tensor) -> tuple[Tensor, ...]:
    """Of the native gather in source and weights."""
    source, weights = (x.clone().requires_grad_() for x in case[:2])
    out = windowed_gather(source, weights, case[2], backend="native")
    return torch.autograd.grad(out, (source, weights), upstream)


def test_the_same_bits_for_any_number_of_threads() -> None:
    """The scatter owns channels, so even its sums do not depend on the threads."""
    torch.use_deterministic_algorithms(True)
    before = torch.get_num_threads()
    source, weights = torch.randn(1, 70, 40, 40), torch.randn(1, 36, 40, 40)
    case = (source, weights, torch.randint(-3, 40, (1, 2, 40, 40), dtype=torch.int32))
    upstream = torch.randn(1, 70, 40, 40)
    try:
        results = []
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append(gradients(case, upstream))
    finally:
        torch.set_num_threads(before)
        torch.use_deterministic_algorithms(False)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_differentiable_once_only(gather_case: Case) -> None:
    """A second derivative is refused, not silently wrong."""
    for name in ("native", "reference"):
        source, weights = (x.clone().requires_grad_() for x in gather_case[:2])
        out = windowed_gather(source, weights, gather_case[2], backend=name)
        (grad,) = torch.autograd.grad(out.square().sum(), source, create_graph=True)
        with pytest.raises(RuntimeError, match="differentiable once|once_differentiable"):
            grad.sum().backward()


def test_both_backends_give_one_network(gather_case: Case) -> None:
    """The attention block with either backend, forward and backward, in float64."""
    block = LocalAttention(6, 3, hidden=8).double()
    source, target = (torch.randn(2, 6, 9, 7, dtype=torch.float64) for _ in range(2))
    flow = torch.randn(2, 2, 9, 7, dtype=torch.float64) * 3
    results = []
    for name in ("native", "reference"):
        leaves = [x.clone().requires_grad_() for x in (source, target, flow)]
        with using_backend(name):
            out = block(block.encode_source(leaves[0]), leaves[1], leaves[2])
        grads = torch.autograd.grad(out.square().sum(), (*leaves, *block.parameters()))
        results.append((out.detach(), *grads))
    for ours, true in zip(*results, strict=True):
        torch.testing.assert_close(ours, true, rtol=0, atol=1e-12)
