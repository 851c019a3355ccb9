"""The two-optimiser step: one fake, the right order, no gradient where none belongs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from gfla_video.components.features import FeatureExtractor
from gfla_video.components.losses import AdversarialLoss, PerceptualLoss, ReconstructionLoss
from gfla_video.engine.optim import PerNetworkOptimConstructor
from gfla_video.models import TransferModel
from gfla_video.structures import GeneratorOutput
from gfla_video.utils.errors import UserError


class TinyGenerator(nn.Module):
    """Gives the source, tinted; counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.tint = nn.Parameter(torch.full((1, 3, 1, 1), 0.25))
        self.flow_levels = (2,)
        self.calls = 0

    def forward(
        self, sources: list[Tensor], source_structures: list[Tensor], target_structure: Tensor
    ) -> GeneratorOutput:
        self.calls += 1
        flow = target_structure.new_zeros(len(target_structure), 2, 4, 4)
        return GeneratorOutput(sources[0] + self.tint, [[flow]], [[flow[:, :1]]])


class Tracing(OptimWrapper):
    """Notes each update, and which networks had a gradient then."""

    def __init__(self, network: nn.Module, name: str, trace: list[str]) -> None:
        super().__init__(torch.optim.SGD(network.parameters(), lr=0.1))
        self.name, self.trace = name, trace

    def update_params(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        super().update_params(loss, *args, **kwargs)
        self.trace.append(self.name)


def build(order: str = "discriminator_first") -> TransferModel:
    return TransferModel(
        TinyGenerator(),
        {"rec": ReconstructionLoss(weight=5.0)},
        nn.Conv2d(3, 1, 1),
        AdversarialLoss(mode="lsgan", weight=2.0),
        update_order=order,
    )


def wrappers(model: TransferModel) -> tuple[OptimWrapperDict, list[str]]:
    trace: list[str] = []
    both = {
        name: Tracing(getattr(model, name), name, trace) for name in ("generator", "discriminator")
    }
    return OptimWrapperDict(**both), trace


def batch() -> dict[str, Any]:
    structure = torch.zeros(2, 1, 16, 16)
    return {
        "inputs": {
            "sources": [torch.rand(2, 3, 16, 16)],
            "source_structures": [structure],
            "target_structure": structure,
        },
        "targets": {"image": torch.rand(2, 3, 16, 16)},
        "meta": {"name": ["a", "b"]},
    }


@pytest.mark.parametrize("order", ["discriminator_first", "generator_first"])
def test_one_fake_per_step_and_the_configs_order(order: str) -> None:
    model = build(order)
    optim, trace = wrappers(model)
    logs = model.train_step(batch(), optim)
    assert model.generator.calls == 1
    first = order.removesuffix("_first")
    assert trace == [first, *({"generator", "discriminator"} - {first})]
    assert set(logs) == {"loss_rec", "loss_adversarial", "loss_generator", "loss_discriminator"}
    total = logs["loss_rec"] + logs["loss_adversarial"]
    torch.testing.assert_close(logs["loss_generator"], total)


def expected_step(order: str, model: TransferModel, data: dict[str, Any]) -> dict[str, Tensor]:
    """The step written out: plain SGD at 0.1, lsgan, the generator's losses weighted by 2 and 5."""
    weights = {k: v.detach().clone().requires_grad_() for k, v in model.named_parameters()}
    source, real = data["inputs"]["sources"][0], data["targets"]["image"]
    fake = source + weights["generator.tint"]

    def judge(picture: Tensor) -> Tensor:
        return nn.functional.conv2d(
            picture, weights["discriminator.weight"], weights["discriminator.bias"]
        )

    def update(loss: Tensor, prefix: str) -> None:
        names = [name for name in weights if name.startswith(prefix)]
        gradients = torch.autograd.grad(loss, [weights[name] for name in names])
        for name, gradient in zip(names, gradients, strict=True):
            weights[name] = (weights[name] - 0.1 * gradient).detach().requires_grad_()

    def discriminator() -> None:
        true, false = judge(real), judge(fake.detach())
        update(((true - 1).square().mean() + false.square().mean()) / 2, "discriminator")

    def generator() -> None:
        loss = 5.0 * (fake - real).abs().mean() + 2.0 * (judge(fake) - 1).square().mean()
        update(loss, "generator")

    steps = [discriminator, generator]
    for step in steps if order == "discriminator_first" else reversed(steps):
        step()
    return weights


@pytest.mark.parametrize("order", ["discriminator_first", "generator_first"])
def test_a_step_is_what_the_order_says(order: str) -> None:
    model, data = build(order), batch()
    weights = expected_step(order, model, data)
    model.train_step(data, wrappers(model)[0])
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter, weights[name], msg=lambda m, n=name: f"{n}: {m}")


def test_each_networks_loss_leaves_the_other_alone() -> None:
    model, data = build(), batch()
    output = model(data["inputs"])
    losses = model.generator_losses(output, data["inputs"], data["targets"])
    sum(losses.values()).backward()
    assert all(p.grad is None for p in model.discriminator.parameters())
    assert all(p.requires_grad for p in model.discriminator.parameters())
    tint = model.generator.tint
    assert float(tint.grad.abs().sum()) > 0  # type: ignore[union-attr]
    tint.grad = None
    fake = output.image.detach()
    sum(model.discriminator_losses(fake, data["targets"]["image"]).values()).backward()
    assert tint.grad is None
    assert all(p.grad is not None for p in model.discriminator.parameters())


def test_a_weight_that_was_frozen_stays_frozen() -> None:
    model, data = build(), batch()
    model.discriminator.bias.requires_grad_(False)
    model.train_step(data, wrappers(model)[0])
    assert not model.discriminator.bias.requires_grad
    assert model.discriminator.weight.requires_grad


def test_without_a_discriminator_the_generator_is_trained_alone() -> None:
    model, data = TransferModel(TinyGenerator(), {"rec": ReconstructionLoss(weight=5.0)}), batch()
    source, real = data["inputs"]["sources"][0], data["targets"]["image"]
    settings = {"optimizer": {"type": "SGD", "lr": 0.1}}
    optim = PerNetworkOptimConstructor({"generator": settings})(model)
    fake = source + 0.25
    # the derivative of the mean of |fake - real| for a tint that all pixels of a channel share
    slope = 5.0 * (fake - real).sign().mean(dim=(0, 2, 3), keepdim=True) / 3
    logs = model.train_step(data, optim)
    assert set(logs) == {"loss_rec", "loss_generator"}
    torch.testing.assert_close(logs["loss_generator"], 5.0 * (fake - real).abs().mean())
    torch.testing.assert_close(model.generator.tint.detach(), 0.25 - 0.1 * slope)
    assert [name for name, _ in model.named_children()] == [
        "data_preprocessor",
        "losses",
        "generator",
    ]


def test_discriminator_and_adversarial_loss_come_together() -> None:
    losses = {"rec": ReconstructionLoss()}
    with pytest.raises(ValueError, match="a discriminator alone: give both"):
        TransferModel(TinyGenerator(), losses, discriminator=nn.Conv2d(3, 1, 1))
    with pytest.raises(ValueError, match="an adversarial loss alone: give both"):
        TransferModel(TinyGenerator(), losses, adversarial=AdversarialLoss())
    model = TransferModel(TinyGenerator(), losses)
    settings = {"optimizer": {"type": "SGD", "lr": 0.1}}
    with pytest.raises(UserError, match="'discriminator' is no child of TransferModel"):
        PerNetworkOptimConstructor({"generator": settings, "discriminator": settings})(model)


class CountingFeatures(FeatureExtractor):
    """The picture itself, and how often it was asked for what."""

    roles = {"content": ("whole",)}

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[bool, set[str]]] = []

    def forward(self, images: Tensor, layers: set[str]) -> dict[str, Tensor]:
        self.asked.append((torch.is_grad_enabled(), set(layers)))
        return dict.fromkeys(layers, images)


def test_features_are_computed_once_per_picture() -> None:
    features = CountingFeatures()
    losses = {"one": PerceptualLoss(), "two": PerceptualLoss(weight=2.0)}
    model = TransferModel(TinyGenerator(), losses, features=features)
    data = batch()
    logs = model(data["inputs"], data["targets"], mode="loss")
    assert features.asked == [(False, {"whole"}), (True, {"whole"})]  # the target, then the fake
    torch.testing.assert_close(logs["loss_two"], 2 * logs["loss_one"])
    with pytest.raises(ValueError, match="the losses one, two need a feature extractor"):
        TransferModel(TinyGenerator(), losses)


def test_modes_and_wrong_values() -> None:
    model, data = build(), batch()
    samples = model(data["inputs"], mode="predict")
    assert [sample["image"].shape for sample in samples] == [(3, 16, 16)] * 2
    assert samples[0]["flows"][0][0].shape == (2, 4, 4)
    assert set(model(data["inputs"], data["targets"], mode="loss")) == {
        "loss_rec",
        "loss_adversarial",
    }
    with pytest.raises(ValueError, match="mode must be loss"):
        model(data["inputs"], mode="loss")
    with pytest.raises(ValueError, match="update_order must be discriminator_first or gen"):
        build("both")
