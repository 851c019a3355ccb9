"""Pyramid of features; what the norm does to a picture's own colours."""

from __future__ import annotations

import pytest
import torch

from gfla_video.components.encoder import PyramidEncoder
from gfla_video.components.init import init_orthogonal


def test_levels_go_fine_to_coarse() -> None:
    encoder = PyramidEncoder(5, base_channels=4, max_channels=8, levels=3)
    shapes = [tuple(level.shape) for level in encoder(torch.randn(2, 5, 32, 64))]
    assert shapes == [(2, 4, 16, 32), (2, 8, 8, 16), (2, 8, 4, 8)]


@pytest.mark.parametrize("kind", ["instance", "none"])
def test_absolute_colour(kind: str) -> None:
    encoder = PyramidEncoder(3, 8, 16, levels=2, norm=kind)
    init_orthogonal(encoder, 1.0)
    picture = torch.rand(1, 3, 32, 32)
    tinted = picture + torch.tensor([0.5, -0.2, 0.1]).view(1, 3, 1, 1)
    with torch.no_grad():
        pairs = list(zip(encoder(picture), encoder(tinted), strict=True))
    for plain, other in pairs:
        apart = float((plain - other).abs().mean() / plain.abs().mean())
        if kind == "instance":
            assert apart < 1e-3
        else:
            assert apart > 0.1
