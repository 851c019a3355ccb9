"""Switches of a training model: memory format, checkpointing; and how often VGG runs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from gfla_video.components.attention import LocalAttention
from gfla_video.components.discriminator import ResidualDiscriminator
from gfla_video.components.encoder import PyramidEncoder
from gfla_video.components.features import SqueezeNetFeatures
from gfla_video.components.flow_estimator import FlowEstimator
from gfla_video.components.losses import (
    AdversarialLoss,
    PerceptualLoss,
    ReconstructionLoss,
    SamplingCorrectnessLoss,
    StyleLoss,
)
from gfla_video.components.renderer import TextureRenderer
from gfla_video.models import FlowModel, TransferGenerator, TransferModel
from gfla_video.registry import MODELS

SMALL = {"base_channels": 8, "max_channels": 16}


def build(**switches: bool) -> TransferModel:
    torch.manual_seed(0)
    attentions = [LocalAttention(16, 3, hidden=8), LocalAttention(16, 5, hidden=8)]
    return TransferModel(
        TransferGenerator(
            PyramidEncoder(**SMALL),
            FlowEstimator(structure_channels=2, gain=1.0, **SMALL),
            TextureRenderer(attentions, structure_channels=2, **SMALL),
            gain=1.0,
        ),
        {
            "reconstruction": ReconstructionLoss(),
            "perceptual": PerceptualLoss(),
            "style": StyleLoss(),
            "correctness": SamplingCorrectnessLoss(),
        },
        ResidualDiscriminator(levels=3, **SMALL),
        AdversarialLoss(),
        SqueezeNetFeatures(weights=None),
        **switches,
    ).train()


def batch() -> dict[str, Any]:
    random = torch.Generator().manual_seed(1)
    pictures = torch.rand(2, 2, 3, 64, 64, generator=random) * 2 - 1
    structures = torch.rand(2, 2, 2, 64, 64, generator=random)
    inputs = {"sources": [pictures[0]], "source_structures": [structures[0]]}
    return {
        "inputs": {**inputs, "target_structure": structures[1]},
        "targets": {"image": pictures[1]},
    }


def step(model: TransferModel) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Losses and updated weights of one step."""
    networks = {"generator": model.generator, "discriminator": model.discriminator}
    wrappers = {
        name: OptimWrapper(torch.optim.Adam(network.parameters(), lr=1e-4, fused=True))
        for name, network in networks.items()
    }
    logs = model.train_step(batch(), OptimWrapperDict(**wrappers))
    return logs, dict(model.named_parameters())


def test_checkpointing_changes_no_bit_of_a_step() -> None:
    logs, weights = step(build())
    model = build(checkpointing=True)
    again, same = step(model)
    assert model.generator.renderer.checkpointing  # type: ignore[union-attr]
    assert model.features.checkpointing  # type: ignore[union-attr]
    assert logs.keys() == again.keys()
    assert all(torch.equal(logs[name], again[name]) for name in logs)
    assert not any(value.requires_grad for value in logs.values())
    for name, weight in weights.items():
        assert torch.equal(weight, same[name]), name


def test_channels_last_is_a_matter_of_rounding() -> None:
    logs, _ = step(build())
    model = build(channels_last=True)
    again, weights = step(model)
    torch.testing.assert_close(again, logs, rtol=1e-3, atol=1e-4)
    for name, tensor in [*weights.items(), *model.features.named_buffers()]:  # type: ignore[union-attr]
        if tensor.dim() == 4:
            assert tensor.is_contiguous(memory_format=torch.channels_last), name
    image = model(batch()["inputs"]).image
    assert image.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_every_picture_goes_through_the_extractor_once(
    checkpointing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build(checkpointing=checkpointing)
    seen: list[tuple[Tensor, bool]] = []

    def count(module: nn.Module, given: tuple[Any, ...]) -> None:
        seen.append((given[0].detach(), torch.is_grad_enabled()))

    model.features.register_forward_pre_hook(count)  # type: ignore[union-attr]
    step(model)
    assert [grad for _, grad in seen] == [False, False, True]  # target, source, generated
    target, source = batch()["targets"]["image"], batch()["inputs"]["sources"][0]
    assert torch.equal(seen[0][0], target)
    assert torch.equal(seen[1][0], source)


def test_a_config_says_them_for_both_models() -> None:
    flow = {"type": "FlowEstimator", "structure_channels": 2, **SMALL}
    config = {
        "type": "FlowModel",
        "flow_estimator": flow,
        "features": {"type": "FilterBankFeatures"},
        "losses": {"correctness": {"type": "SamplingCorrectnessLoss"}},
        "channels_last": True,
        "checkpointing": True,
    }
    model = MODELS.build(config)
    assert isinstance(model, FlowModel)
    assert model.flow_estimator.encoder.checkpointing  # type: ignore[union-attr]
    weight = model.flow_estimator.encoder.blocks[1].conv1.weight  # type: ignore[union-attr,index]
    assert weight.is_contiguous(memory_format=torch.channels_last)
    with pytest.raises(TypeError, match="chanels_last"):
        MODELS.build({**config, "chanels_last": True})
