"""The network without flow and attention: what it sees, its call, and that it learns."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gfla_video.components.auto_encoder import AutoEncoder


def small(**more: object) -> AutoEncoder:
    settings = {"structure_channels": 2, "base_channels": 8, "max_channels": 16, "levels": 2}
    return AutoEncoder(**{**settings, "gain": 1.0, "norm": "none", **more})  # type: ignore[arg-type]


def inputs(batch: int = 2, height: int = 16, width: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    return tuple(torch.randn(batch, c, height, width) for c in (3, 2, 2))  # type: ignore[return-value]


def test_the_picture_depends_on_all_three_inputs() -> None:
    source, old, new = (part.requires_grad_() for part in inputs())
    out = small()([source], [old], new)
    assert out.image.shape == (2, 3, 16, 8)
    assert out.flows == [] and out.masks == []
    assert out.image.abs().max() <= 1
    out.image.sum().backward()
    assert all(part.grad is not None and part.grad.any() for part in (source, old, new))


def test_samples_of_a_batch_do_not_mix_and_one_source_serves_all() -> None:
    network = small().eval()
    source, old, new = inputs(3)
    whole = network([source[:1]], [old[:1]], new)
    for index in range(3):
        alone = network([source[:1]], [old[:1]], new[index : index + 1])
        torch.testing.assert_close(whole.image[index], alone.image[0])


def test_encoded_sources_change_nothing() -> None:
    network = small().eval()
    source, old, new = inputs()
    encoded = network.encode_sources([source])
    torch.testing.assert_close(
        network([source], [old], new, encoded=encoded).image, network([source], [old], new).image
    )


@pytest.mark.parametrize(("norm", "differs"), [("none", True), ("instance", False)])
def test_colours_survive_without_norm_only(norm: str, differs: bool) -> None:
    """Instance norm takes mean and contrast of the source's channels away, so they can't matter."""
    source, old, new = inputs()
    network = small(norm=norm).eval()
    change = network([source * 0.5 + 0.3], [old], new).image - network([source], [old], new).image
    assert bool(change.abs().max() > 1e-3) is differs


def test_it_learns_one_sample() -> None:
    network = small(res_blocks=0)
    source, old, new = inputs(1)
    wanted = torch.tanh(torch.randn(1, 3, 16, 8))
    optimiser = torch.optim.Adam(network.parameters(), 5e-3)
    losses = []
    for _ in range(60):
        loss = (network([source], [old], new).image - wanted).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.35 * losses[0]


def test_what_it_refuses() -> None:
    network = small()
    source, old, new = inputs()
    with pytest.raises(ValueError, match="one source, got 2"):
        network([source, source], [old, old], new)
    with pytest.raises(ValueError, match=r"maps of the picture's size \[16, 8\], got \[1, 1\]"):
        network([source], [old[..., :1, :1]], new[..., :1, :1])
    with pytest.raises(ValueError, match=r"multiples of 4, got \[16, 6\]"):
        network([source[..., :6]], [old[..., :6]], new[..., :6])
