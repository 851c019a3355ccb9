"""Stage 2: the generator end to end, against a discriminator or alone (paper Eq. 15)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn

from gfla_video.components.features import FeatureExtractor
from gfla_video.components.losses import AdversarialLoss
from gfla_video.components.losses.inputs import TransferLoss
from gfla_video.models.base import Inputs, LossModel, points_of, split_samples
from gfla_video.registry import MODELS
from gfla_video.structures import GeneratorOutput

ORDERS = {
    "discriminator_first": ("discriminator", "generator"),
    "generator_first": ("generator", "discriminator"),
}


@MODELS.register_module()
class TransferModel(LossModel):
    """Owns the two-optimiser step: one generated batch, then each network in the config's order.

    Without a discriminator and an adversarial loss the generator is trained by its losses alone.

    Args:
        generator: network of the one call; its ``flow_levels`` say the level of each flow.
        losses: the generator's other losses by name.
        discriminator: picture to patch logits, or None.
        adversarial: the adversarial loss of both, or None.
        features: extractor of the losses.
        update_order: ``discriminator_first`` (released) or ``generator_first`` (PATN).
        data_preprocessor: MMEngine's.
        **switches: ``channels_last`` and ``checkpointing``, see :class:`LossModel`.

    Raises:
        ValueError: one of discriminator and adversarial loss alone, or another order.
    """

    def __init__(
        self,
        generator: nn.Module,
        losses: Mapping[str, TransferLoss],
        discriminator: nn.Module | None = None,
        adversarial: AdversarialLoss | None = None,
        features: FeatureExtractor | None = None,
        update_order: str = "discriminator_first",
        data_preprocessor: dict[str, Any] | nn.Module | None = None,
        **switches: bool,
    ) -> None:
        super().__init__(losses, features, data_preprocessor, **switches)
        if update_order not in ORDERS:
            raise ValueError(f"update_order must be {' or '.join(ORDERS)}, got {update_order!r}")
        if (discriminator is None) != (adversarial is None):
            given = "an adversarial loss" if discriminator is None else "a discriminator"
            raise ValueError(f"{given} alone: give both discriminator= and adversarial=, or none")
        self.generator = generator
        self.discriminator = discriminator
        self.apply_switches()
        self.adversarial = adversarial
        self.update_order = update_order
        self.levels = tuple(generator.flow_levels)  # type: ignore[arg-type]

    def forward(
        self,
        inputs: Inputs,
        targets: dict[str, Tensor] | None = None,
        meta: Any = None,
        mode: str = "tensor",
    ) -> Any:
        """``tensor``: the generator's output; ``predict``: one dict per sample; ``loss``: losses.

        Args:
            inputs: ``sources`` and ``source_structures`` (lists over references) and
                ``target_structure``.
            targets: ``image [B, 3, H, W]``, for ``loss``.
            meta: names of the samples, not used.
            mode: one of the three.
        """
        output = self.generator(**inputs)
        if mode == "tensor":
            return output
        if mode == "predict":
            batch = output.image.shape[0]
            return split_samples(batch, output.flows, output.masks, output.image)
        if mode != "loss" or targets is None:
            raise ValueError(f"mode must be loss (with targets), predict or tensor, got {mode!r}")
        return self.generator_losses(output, inputs, targets)

    def train_step(
        self, data: dict[str, Any], optim_wrapper: OptimWrapperDict
    ) -> dict[str, Tensor]:
        """One fake, then discriminator (on the detached fake) and generator by ``update_order``."""
        data = self.data_preprocessor(data, True)
        inputs, targets = data["inputs"], data["targets"]
        logs: dict[str, Tensor] = {}
        with optim_wrapper["generator"].optim_context(self.generator):
            output = self.generator(**inputs)
        for name in ORDERS[self.update_order]:
            if getattr(self, name) is None:
                continue
            if name == "discriminator":
                with optim_wrapper[name].optim_context(self.discriminator):
                    losses = self.discriminator_losses(output.image.detach(), targets["image"])
            else:
                with optim_wrapper[name].optim_context(self.generator):
                    losses = self.generator_losses(output, inputs, targets)
            total, step_logs = self.parse_losses(losses)
            optim_wrapper[name].update_params(total)
            step_logs[f"loss_{name}"] = step_logs.pop("loss")  # each update names its own total
            logs.update({key: value.detach() for key, value in step_logs.items()})
        return logs

    def discriminator_losses(self, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
        """Losses of the discriminator on a detached fake ``[B, 3, H, W]``."""
        real_logits = self.discriminator(real)
        fake_logits = self.discriminator(fake)
        return {"loss_discriminator": self.adversarial.discriminator(real_logits, fake_logits)}

    def generator_losses(
        self, output: GeneratorOutput, inputs: Inputs, targets: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """All losses of the generator (Eq. 15)."""
        losses = self.compute_losses(
            targets["image"],
            inputs,
            output.flows,
            output.masks,
            self.levels,
            output.image,
            points=points_of(targets),
        )
        if self.discriminator is not None and self.adversarial is not None:
            with frozen(self.discriminator):
                logits = self.discriminator(output.image)
            losses["loss_adversarial"] = self.adversarial.generator(logits)
        return losses


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Use a network without gradients for its weights, and without waiting for other processes."""
    silent = network.no_sync() if hasattr(network, "no_sync") else nullcontext()
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        with silent:
            yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
