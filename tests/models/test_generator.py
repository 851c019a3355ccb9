"""The one call: sizes, references, and what can be computed once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gfla_video.apis.config import load_config
from gfla_video.models import TransferGenerator
from gfla_video.registry import MODELS


def build(levels: tuple[int, ...] = (3, 2), flow_levels: tuple[int, ...] | None = None) -> Any:
    """A tiny generator with one-channel structures."""
    small = {"base_channels": 4, "max_channels": 8}
    return MODELS.build(
        {
            "type": "TransferGenerator",
            "source_encoder": {"type": "PyramidEncoder", **small},
            "flow_estimator": {
                "type": "FlowEstimator",
                "structure_channels": 1,
                "flow_levels": flow_levels or levels,
                "gain": 1.0,
                **small,
            },
            "renderer": {
                "type": "TextureRenderer",
                "structure_channels": 1,
                "attention_levels": levels,
                "attentions": [
                    {"type": "LocalAttention", "channels": 8, "kernel_size": 3, "hidden": 4}
                    for _ in levels
                ],
                **small,
            },
            "gain": 1.0,
        }
    ).eval()


def inputs(batch: int = 1, references: int = 1, size: tuple[int, int] = (64, 96)) -> dict[str, Any]:
    """Random pictures and structures."""
    return {
        "sources": [torch.rand(batch, 3, *size) * 2 - 1 for _ in range(references)],
        "source_structures": [torch.rand(batch, 1, *size) for _ in range(references)],
        "target_structure": torch.rand(batch, 1, *size),
    }


@pytest.mark.parametrize(
    ("name", "parameters", "scales"), [("fashion", 14_047_395, 2), ("market", None, 1)]
)
def test_the_papers_generators(
    repo_root: Path, name: str, parameters: int | None, scales: int
) -> None:
    """The paper prints 14.04 M parameters for DeepFashion."""
    config = load_config(repo_root / "configs" / "pose" / f"{name}.py")
    generator = MODELS.build(config.stages[1]["model"]["generator"])
    assert isinstance(generator, TransferGenerator)
    if parameters is not None:
        assert sum(p.numel() for p in generator.parameters()) == parameters
    assert len(generator.flow_estimator.flow_levels) == scales
    stage1 = MODELS.build(config.stages[0]["model"]["flow_estimator"])
    ours = {k: v.shape for k, v in generator.flow_estimator.state_dict().items()}
    assert {k: v.shape for k, v in stage1.state_dict().items()} == ours
    height, width = config.size
    structure = torch.zeros(1, 18, height, width)
    with torch.no_grad():
        out = generator([torch.zeros(1, 3, height, width)], [structure], structure)
    assert out.image.shape == (1, 3, height, width)
    attended = [tuple(flow.shape[2:]) for flow in out.flows[0]]
    assert attended == [(height // f, width // f) for f in ((8, 4) if scales == 2 else (4,))]


@torch.no_grad()
def test_a_second_reference_takes_part() -> None:
    generator, given = build(), inputs(references=2)
    both = generator(**given)
    assert both.image.shape == (1, 3, 64, 96)
    assert [len(both.flows), len(both.masks), len(both.flows[1])] == [2, 2, 2]
    first = generator(
        given["sources"][:1], given["source_structures"][:1], given["target_structure"]
    )
    assert torch.equal(both.flows[0][1], first.flows[0][1])
    assert not torch.allclose(both.image, first.image, atol=1e-3)
    swapped = generator(
        given["sources"][::-1], given["source_structures"][::-1], given["target_structure"]
    )
    torch.testing.assert_close(swapped.image, both.image, rtol=0, atol=1e-5)


@torch.no_grad()
def test_one_source_serves_three_targets_and_is_encoded_once() -> None:
    generator, given = build(), inputs()
    targets = torch.rand(3, 1, 64, 96)
    sources, structures = given["sources"], given["source_structures"]
    out = generator(sources, structures, targets)
    assert out.image.shape == (3, 3, 64, 96)
    assert out.masks[0][1].shape == (3, 1, 16, 24)
    for index in range(3):
        alone = generator(sources, structures, targets[index : index + 1])
        torch.testing.assert_close(out.image[index], alone.image[0], rtol=0, atol=1e-5)
    encoded = generator.encode_sources(sources)
    calls: list[Tensor] = []
    generator.source_encoder.register_forward_hook(lambda *_: calls.append(_[2]))
    assert torch.equal(generator(sources, structures, targets, encoded=encoded).image, out.image)
    assert not calls


def test_the_estimators_and_the_renderers_levels_must_agree() -> None:
    with pytest.raises(ValueError, match=r"flow at the levels \(3, 2\) but attention at \(3,\)"):
        build(levels=(3,), flow_levels=(3, 2))


@pytest.mark.parametrize("size", [(80, 64), (64, 80), (32, 64), (64, 32)])
def test_sizes_that_cannot_be_halved_five_times(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"at least 64, got {size[0]} x {size[1]}: crop, pad"):
        build()(**inputs(size=size))


def test_every_weight_gets_a_gradient() -> None:
    generator = build()
    out = generator(**inputs())
    out.image.square().mean().backward()
    without = [name for name, p in generator.named_parameters() if p.grad is None]
    assert not without


@pytest.mark.parametrize("gain", [0.02, 1.0])
def test_gain_of_the_initial_weights(gain: float) -> None:
    encoder, renderer = nn.Conv2d(4, 8, 3), nn.Conv2d(8, 4, 3)
    flow = nn.Conv2d(8, 8, 1)
    before = flow.weight.clone()
    flow.flow_levels = renderer.attention_levels = (2,)  # type: ignore[assignment]
    TransferGenerator(encoder, flow, renderer, gain=gain)
    for layer in (encoder, renderer):
        values = torch.linalg.svdvals(layer.weight.detach().flatten(1))
        torch.testing.assert_close(values, torch.full_like(values, gain))
        assert not layer.bias.any()  # type: ignore[union-attr]
    assert torch.equal(flow.weight, before)  # the estimator brings its own


def coded(fusion: str = "NormalizedFusion", previous: int = 0) -> Any:
    """A tiny generator whose structures are codes of one channel."""
    small = {"base_channels": 4, "max_channels": 8, "structure_channels": 1}
    attention = {"type": "LocalAttention", "channels": 8, "kernel_size": 3, "hidden": 4}
    config = {
        "type": "TransferGenerator",
        "source_encoder": {"type": "PyramidEncoder", "base_channels": 4, "max_channels": 8},
        "flow_estimator": {
            "type": "FlowEstimator",
            "structure_at": "bottleneck",
            "gain": 1.0,
            **small,
        },
        "renderer": {
            "type": "TextureRenderer",
            "structure_at": "bottleneck",
            "attentions": [attention, attention],
            "fusion": {"type": fusion},
            **small,
        },
        "previous": previous,
        "gain": 1.0,
    }
    return MODELS.build(config).double().eval()


def views(count: int, batch: int = 2) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Random pictures and codes of so many views, and a target code."""
    images = list(torch.rand(count, batch, 3, 64, 96, dtype=torch.float64) * 2 - 1)
    codes = list(torch.randn(count + 1, batch, 1, 1, 1, dtype=torch.float64))
    return images, codes[:-1], codes[-1]


def test_several_views_are_references_in_any_order() -> None:
    """One generator serves one view and three; with normalised fusion their order is the same."""
    generator = coded()
    images, codes, target = views(3)
    out = generator(images, codes, target)
    assert out.image.shape == (2, 3, 64, 96) and len(out.flows) == len(out.masks) == 3
    turned = generator(images[::-1], codes[::-1], target)
    torch.testing.assert_close(turned.image, out.image)
    torch.testing.assert_close(turned.flows[0], out.flows[2])
    again = generator(images, codes, target, generator.encode_sources(images))
    torch.testing.assert_close(again.image, out.image)
    alone = generator(images[:1], codes[:1], target)
    torch.testing.assert_close(alone.flows[0], out.flows[0])
    assert float((alone.image - out.image).detach().abs().max()) > 1e-5


def test_the_same_view_twice_is_the_view() -> None:
    images, codes, target = views(1)
    generator = coded("SumFusion")
    one, two = generator(images, codes, target), generator(images * 2, codes * 2, target)
    assert float((one.image - two.image).detach().abs().max()) > 1e-5  # the sum adds them up
    generator = coded()
    with torch.no_grad():  # where the mask is 1, a view is taken whole however often it comes
        for head in generator.flow_estimator.mask_heads:
            head.bias.fill_(40.0)
    one, two = generator(images, codes, target), generator(images * 2, codes * 2, target)
    torch.testing.assert_close(one.image, two.image)


def test_several_sources_leave_no_room_for_previous_frames() -> None:
    images, codes, target = views(3)
    with pytest.raises(ValueError, match="3 references for a generator of one source and 1"):
        coded(previous=1)(images, codes, target)
