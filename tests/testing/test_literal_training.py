"""The released training step, redundant as it is, computes what ours computes."""

from __future__ import annotations

import copy
from typing import Any

import torch

from gfla_video.models import TransferModel
from gfla_video.registry import MODELS
from gfla_video.testing.literal import LiteralStep, materialised

_WIDTHS = {"base_channels": 4, "max_channels": 8}


def small_model() -> TransferModel:
    """A stage-2 model with the papers' losses and weights over features that need no file."""
    attentions = [
        {"type": "LocalAttention", "channels": 8, "kernel_size": k, "hidden": 8} for k in (3, 5)
    ]
    model = MODELS.build(
        {
            "type": "TransferModel",
            "generator": {
                "type": "TransferGenerator",
                "source_encoder": {"type": "PyramidEncoder", **_WIDTHS},
                "flow_estimator": {"type": "FlowEstimator", "gain": 1.0, **_WIDTHS},
                "renderer": {"type": "TextureRenderer", "attentions": attentions, **_WIDTHS},
                "gain": 1.0,
            },
            "discriminator": {"type": "ResidualDiscriminator", "levels": 3, **_WIDTHS},
            "adversarial": {"type": "AdversarialLoss", "weight": 2.0},
            "features": {"type": "FilterBankFeatures"},
            "losses": {
                "reconstruction": {"type": "ReconstructionLoss", "weight": 5.0},
                "perceptual": {"type": "PerceptualLoss", "weight": 0.5},
                "style": {"type": "StyleLoss", "weight": 500.0},
                "correctness": {"type": "SamplingCorrectnessLoss", "weight": 5.0},
                "regularization": {"type": "AffineRegularizationLoss", "weight": 0.0025},
            },
        }
    )
    return model.double().train()


def batch() -> dict[str, Any]:
    images = torch.rand(2, 2, 3, 64, 64, dtype=torch.float64) * 2 - 1
    structures = torch.rand(2, 2, 18, 64, 64, dtype=torch.float64)
    return {
        "inputs": {
            "sources": [images[0]],
            "source_structures": [structures[0]],
            "target_structure": structures[1],
        },
        "targets": {"image": images[1]},
    }


def test_the_same_losses_and_gradients() -> None:
    model, data = small_model(), batch()
    literal = LiteralStep(
        materialised(model.generator), copy.deepcopy(model.discriminator), model.features
    )
    inputs, targets = data["inputs"], data["targets"]
    output = model(inputs, mode="tensor")
    ours = model.discriminator_losses(output.image.detach(), targets["image"])
    ours.update(model.generator_losses(output, inputs, targets))

    released = literal.generator(**inputs)
    judged = literal.discriminator_loss(released.image.detach(), targets["image"])
    theirs = literal.generator_losses(released, inputs, targets["image"])
    torch.testing.assert_close(judged, ours.pop("loss_discriminator"), rtol=1e-9, atol=0)
    assert {f"loss_{name}" for name in theirs} == set(ours)
    for name, value in theirs.items():
        torch.testing.assert_close(value, ours[f"loss_{name}"], rtol=1e-8, atol=0, msg=name)

    torch.stack(list(ours.values())).sum().backward()
    torch.stack(list(theirs.values())).sum().backward()
    there = dict(literal.generator.named_parameters())
    compared = 0
    for name, parameter in model.generator.named_parameters():
        if name in there:
            assert parameter.grad is not None
            scale = float(parameter.grad.abs().max()) + 1e-3
            torch.testing.assert_close(there[name].grad, parameter.grad, rtol=0, atol=1e-6 * scale)
            compared += 1
    assert compared > 50


def test_a_step_updates_both_networks_and_leaves_no_gradients() -> None:
    model, data = small_model(), batch()
    literal = LiteralStep(materialised(model.generator), model.discriminator, model.features)
    networks = (literal.generator, literal.discriminator)
    before = [copy.deepcopy(network.state_dict()) for network in networks]
    found = literal.step(data)
    assert set(found) == {
        *("reconstruction", "perceptual", "style", "correctness", "regularization"),
        *("adversarial", "discriminator"),
    }
    assert all(torch.isfinite(value) and not value.requires_grad for value in found.values())
    for network, old in zip(networks, before, strict=True):
        changed = [name for name, p in network.named_parameters() if not torch.equal(p, old[name])]
        assert len(changed) == len(list(network.parameters()))
        assert all(p.grad is None and p.requires_grad for p in network.parameters())


def test_every_loss_runs_the_extractor_again() -> None:
    """Six passes: fake and target for content, the same for style, source and target for flow."""
    model, data = small_model(), batch()
    literal = LiteralStep(materialised(model.generator), model.discriminator, model.features)
    passes = []
    model.features.register_forward_hook(lambda *_: passes.append(1))
    literal.step(data)
    assert len(passes) == 6
