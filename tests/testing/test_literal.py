"""The literal formulation: patches, attention blocks, whole networks and losses against ours."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from gfla_video.components.attention import LocalAttention
from gfla_video.components.encoder import PyramidEncoder
from gfla_video.components.flow_estimator import FlowEstimator
from gfla_video.components.losses.correctness import best_similarity, sampling_correctness
from gfla_video.components.losses.regularization import affine_regularization
from gfla_video.components.renderer import TextureRenderer
from gfla_video.models import TransferGenerator
from gfla_video.ops import gaussian_warp
from gfla_video.testing.literal import (
    MaterialisedAttention,
    extract_patches,
    grid_sample_patches,
    losses,
    materialised,
)


def moving_flow(*shape: int, reach: float = 4.0) -> Tensor:
    """A flow with large values and no whole ones (there the one-sided derivatives differ)."""
    return torch.randn(*shape, dtype=torch.float64) * reach


def small_generator(pooled: bool = True, **flow: object) -> nn.Module:
    widths = {"base_channels": 4, "max_channels": 8}
    generator = TransferGenerator(
        PyramidEncoder(3, levels=3, **widths),
        FlowEstimator(structure_channels=2, gain=1.0, **widths),
        TextureRenderer(
            [
                LocalAttention(8, 3, hidden=8, pooled=pooled),
                LocalAttention(8, 5, hidden=8, pooled=pooled),
            ],
            structure_channels=2,
            **widths,
        ),
        gain=1.0,
    ).double()
    with torch.no_grad():  # flows of several pixels
        for head in generator.flow_estimator.flow_heads:
            head.bias.normal_(0, 3)
    return generator


def generator_inputs(batch: int = 2) -> tuple[list[Tensor], list[Tensor], Tensor]:
    source = torch.rand(batch, 3, 64, 64, dtype=torch.float64) * 2 - 1
    structures = torch.rand(2, batch, 2, 64, 64, dtype=torch.float64)
    return [source], [structures[0]], structures[1]


@pytest.mark.parametrize("kernel", [1, 3, 4, 5])
def test_grid_sample_patches_in_double_precision(kernel: int) -> None:
    source = torch.randn(2, 3, 6, 9, dtype=torch.float64)
    flow = moving_flow(2, 2, 5, 4)
    flow[0, :, 2] = 300.0  # far outside
    results = []
    for patches in (extract_patches, grid_sample_patches):
        leaves = [tensor.clone().requires_grad_() for tensor in (source, flow)]
        out = patches(*leaves, kernel)
        assert out.shape == (2, 3, 5 * kernel, 4 * kernel)
        upstream = torch.sin(torch.arange(out.numel(), dtype=out.dtype)).view(out.shape)
        results.append((out, *torch.autograd.grad(out, leaves, upstream)))
    for ours, true in zip(*results, strict=True):
        torch.testing.assert_close(ours, true, rtol=0, atol=1e-10)


def test_grid_sample_patches_in_single_precision() -> None:
    source, flow = torch.randn(1, 4, 64, 64), torch.randn(1, 2, 64, 64) * 8
    difference = grid_sample_patches(source, flow, 5) - extract_patches(source, flow, 5)
    assert difference.abs().max() < 2e-4


def test_patches_of_a_one_pixel_map_hold_that_pixel() -> None:
    flow = torch.tensor([0.3, -7.0]).view(1, 2, 1, 1)
    for patches in (extract_patches, grid_sample_patches):
        assert torch.equal(
            patches(torch.full((1, 1, 1, 1), 5.0), flow, 3), torch.full((1, 1, 3, 3), 5.0)
        )


@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_materialised_block(kernel: int, pooled: bool) -> None:
    block = LocalAttention(3, kernel, hidden=16, pooled=pooled).double()
    literal = MaterialisedAttention(block)
    source, target = torch.randn(2, 2, 3, 7, 6, dtype=torch.float64)
    flow = moving_flow(2, 2, 7, 6)
    results = []
    for attention in (block, literal):
        leaves = [tensor.clone().requires_grad_() for tensor in (source, target, flow)]
        out = attention(attention.encode_source(leaves[0]), *leaves[1:])
        results.append((out, *torch.autograd.grad(out.square().sum(), leaves)))
    for ours, true in zip(*results, strict=True):
        torch.testing.assert_close(ours, true, rtol=0, atol=1e-10)


@pytest.mark.parametrize("pooled", [True, False])
def test_materialised_generator(pooled: bool) -> None:
    """Picture, flows and all gradients of a whole network, in double precision."""
    ours = small_generator(pooled)
    literal = materialised(ours)
    assert not any(isinstance(part, LocalAttention) for part in literal.modules())
    assert sum(isinstance(part, MaterialisedAttention) for part in literal.modules()) == 2
    sources, structures, target = generator_inputs()
    gradients, pictures = [], []
    for network in (ours, literal):
        output = network(sources, structures, target)
        output.image.square().sum().backward()
        pictures.append(output.image.detach())
        gradients.append({name: p.grad for name, p in network.named_parameters()})
    torch.testing.assert_close(*pictures, rtol=0, atol=1e-10)
    left, right = gradients
    scale = max(grad.abs().max() for grad in left.values())
    for index in range(2):
        name = f"renderer.attentions.{index}."
        joint = torch.cat(
            [left.pop(f"{name}target_conv.weight"), left.pop(f"{name}source_conv.weight")], dim=1
        )
        torch.testing.assert_close(
            right.pop(f"{name}both_conv.weight"), joint, rtol=0, atol=1e-9 * scale
        )
        bias = left.pop(f"{name}target_conv.bias")
        torch.testing.assert_close(
            right.pop(f"{name}both_conv.bias"), bias, rtol=0, atol=1e-9 * scale
        )
    assert set(left) == set(right)
    for name, grad in left.items():
        torch.testing.assert_close(right[name], grad, rtol=0, atol=1e-9 * scale, msg=name)


def test_materialised_generator_in_single_precision() -> None:
    ours = small_generator().float()
    literal = materialised(ours)
    sources, structures, target = generator_inputs(1)
    inputs = [sources[0].float()], [structures[0].float()], target.float()
    with torch.inference_mode():
        pictures = [network(*inputs).image for network in (ours, literal)]
    torch.testing.assert_close(*pictures, rtol=0, atol=1e-4)


def test_materialised_leaves_the_network_alone() -> None:
    ours = small_generator()
    before = copy.deepcopy(ours.state_dict())
    literal = materialised(ours)
    with torch.no_grad():
        for parameter in literal.parameters():
            parameter.zero_()
    for name, value in ours.state_dict().items():
        assert torch.equal(value, before[name])
    with pytest.raises(ValueError, match="Identity has no LocalAttention"):
        materialised(nn.Identity())


@pytest.mark.parametrize(("window", "sigma"), [(2, 1.0), (4, 2.0), (6, 1.5)])
def test_gaussian(window: int, sigma: float) -> None:
    source, flow = torch.randn(2, 3, 6, 7, dtype=torch.float64), moving_flow(2, 2, 6, 7)
    flow[0, :, 1] = 2.0  # whole numbers
    results = []
    for warp in (gaussian_warp, losses.gaussian_patches_warp):
        leaves = [tensor.clone().requires_grad_() for tensor in (source, flow)]
        out = warp(*leaves, window, sigma)
        results.append((out, *torch.autograd.grad(out.sin().sum(), leaves)))
    for ours, true in zip(*results, strict=True):
        torch.testing.assert_close(ours, true, rtol=0, atol=1e-12)


def test_correctness_and_its_maximum() -> None:
    source, target = torch.rand(2, 2, 5, 8, 6, dtype=torch.float64)
    best = losses.best_similarity_full(source, target)
    torch.testing.assert_close(best, best_similarity(source, target), rtol=0, atol=1e-12)
    flow = moving_flow(2, 2, 4, 3)  # resized to the features' size
    ours = sampling_correctness(source, target, flow)
    torch.testing.assert_close(losses.correctness(source, target, flow), ours, rtol=0, atol=1e-12)


def test_regularization() -> None:
    flow = moving_flow(2, 2, 8, 9)
    for size in (3, 5):
        true = losses.regularization(flow, size)
        torch.testing.assert_close(affine_regularization(flow, size), true, rtol=1e-10, atol=0)
