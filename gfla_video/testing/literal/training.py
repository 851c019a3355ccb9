"""One stage-2 training step as released: every loss runs VGG by itself, nothing is shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gfla_video.components.features import FeatureExtractor
from gfla_video.testing.literal import losses


@dataclass(frozen=True)
class LossWeights:
    """Factors of the generator's losses (facts 1.6)."""

    reconstruction: float = 5.0
    perceptual: float = 0.5
    style: float = 500.0
    correctness: float = 5.0
    regularization: float = 0.0025
    adversarial: float = 2.0


class LiteralStep:
    """The discriminator on the detached fake, then the generator (facts 1.6), plain Adam for both.

    The content loss runs the extractor on the fake and the target, so does the style loss, and the
    correctness loss runs it on the source and the target: six passes where two pictures and the
    fake would need three. Each goes only as deep as its loss looks.

    Args:
        generator: network of the one call, see :func:`materialised`.
        discriminator: picture to patch logits.
        features: the frozen extractor.
        kernel_sizes: windows of the regularisation, coarse to fine.
        weights: factors of the losses.
        learning_rate: of the generator; the discriminator has a tenth.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        features: FeatureExtractor,
        kernel_sizes: tuple[int, ...] = (3, 5),
        weights: LossWeights | None = None,
        learning_rate: float = 1e-4,
    ) -> None:
        self.generator, self.discriminator, self.features = generator, discriminator, features
        self.kernel_sizes = kernel_sizes
        self.weights = LossWeights() if weights is None else weights
        self.levels: tuple[int, ...] = tuple(generator.flow_estimator.flow_levels)  # type: ignore[union-attr,arg-type]
        betas = (0.0, 0.999)
        rate = learning_rate
        self.generator_optimizer = torch.optim.Adam(generator.parameters(), rate, betas)
        self.discriminator_optimizer = torch.optim.Adam(
            discriminator.parameters(), rate / 10, betas
        )

    def step(self, data: dict[str, Any]) -> dict[str, Tensor]:
        """Update both networks on ``data["inputs"]`` and ``data["targets"]["image"]``.

        Returns:
            All losses by name, detached.
        """
        inputs, target = data["inputs"], data["targets"]["image"]
        output = self.generator(**inputs)
        judged = self.discriminator_loss(output.image.detach(), target)
        _update(self.discriminator_optimizer, judged)
        found = self.generator_losses(output, inputs, target)
        _update(self.generator_optimizer, torch.stack(list(found.values())).sum())
        found["discriminator"] = judged
        return {name: value.detach() for name, value in found.items()}

    def discriminator_loss(self, fake: Tensor, real: Tensor) -> Tensor:
        """``(mean (D(real) - 1)^2 + mean D(fake)^2) / 2``, a scalar."""
        real_logits = self.discriminator(real)
        fake_logits = self.discriminator(fake)
        return 0.5 * ((real_logits - 1).square().mean() + fake_logits.square().mean())

    def generator_losses(
        self, output: Any, inputs: dict[str, Any], target: Tensor
    ) -> dict[str, Tensor]:
        """The weighted losses of the generator; one reference."""
        weights, fake = self.weights, output.image
        found = {
            "reconstruction": weights.reconstruction * F.l1_loss(fake, target),
            "perceptual": weights.perceptual * self._content(fake, target),
            "style": weights.style * self._style(fake, target),
            "correctness": weights.correctness
            * self._correctness(output.flows[0], inputs["sources"][0], target),
        }
        pairs = zip(output.flows[0], self.kernel_sizes, strict=True)
        affine = [losses.regularization(flow, size) for flow, size in pairs]
        found["regularization"] = weights.regularization * torch.stack(affine).sum()
        for parameter in self.discriminator.parameters():
            parameter.requires_grad_(False)
        judged = (self.discriminator(fake) - 1).square().mean()
        for parameter in self.discriminator.parameters():
            parameter.requires_grad_(True)
        found["adversarial"] = weights.adversarial * judged
        return found

    def _content(self, fake: Tensor, target: Tensor) -> Tensor:
        names = self.features.roles["content"]
        ours, true = self.features(fake, names), self.features(target, names)
        return torch.stack([losses.content(ours[name], true[name]) for name in names]).sum()

    def _style(self, fake: Tensor, target: Tensor) -> Tensor:
        names = self.features.roles["style"]
        ours, true = self.features(fake, names), self.features(target, names)
        return torch.stack([losses.style(ours[name], true[name]) for name in names]).sum()

    def _correctness(self, flows: list[Tensor], source: Tensor, target: Tensor) -> Tensor:
        names = [self.features.roles[f"level{level}"][0] for level in self.levels]
        there, here = self.features(source, names), self.features(target, names)
        pairs = zip(names, flows, strict=True)
        scales = [losses.correctness(there[name], here[name], flow) for name, flow in pairs]
        return torch.stack(scales).sum()


def _update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
