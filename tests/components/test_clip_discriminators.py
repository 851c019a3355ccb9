"""Shapes and what the discriminators of several frames see (numbers: test_released_clips)."""

from __future__ import annotations

import pytest
import torch

from gfla_video.components.clip_discriminators import (
    FrameDifferenceDiscriminator,
    TemporalDiscriminator,
)

WIDTHS = {"base_channels": 4, "max_channels": 16}


def test_differences_know_nothing_of_what_stands_still() -> None:
    network = FrameDifferenceDiscriminator(frames=3, levels=3, **WIDTHS).eval()
    window = torch.randn(2, 3, 3, 32, 64)
    logits = network(window)
    assert logits.shape == (2, 1, 4, 8)
    still = torch.randn(2, 1, 3, 32, 64)
    torch.testing.assert_close(network(window + still), logits, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("frames", "levels"), [(5, 2), (6, 4), (8, 3)])
def test_temporal_shapes(frames: int, levels: int) -> None:
    network = TemporalDiscriminator(frames=frames, levels=levels, **WIDTHS).eval()
    window = torch.randn(1, frames, 3, 32, 32)
    logits = network(window)
    assert logits.shape == (1, 1, 32 // 2**levels, 32 // 2**levels)
    assert not torch.equal(network(window.flip(1)), logits)  # the order of the frames matters


@pytest.mark.parametrize("kind", [FrameDifferenceDiscriminator, TemporalDiscriminator])
def test_another_length_is_refused(kind: type) -> None:
    network = kind(frames=6, **WIDTHS)
    with pytest.raises(ValueError, match=r"expected a window \[B, 6, c, H, W\]"):
        network(torch.zeros(1, 5, 3, 32, 32))
    with pytest.raises(ValueError, match="frames"):
        kind(frames=1, **WIDTHS)
