"""Where attention blocks take from, against the blocks' own definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gfla_video.components.attention import EncodedSource, LocalAttention
from gfla_video.components.global_attention import GlobalAttention
from gfla_video.components.positions import positions_of
from gfla_video.components.reference_kinds import PerKind
from gfla_video.visualization import (
    AttentionCall,
    AttentionRecorder,
    heat_picture,
    mark_positions,
)

CHANNELS, SIZE = 8, (6, 7)


def call_of(block: nn.Module, flow: Tensor, level: int = 2) -> AttentionCall:
    source, target = torch.randn(1, CHANNELS, *SIZE), torch.randn(1, CHANNELS, *SIZE)
    encoded = block.encode_source(source)
    detached = EncodedSource(encoded.values.detach(), encoded.keys.detach())
    return AttentionCall(level, 0, block, detached, target, flow)


@pytest.mark.parametrize("pooled", [True, False])
def test_local_shares_are_the_kernel_spread_over_the_pixels(pooled: bool) -> None:
    """k x k weights at a fractional end: each tap gives to the four pixels round it, clamped."""
    block = LocalAttention(CHANNELS, 3, hidden=4, pooled=pooled).eval()
    flow = torch.full((1, 2, *SIZE), 1.25)
    flow[:, 1] = -0.5
    call = call_of(block, flow)
    place = (2, 5)
    kernel = block.predict_kernel(call.encoded, call.target, flow)[0, :, place[0], place[1]]
    expected = np.zeros(SIZE)
    for tap, weight in enumerate(kernel.tolist()):
        x = place[1] + 1.25 + tap % 3 - 1
        y = place[0] - 0.5 + tap // 3 - 1
        left, top = int(np.floor(x)), int(np.floor(y))
        for row, part_y in ((top, 1 - (y - top)), (top + 1, y - top)):
            for column, part_x in ((left, 1 - (x - left)), (left + 1, x - left)):
                inside = min(max(row, 0), SIZE[0] - 1), min(max(column, 0), SIZE[1] - 1)
                expected[inside] += weight * part_x * part_y
    shares = call.shares(place)
    assert shares is not None
    np.testing.assert_allclose(shares, expected, atol=1e-6)


def test_global_shares_are_the_mean_of_the_heads() -> None:
    block = GlobalAttention(CHANNELS, hidden=8, heads=2).eval()
    call = call_of(block, torch.zeros(1, 2, *SIZE))
    query = block.to_query(torch.cat([call.target, positions_of(call.target)], 1))[0, :, 3, 4]
    keys = call.encoded.keys[0].flatten(1)
    heads = [
        torch.softmax(q @ k / 2.0, 0)  # 4 channels a head: the square root is 2
        for q, k in zip(query.split(4), keys.split(4), strict=True)
    ]
    expected = torch.stack(heads).mean(0).view(SIZE).detach().numpy()
    shares = call.shares((3, 4))
    assert shares is not None
    np.testing.assert_allclose(shares, expected, atol=1e-6)


class Nothing(nn.Module):
    """A block that does not look at the source."""

    def forward(self, encoded: EncodedSource, target: Tensor, flow: Tensor) -> Tensor:
        return target


class Subtracts(Nothing):
    """A block that is no weighted mean."""

    def forward(self, encoded: EncodedSource, target: Tensor, flow: Tensor) -> Tensor:
        return encoded.values - 0.5 * encoded.values.mean((2, 3), keepdim=True)


@pytest.mark.parametrize("block", [Nothing(), Subtracts()])
def test_a_block_that_takes_no_weighted_mean_has_no_shares(block: nn.Module) -> None:
    source = EncodedSource(torch.randn(1, CHANNELS, *SIZE), torch.randn(1, 1, *SIZE))
    target, flow = torch.randn(1, CHANNELS, *SIZE), torch.zeros(1, 2, *SIZE)
    assert AttentionCall(2, 0, block, source, target, flow).shares((1, 1)) is None


def test_only_some_blocks_follow_the_flow() -> None:
    flow = torch.full((1, 2, *SIZE), 0.3)
    assert call_of(LocalAttention(CHANNELS, 3, hidden=4), flow).follows_flow
    assert not call_of(GlobalAttention(CHANNELS, hidden=8, heads=2), flow).follows_flow
    source = EncodedSource(torch.randn(1, CHANNELS, *SIZE), torch.randn(1, 1, *SIZE))
    assert not AttentionCall(2, 0, Nothing(), source, source.values, flow).follows_flow


def test_places_and_ends_in_pixels_of_the_picture() -> None:
    flow = torch.zeros(1, 2, *SIZE)
    flow[0, :, 2, 3] = torch.tensor([1.5, -1.0])
    call = call_of(LocalAttention(CHANNELS, 3, hidden=4), flow)
    size = (SIZE[0] * 4, SIZE[1] * 4)
    assert call.place_of((15.9, 8.0), size) == (2, 3)
    assert call.place_of((27.9, 23.9), size) == (5, 6)
    # the middle of the map's pixel, plus the flow, in pixels of the picture
    assert call.end_of((13.0, 9.0), size) == pytest.approx((3.5 * 4 + 6, 2.5 * 4 - 4))


class Renderer(nn.Module):
    """Two levels, two references, the coarse level with weights of its own per kind."""

    def __init__(self) -> None:
        super().__init__()
        coarse = [LocalAttention(CHANNELS, 3, hidden=4) for _ in range(2)]
        self.attentions = nn.ModuleList([PerKind(*coarse), LocalAttention(CHANNELS, 3, hidden=4)])
        self.attention_levels = (3, 2)


class Network(nn.Module):
    """Calls every block of its renderer for both references."""

    def __init__(self) -> None:
        super().__init__()
        self.renderer = Renderer()

    def forward(self, source: Tensor) -> None:
        shared = self.renderer.attentions[1]
        kinds = self.renderer.attentions[0]
        for blocks in ((kinds.source, kinds.previous), (shared, shared)):
            for block in blocks:
                block(block.encode_source(source), source, torch.zeros(len(source), 2, *SIZE))


def test_the_recorder_tells_levels_references_and_runs_apart() -> None:
    network = Network()
    with torch.inference_mode(), AttentionRecorder(network, [1]) as recorder:
        for _ in range(3):
            network(torch.randn(2, CHANNELS, *SIZE))
    assert recorder.sees
    assert recorder.calls(0) == [] and recorder.calls(2) == []
    calls = recorder.calls(1)
    assert [(call.reference, call.level) for call in calls] == [(0, 3), (0, 2), (1, 3), (1, 2)]
    kinds = network.renderer.attentions[0]
    assert calls[0].block is kinds.source and calls[2].block is kinds.previous
    assert calls[0].target.shape[0] == 1
    shares = calls[0].shares((1, 1))  # also of what inference mode made
    assert shares is not None and shares.sum() == pytest.approx(1)
    network(torch.randn(1, CHANNELS, *SIZE))
    assert len(recorder.calls(1)) == 4  # it listens inside of its block only


def test_a_network_without_attention_gives_nothing() -> None:
    plain = nn.Conv2d(3, 3, 1)
    with AttentionRecorder(plain) as recorder:
        plain(torch.zeros(1, 3, 4, 4))
    assert not recorder.sees and recorder.calls() == []


def test_heat_is_white_where_most_is_taken() -> None:
    shares = np.zeros((2, 2), np.float32)
    shares[0, 1], shares[1, 0] = 0.5, 0.25
    picture = heat_picture(np.full((8, 8, 3), 100, np.uint8), shares)
    assert picture[0, 7].tolist() == [255, 255, 255]
    assert picture[0, 0].tolist() == [75, 75, 75]  # the source, dim
    red, green, blue = picture[7, 0].tolist()
    assert red > green > blue


def test_marks_stay_inside_the_picture() -> None:
    plain = np.full((64, 64, 3), 30, np.uint8)
    marked = mark_positions(plain, [(10.0, 20.0), (500.0, -3.0)])
    assert marked.shape == plain.shape
    assert (marked != plain).any(axis=2)[15:26, 5:30].any()
    corner = (marked != plain).any(axis=2)[:8, 54:]
    assert corner.any()
    assert (plain == 30).all()  # the given picture is not drawn on
