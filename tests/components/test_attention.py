"""Local attention against the golden numbers and the literal formulation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from gfla_video.apis.convert import convert_checkpoint
from gfla_video.apis.load import load_network
from gfla_video.components.attention import LocalAttention, replicate_pad
from gfla_video.ops import bilinear_warp
from gfla_video.testing.literal import literal_attention


def golden_block(folder: Path, name: str, tmp_path: Path) -> LocalAttention:
    """The released block, through the converter."""
    convert_checkpoint("pose", folder / f"{name}_attn.pth", tmp_path / f"{name}.pth")
    block = load_network(tmp_path / f"{name}.pth", "attention")
    assert isinstance(block, LocalAttention)
    return block


@pytest.mark.parametrize("name", ["k3", "k5", "k4"])
def test_golden(golden: Callable, tmp_path: Path, name: str) -> None:
    case, arrays, folder = golden("op_local_attention")
    block = golden_block(folder, name, tmp_path).double()
    source, target, flow = (
        torch.from_numpy(arrays[f"{name}.{key}"]).double().requires_grad_()
        for key in ("source", "target", "flow")
    )
    encoded = block.encode_source(source)
    attention = block.predict_kernel(encoded, target, flow)
    out = block(encoded, target, flow)
    out.backward(torch.from_numpy(arrays[f"{name}.upstream"]).double())

    def check(ours: torch.Tensor | None, key: str, tolerance: float) -> None:
        assert ours is not None
        true = torch.from_numpy(arrays[f"{name}.{key}"])
        torch.testing.assert_close(ours.detach(), true, rtol=0, atol=tolerance)

    value, gradient = case["tolerance"]["f64_out_attn"], case["tolerance"]["f64_grads"]
    check(out, "out_f64", value)
    check(attention, "attn_f64", value)
    for tensor, key in ((source, "source"), (target, "target"), (flow, "flow")):
        check(tensor.grad, f"grad_{key}_f64", gradient)
    parameters = "grad_param.fully_connect_layer"
    if name == "k4":  # the case holds no gradients of its parameters
        return
    first = torch.cat([block.target_conv.weight.grad, block.source_conv.weight.grad], dim=1)
    check(first, f"{parameters}.0.weight_f64", gradient)
    check(block.target_conv.bias.grad, f"{parameters}.0.bias_f64", gradient)
    check(block.to_kernel.weight.grad, f"{parameters}.2.weight_f64", gradient)
    check(block.to_kernel.bias.grad, f"{parameters}.2.bias_f64", gradient)


@pytest.mark.parametrize("name", ["k3", "k5", "k4"])
def test_golden_single_precision(golden: Callable, tmp_path: Path, name: str) -> None:
    case, arrays, folder = golden("op_local_attention")
    block = golden_block(folder, name, tmp_path)
    source, target, flow = (
        torch.from_numpy(arrays[f"{name}.{key}"]) for key in ("source", "target", "flow")
    )
    out = block(block.encode_source(source), target, flow)
    true = torch.from_numpy(arrays[f"{name}.out_f32"])
    torch.testing.assert_close(out.detach(), true, rtol=0, atol=case["tolerance"]["f32"])


@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_literal(kernel: int) -> None:
    """Values and all gradients equal those of the materialised formulation."""
    block = LocalAttention(3, kernel, hidden=16).double()
    leaves = [torch.randn(2, c, 7, 6, dtype=torch.float64) for c in (3, 3, 2)]
    leaves[2] = leaves[2] * 6
    leaves[2][1, :, 2] = -3.0
    upstream = torch.randn(2, 3, 7, 6, dtype=torch.float64)
    results = []
    for literal in (False, True):
        source, target, flow = (leaf.clone().requires_grad_() for leaf in leaves)
        if literal:
            out, _ = literal_attention(block, source, target, flow)
        else:
            out = block(block.encode_source(source), target, flow)
        out.backward(upstream)
        results.append((out, source.grad, target.grad, flow.grad))
    for ours, true in zip(*results, strict=True):
        torch.testing.assert_close(ours, true, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("before", "after"), [(2, 2), (2, 1), (1, 0)])
def test_a_traced_graph_pads_as_the_eager_network(before: int, after: int) -> None:
    x = torch.randn(2, 3, 5, 4).to(memory_format=torch.channels_last)
    torch.compiler.reset()
    traced = torch.compile(replicate_pad, fullgraph=True, backend="eager")
    padded = F.pad(x, (before, after, before, after), mode="replicate")
    assert torch.equal(traced(x, before, after), padded)
    assert torch.equal(replicate_pad(x, before, after), padded)


@pytest.mark.parametrize("kernel_size", [3, 4, 5])
def test_a_high_centre_starts_as_a_warp(kernel_size: int) -> None:
    """All weight on the tap at the flow's end: the source, sampled there."""
    block = LocalAttention(4, kernel_size, hidden=8, pooled=False, centre=50.0).double()
    source, target = (torch.randn(2, 4, 9, 7, dtype=torch.float64) for _ in range(2))
    flow = torch.randn(2, 2, 9, 7, dtype=torch.float64) * 2
    out = block(block.encode_source(source), target, flow)
    torch.testing.assert_close(out, bilinear_warp(source, flow))
    plain = LocalAttention(4, kernel_size, hidden=8, pooled=False).double()
    plain.load_state_dict(block.state_dict())  # nothing that is learnt differs
    assert not torch.allclose(plain(plain.encode_source(source), target, flow), out)
