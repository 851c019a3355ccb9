"""A code acts on every position in its own way."""

from __future__ import annotations

import torch
from torch import nn

from gfla_video.components.code_join import CodeJoin
from gfla_video.components.init import init_orthogonal


def test_positions_answer_a_code_differently() -> None:
    """Far from the borders, and with no features: only the position can make the difference."""
    join = CodeJoin(4, out_channels=6).double()
    first, other = torch.randn(2, 1, 4, 1, 1, dtype=torch.float64)
    change = (join(first, (32, 32)) - join(other, (32, 32))).detach()[0, :, 8:24, 8:24]
    assert float((change - change[:, :1, :1]).abs().max()) > 1e-4


def test_features_and_a_code_of_any_size() -> None:
    join = CodeJoin(4, out_channels=8, feature_channels=3).double()
    codes = torch.randn(2, 4, 1, 1, dtype=torch.float64)
    features = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    out = join(codes, (5, 7), features)
    assert out.shape == (2, 8, 5, 7)
    for index in range(2):  # each of a batch by itself
        alone = join(codes[index : index + 1], (5, 7), features[index : index + 1])
        torch.testing.assert_close(out[index : index + 1], alone)
    assert float((out - join(codes, (5, 7), features + 1)).detach().abs().max()) > 1e-3


def test_every_position_sees_all_of_the_source() -> None:
    """A feature in one corner changes what the code makes of the opposite one."""
    join = CodeJoin(4, out_channels=8, feature_channels=3).double()
    code = torch.randn(1, 4, 1, 1, dtype=torch.float64)
    features = torch.randn(1, 3, 16, 16, dtype=torch.float64)
    changed = features.clone()
    changed[..., 0, 0] += 3.0
    change = (join(code, (16, 16), changed) - join(code, (16, 16), features)).detach()
    assert float(change[..., 12:, 12:].abs().max()) > 1e-5


def test_a_small_gain_of_the_network_leaves_the_code_audible() -> None:
    """Nothing normalises after its layers: at the released gain of 0.02 the code would vanish."""
    torch.manual_seed(3)
    network = nn.ModuleList([CodeJoin(4, out_channels=8), nn.Conv2d(8, 8, 3)])
    init_orthogonal(network, 0.02)
    codes = torch.randn(2, 4, 1, 1)
    first, other = network[0](codes, (8, 8)).detach()
    assert float((first - other).abs().max()) > 0.05
    assert float(network[1].weight.detach().flatten(1).norm(dim=1).max()) < 0.021
