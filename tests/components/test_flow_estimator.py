"""Levels and order of flows and masks."""

from __future__ import annotations

import pytest
import torch

from gfla_video.components.flow_estimator import FlowEstimator


def small(**changes: object) -> FlowEstimator:
    settings: dict = {"structure_channels": 2, "base_channels": 4, "max_channels": 8, "gain": 1.0}
    return FlowEstimator(**(settings | changes))


@pytest.mark.parametrize("levels", [(3, 2), (2,), (4, 1), (2, 0)])
def test_scales_go_coarse_to_fine(levels: tuple[int, ...]) -> None:
    source, structure = torch.randn(2, 3, 64, 96), torch.rand(2, 2, 64, 96)
    out = small(flow_levels=levels)([source], [structure], structure.flip(3))
    assert len(out.flows) == len(out.masks) == 1
    assert [tuple(f.shape) for f in out.flows[0]] == [(2, 2, 64 >> v, 96 >> v) for v in levels]
    assert [tuple(m.shape) for m in out.masks[0]] == [(2, 1, 64 >> v, 96 >> v) for v in levels]
    values = torch.cat([mask.detach().flatten() for mask in out.masks[0]])
    assert float(values.min()) > 0
    assert float(values.max()) < 1


def test_nothing_finer_than_the_finest_flow_is_decoded() -> None:
    network = small(flow_levels=(3,), levels=5)
    assert network.decoder_levels == (4, 3)
    assert len(network.decoders) == len(network.skips) == 2
    assert len(network.flow_heads) == len(network.mask_heads) == 1


def test_each_reference_by_itself_with_the_same_weights() -> None:
    network = small()
    one, other = torch.randn(2, 1, 3, 64, 64)
    structures = list(torch.rand(2, 1, 2, 64, 64))
    target = torch.rand(1, 2, 64, 64)
    both = network([one, other], structures, target)
    alone = network([other], structures[1:], target)
    assert torch.equal(both.flows[1][0], alone.flows[0][0])
    assert torch.equal(both.masks[1][1], alone.masks[0][1])
    assert not torch.equal(both.flows[0][0], both.flows[1][0])
    with pytest.raises(ValueError, match="zip"):
        network([one, other], structures[1:], target)


def test_the_mask_parameters_move_no_flow() -> None:
    network = small()
    inputs = ([torch.randn(1, 3, 64, 64)], [torch.rand(1, 2, 64, 64)], torch.rand(1, 2, 64, 64))
    out = network(*inputs)
    sum(flow.sum() for flow in out.flows[0]).backward()
    without = {name for name, p in network.named_parameters() if p.grad is None}
    ours = {id(p) for p in network.mask_parameters()}
    assert without == {n for n, p in network.named_parameters() if id(p) in ours} != set()


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ((2, 3), "coarse to fine"),
        ((2, 2), "coarse to fine"),
        ((5,), "must lie in 0..4"),
        ((1, -1), "must lie in 0..4"),
        ((), "must lie in 0..4"),
    ],
)
def test_levels_that_cannot_be(levels: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(flow_levels=levels)


def code_network(**changes: object) -> FlowEstimator:
    return small(structure_at="bottleneck", **changes).double()


def codes(count: int = 2) -> list[torch.Tensor]:
    return list(torch.randn(count, 1, 2, 1, 1, dtype=torch.float64))


def test_a_code_joins_at_the_bottleneck_as_a_difference() -> None:
    """Only source - target counts (released), and the encoder sees the image alone."""
    network, (source_code, target_code) = code_network(), codes()
    assert network.encoder.blocks[0].conv1.in_channels == 3
    image = torch.randn(1, 3, 64, 96, dtype=torch.float64)
    first = network([image], [source_code], target_code)
    shifted = network([image], [source_code + 0.7], target_code + 0.7)
    torch.testing.assert_close(first.flows, shifted.flows)
    turned = network([image], [target_code], source_code)
    assert float((first.flows[0][1] - turned.flows[0][1]).detach().abs().max()) > 1e-4


def test_both_codes_tell_where_a_turn_begins() -> None:
    network, (source_code, target_code) = code_network(code="both"), codes()
    image = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    first = network([image], [source_code], target_code)
    shifted = network([image], [source_code + 0.7], target_code + 0.7)
    assert float((first.flows[0][1] - shifted.flows[0][1]).detach().abs().max()) > 1e-4


@pytest.mark.parametrize(("name", "value"), [("structure_at", "middle"), ("code", "sum")])
def test_what_a_code_cannot_be(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be"):
        small(**{name: value})
