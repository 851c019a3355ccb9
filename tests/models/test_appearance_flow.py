"""Appearance flow: where it looks, what it starts from, several views, and that it learns."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gfla_video.models import AppearanceFlow, ConvAppearanceFlow
from gfla_video.models.appearance_flow import ViewWarp
from gfla_video.registry import MODELS
from gfla_video.utils.errors import UserError

BACKGROUND = (255, 0, 51)  # 1, -1, -0.6 in [-1, 1]
SIZE = (32, 64)


def published(size: tuple[int, int] = SIZE, **more: Any) -> AppearanceFlow:
    """The published layout with few channels: 8 to 15 to 29 pixels, then resized."""
    few = {"encoder_channels": (16, 32, 64), "decoder_channels": (32, 16), "width": 64}
    return AppearanceFlow(2, size, grid_channels=16, dropout=0.0, **few, **more)


def convolutional(size: tuple[int, int] = SIZE, **more: Any) -> ConvAppearanceFlow:
    """The convolutional form with few channels; it takes any size."""
    return ConvAppearanceFlow(2, base_channels=16, max_channels=32, levels=2, **more)


BOTH = pytest.mark.parametrize("build", [published, convolutional])


def pictures(batch: int, size: tuple[int, int] = SIZE) -> Tensor:
    return torch.rand(batch, 3, *size) * 2 - 1


def codes(batch: int) -> Tensor:
    return torch.randn(batch, 2, 1, 1)


def heads(network: ViewWarp) -> list[nn.Conv2d]:
    return [part for name, part in network.named_modules() if name.endswith("head")]  # type: ignore[misc]


def fixed(network: ViewWarp, *values: float) -> ViewWarp:
    """The same maps (x, y, confidence, background, object) at every pixel of every picture."""
    bias = torch.tensor(values)
    for head in heads(network):
        count = head.out_channels
        nn.init.zeros_(head.weight)
        head.bias.data.copy_(bias[:count])  # type: ignore[union-attr]
        bias = bias[count:]
    return network.eval()


@BOTH
def test_no_flow_gives_the_picture_itself(build: Any) -> None:
    source = pictures(2)
    output = fixed(build(), 0, 0, 0)([source], [codes(2)], codes(2))
    assert torch.equal(output.image, source)
    assert output.flows[0][0].shape == (2, 2, *SIZE)
    assert torch.equal(output.masks[0][0], torch.ones(2, 1, *SIZE))


@BOTH
def test_flow_is_in_pixels_of_the_picture_and_borders_clamp(build: Any) -> None:
    source = pictures(1)
    image = fixed(build(), 3, -2, 0)([source], [codes(1)], codes(1)).image
    y = (torch.arange(SIZE[0]) - 2).clamp(min=0)
    x = (torch.arange(SIZE[1]) + 3).clamp(max=SIZE[1] - 1)
    torch.testing.assert_close(image, source[:, :, y][:, :, :, x], rtol=0, atol=1e-5)
    half = fixed(build(), 0.5, 0, 0)([source], [codes(1)], codes(1)).image
    expected = (source[..., :-1] + source[..., 1:]) / 2
    torch.testing.assert_close(half[..., :-1], expected, rtol=0, atol=1e-5)


@BOTH
def test_training_starts_near_the_identity(build: Any) -> None:
    flow = build()([pictures(4)], [codes(4)], codes(4)).flows[0][0]
    assert 1e-4 < float(flow.detach().norm(dim=1).max()) < 1.5


@BOTH
def test_views_are_averaged_by_their_confidence(build: Any) -> None:
    one, other = pictures(2), pictures(2)
    network = fixed(build(), 0, 0, 0)
    given = ([one, other], [codes(2), codes(2)], codes(2))
    torch.testing.assert_close(network(*given).image, (one + other) / 2)
    network = build()
    for head in heads(network):  # without training confidences are as good as equal
        nn.init.normal_(head.weight)
    output = network(*given)
    swapped = network(given[0][::-1], given[1][::-1], given[2])
    torch.testing.assert_close(output.image, swapped.image)
    torch.testing.assert_close(output.flows[1][0], swapped.flows[0][0])
    masks = torch.stack([masks[0] for masks in output.masks])
    torch.testing.assert_close(masks.sum(0), torch.ones(2, 1, *SIZE))
    assert float(masks.detach().std()) > 0.01
    alone = network([one], given[1][:1], given[2])
    torch.testing.assert_close(alone.flows[0][0], output.flows[0][0])


@BOTH
def test_one_encoded_source_serves_many_targets(build: Any) -> None:
    network = build().eval()
    source, structure, targets = pictures(1), codes(1), codes(3)
    encoded = network.encode_sources([source])
    once = network([source], [structure], targets, encoded=encoded)
    repeated = network([source.expand(3, -1, -1, -1)], [structure.expand(3, -1, -1, -1)], targets)
    torch.testing.assert_close(once.image, repeated.image)
    assert once.image.shape == (3, 3, *SIZE)


@BOTH
def test_the_code_is_a_difference_or_both(build: Any) -> None:
    source, one, turn = pictures(1), codes(1), codes(1)

    def flow(network: ViewWarp, begin: Tensor) -> Tensor:
        return network([source], [begin], begin + turn).flows[0][0]

    difference, both = build(), build(code="both")
    torch.testing.assert_close(flow(difference, one), flow(difference, one + 1))
    assert not torch.allclose(flow(both, one), flow(both, one + 1), atol=1e-4)
    with pytest.raises(ValueError, match="code must be difference or both, got 'sum'"):
        build(code="sum")


@BOTH
def test_a_known_background_lies_behind_the_object(build: Any) -> None:
    source = pictures(2)
    colour = torch.tensor([1.0, -1.0, -0.6]).view(1, 3, 1, 1).expand_as(source)
    for logits, expected in [((20, -20), colour), ((-20, 20), source)]:
        network = fixed(build(background=BACKGROUND), 0, 0, 0, *logits)
        output = network([source], [codes(2)], codes(2))
        torch.testing.assert_close(output.image, expected)
        assert bool((output.masks[0][0] > 0.5).all()) is (logits[1] > 0)
    half = fixed(build(background=BACKGROUND), 0, 0, 0, 0, 0)([source], [codes(2)], codes(2))
    torch.testing.assert_close(half.image, (colour + source) / 2)


@BOTH
@pytest.mark.parametrize("background", [None, BACKGROUND])
def test_every_weight_gets_a_gradient(build: Any, background: Any) -> None:
    """A weight without one would break training in several processes."""
    network = build(background=background)
    network([pictures(1)], [codes(1)], codes(1)).image.sum().backward()
    assert not [name for name, p in network.named_parameters() if p.grad is None]


@BOTH
def test_flows_stay_in_float32_under_autocast(build: Any) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        output = build()([pictures(1)], [codes(1)], codes(1))
    assert output.flows[0][0].dtype == output.masks[0][0].dtype == torch.float32


@BOTH
def test_maps_are_no_codes(build: Any) -> None:
    with pytest.raises(ValueError, match=r"structures that are codes .* got \[1, 2, 32, 64\]"):
        build()([pictures(1)], [torch.zeros(1, 2, *SIZE)], torch.zeros(1, 2, *SIZE))


def test_the_published_network_has_one_size() -> None:
    with pytest.raises(UserError, match="made for 32 x 64, got a picture of 64 x 64"):
        published()([pictures(1, (64, 64))], [codes(1)], codes(1))


def test_the_published_layers() -> None:
    """Facts 4, on tensors without data."""
    with torch.device("meta"):
        network = AppearanceFlow(20, background=BACKGROUND).double()
        image, code = torch.empty(2, 3, 224, 224).double(), torch.empty(2, 20).double()
        maps = network.estimate(network.encode(image), code)
        joint = torch.empty(2, 4096 + 256).double()
        assert network.flow_decoder(joint).shape == (2, 16, 225, 225)
        assert network.foreground_decoder(joint).shape == (2, 16, 225, 225)  # type: ignore[misc]
    assert maps.shape == (2, 5, 225, 225)
    linear = [m for m in network.modules() if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linear] == [
        *[(512 * 4 * 4, 4096), (4096, 4096)],  # image
        *[(20, 128), (128, 256)],  # view
        *[(4352, 4096), (4096, 64 * 8 * 8)],  # flow
        *[(4352, 1024), (1024, 16 * 8 * 8)],  # foreground
    ]


def test_a_config_builds_them() -> None:
    for name, more in [("AppearanceFlow", {"size": SIZE, "width": 8}), ("ConvAppearanceFlow", {})]:
        network = MODELS.build({"type": name, "structure_channels": 2, **more})
        assert (network.flow_levels, network.previous) == ((0,), 0)


def shifted(batch: int, draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Smooth pictures ``[B, 3, 32, 32]``, the same moved by whole pixels, and how far."""
    canvas = F.interpolate(torch.rand(batch, 3, 7, 7, generator=draw) * 2 - 1, 40, mode="bicubic")
    moved = torch.randint(-4, 5, (batch, 2), generator=draw)
    targets = [
        picture[:, 4 + y : 36 + y, 4 + x : 36 + x]
        for picture, (x, y) in zip(canvas, moved.tolist(), strict=True)
    ]
    return canvas[:, :, 4:36, 4:36], torch.stack(targets), moved.float()


@pytest.mark.parametrize(("build", "steps"), [(published, 300), (convolutional, 80)])
def test_it_learns_to_shift(build: Any, steps: int) -> None:
    network = build(size=(32, 32))
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    draw = torch.Generator().manual_seed(1)
    for _ in range(steps):
        source, target, moved = shifted(8, draw)
        code = moved[:, :, None, None] / 4
        output = network([source], [torch.zeros_like(code)], code)
        optimizer.zero_grad()
        (output.image - target).abs().mean().backward()
        optimizer.step()
    source, target, moved = shifted(32, draw)
    code = moved[:, :, None, None] / 4
    with torch.no_grad():
        output = network([source], [torch.zeros_like(code)], code)
    error = (output.flows[0][0] - moved[:, :, None, None]).norm(dim=1)[:, 6:-6, 6:-6].mean()
    assert error < 0.35 * moved.norm(dim=1).mean()
    assert (output.image - target).abs().mean() < 0.5 * (source - target).abs().mean()


def test_confidence_learns_which_view_shows_it() -> None:
    network = convolutional(code="both")
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    good, bad = torch.ones(4, 2, 1, 1), -torch.ones(4, 2, 1, 1)
    for _ in range(30):
        target = pictures(4)
        output = network([pictures(4), target], [bad, good], good)
        optimizer.zero_grad()
        (output.image - target).abs().mean().backward()
        optimizer.step()
    assert float(output.masks[1][0].detach().mean()) > 0.9
