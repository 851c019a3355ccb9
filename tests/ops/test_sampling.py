"""Bilinear, Gaussian and attention sampling against golden numbers and plain formulas."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from gfla_video.ops import bilinear_warp, gaussian_warp, local_attention
from gfla_video.testing.literal import extract_patches


@pytest.mark.usefixtures("backend")
def test_integer_flow_shifts_exactly() -> None:
    source = torch.arange(20.0).view(1, 1, 4, 5)
    flow = torch.zeros(1, 2, 4, 5)
    flow[:, 0], flow[:, 1] = 2.0, -1.0
    out = bilinear_warp(source, flow)
    assert out[0, 0, 1].tolist() == [2.0, 3.0, 4.0, 4.0, 4.0]
    assert out[0, 0, 0].tolist() == [2.0, 3.0, 4.0, 4.0, 4.0]  # above the map: its first row


@pytest.mark.usefixtures("backend")
def test_bilinear_gradients() -> None:
    source = torch.randn(1, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    flow = (torch.randn(1, 2, 5, 6, dtype=torch.float64) * 4).requires_grad_()
    assert torch.autograd.gradcheck(bilinear_warp, (source, flow))


@pytest.mark.usefixtures("backend")
def test_nothing_but_finite_values_from_a_broken_flow() -> None:
    flow = torch.full((1, 2, 3, 3), float("nan"))
    flow[0, 0, 0] = float("inf")
    flow.requires_grad_()
    out = bilinear_warp(torch.randn(1, 2, 3, 3), flow)
    out.sum().backward()
    assert out.isfinite().all()
    assert flow.grad is not None and flow.grad.isfinite().all()


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("kernel", [1, 3, 4, 5])
def test_attention_agrees_with_materialised_patches(kernel: int) -> None:
    source = torch.randn(2, 3, 6, 7, dtype=torch.float64)
    flow = torch.randn(2, 2, 6, 7, dtype=torch.float64) * 5
    flow[0, :, 0] = 2.0  # integer flows
    attention = torch.rand(2, kernel**2, 6, 7, dtype=torch.float64)
    patches = extract_patches(source, flow, kernel).unflatten(2, (6, kernel))
    patches = patches.unflatten(4, (7, kernel))  # [B, C, h, ky, w, kx]
    weights = attention.unflatten(1, (kernel, kernel))
    expected = torch.einsum("bchkwj,bkjhw->bchw", patches, weights)
    torch.testing.assert_close(
        local_attention(source, attention, flow), expected, rtol=0, atol=1e-12
    )


@pytest.mark.usefixtures("backend")
def test_gaussian_golden(golden: Callable) -> None:
    case, arrays, _ = golden("op_gaussian_warp")
    source = torch.from_numpy(arrays["source"]).requires_grad_()
    flow = torch.from_numpy(arrays["flow"]).requires_grad_()
    out = gaussian_warp(source, flow, window=4, sigma=2.0)
    out.backward(torch.from_numpy(arrays["upstream"]))
    tolerance = case["tolerance"]["f64"]
    for ours, name in ((out, "out_f64"), (source.grad, "grad_source_f64")):
        torch.testing.assert_close(
            ours.detach(), torch.from_numpy(arrays[name]), rtol=0, atol=tolerance
        )
    torch.testing.assert_close(
        flow.grad, torch.from_numpy(arrays["grad_flow_f64"]), rtol=0, atol=tolerance
    )
    single = gaussian_warp(source.detach().float(), flow.detach().float())
    torch.testing.assert_close(
        single, torch.from_numpy(arrays["out_f32"]), rtol=0, atol=case["tolerance"]["f32"]
    )


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 2.0**31, -(2.0**33)])
@pytest.mark.parametrize("sampling", ["bilinear", "gaussian", "attention"])
def test_any_flow_is_defined(sampling: str, bad: float) -> None:
    """NaN samples position 0, anything beyond the map its border; gradients stay finite."""
    source = torch.randn(1, 3, 4, 5, requires_grad=True)
    attention = torch.full((1, 9, 4, 5), 1 / 9, requires_grad=True)
    flow = torch.full((1, 2, 4, 5), bad, requires_grad=True)

    def sample(flow: torch.Tensor) -> torch.Tensor:
        if sampling == "bilinear":
            return bilinear_warp(source, flow)
        if sampling == "gaussian":
            return gaussian_warp(source, flow)
        return local_attention(source, attention, flow)

    out = sample(flow)
    y, x = torch.meshgrid(torch.arange(4.0), torch.arange(5.0), indexing="ij")
    far = 0.0 if bad != bad else (100.0 if bad > 0 else -100.0)
    torch.testing.assert_close(out, sample(far - torch.stack([x, y])[None]))
    out.square().sum().backward()
    for leaf in (source, flow):
        assert leaf.grad is not None and leaf.grad.isfinite().all()
    if sampling == "attention":
        assert attention.grad is not None and attention.grad.isfinite().all()


@pytest.mark.usefixtures("backend")
def test_half_precision_keeps_positions_exact() -> None:
    """A half-precision flow of whole pixels far from 0 shifts exactly."""
    source = torch.randn(1, 2, 4, 300).bfloat16()
    flow = torch.zeros(1, 2, 4, 300).bfloat16()
    flow[:, 0] = 1.0
    shifted = torch.cat([source[..., 1:], source[..., -1:]], dim=-1)
    assert torch.equal(bilinear_warp(source, flow), shifted)


@pytest.mark.parametrize(("window", "sigma"), [(3, 2.0), (4, 0.0), (0, 1.0)])
def test_gaussian_refuses(window: int, sigma: float) -> None:
    with pytest.raises(ValueError, match="gaussian_warp needs"):
        gaussian_warp(torch.zeros(1, 1, 4, 4), torch.zeros(1, 2, 4, 4), window, sigma)
