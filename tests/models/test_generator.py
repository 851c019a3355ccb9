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
