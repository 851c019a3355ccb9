"""One stage-2 training step: the released redundancy over materialised patches against ours."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from gfla_video.components.features import FeatureExtractor, FilterBankFeatures, VGG19Features
from gfla_video.components.losses import (
    AdversarialLoss,
    AffineRegularizationLoss,
    PerceptualLoss,
    ReconstructionLoss,
    SamplingCorrectnessLoss,
    StyleLoss,
)
from gfla_video.engine.autocast import AutocastOptimWrapper
from gfla_video.engine.optim import NetworkOptimWrappers
from gfla_video.models import TransferModel
from gfla_video.testing.benchmark.cases import Case, Settings, Variant
from gfla_video.testing.benchmark.floors import nbytes, parameter_bytes
from gfla_video.testing.benchmark.networks import (
    FASHION,
    TINY,
    Plan,
    build_discriminator,
    build_generator,
    random_inputs,
)
from gfla_video.testing.literal import LiteralStep, LossWeights, materialised

BATCH = 2
RELEASED = "materialised and redundant float32"


def train_cases(settings: Settings) -> Iterator[Case]:
    """One case for each batch size."""
    for batch in settings.batches or (BATCH,):
        yield _Builder(TINY if settings.quick else FASHION, batch, settings).case()


class _Builder:
    """The variants of one step; all begin with the same weights and see the same batch."""

    def __init__(self, plan: Plan, batch: int, settings: Settings) -> None:
        torch.manual_seed(settings.seed)
        self.plan, self.batch, self.settings = plan, batch, settings
        self.generator = build_generator(plan)
        self.discriminator = build_discriminator(plan)
        # the weights' values do not change the time; quick runs need no network for features
        self.features: FeatureExtractor = (
            FilterBankFeatures() if settings.quick else VGG19Features(weights=None)
        ).to(settings.device)
        inputs = random_inputs(plan, batch, settings.device)
        image = torch.rand_like(inputs["sources"][0]) * 2 - 1
        self.data = {"inputs": inputs, "targets": {"image": image}}
        self.flops = 0
        networks = (self.generator, self.discriminator)
        trained = sum(nbytes(*network.parameters()) for network in networks)
        # read weights and both moments, write them and the gradients; features read once
        self.moved = 7 * trained + parameter_bytes(self.features) + nbytes(*_leaves(self.data))

    def case(self) -> Case:
        """All variants, and which to set against which."""
        variants = {RELEASED: self._literal()}
        for name, backend, options in self._ways():
            variants[name] = self._ours(backend, **options)
        names = list(variants)[1:]
        ratios = [(RELEASED, name) for name in names]
        native = [name for name in names if name.startswith("native")]
        ratios += [(native[0], name) for name in native[1:]]
        return Case(
            f"{self.plan.name} stage-2 step {self.plan.size[0]}x{self.plan.size[1]} "
            f"batch {self.batch}",
            {"network": self.plan.name, "size": list(self.plan.size), "batch": self.batch},
            variants,
            ratios,
        )

    def _ways(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Name, backend and options of each of our variants."""
        last, spared = {"channels_last": True}, {"checkpointing": True}
        return [
            ("plain float32 contiguous", "reference", {}),
            ("native float32 contiguous", "native", {}),
            ("native float32 channels_last", "native", last),
            ("native float32 channels_last, checkpointing", "native", {**last, **spared}),
            ("native bfloat16 channels_last", "native", {**last, "half": True}),
            (
                "native bfloat16 channels_last, checkpointing",
                "native",
                {**last, **spared, "half": True},
            ),
        ]

    def _literal(self) -> Variant:
        device = self.settings.device
        networks = [materialised(self.generator), copy.deepcopy(self.discriminator)]
        step = LiteralStep(
            *(network.train().to(device) for network in networks),
            self.features,
            self.plan.kernels,
        )

        def run() -> object:
            return step.step(self.data)

        optimizers = (step.generator_optimizer, step.discriminator_optimizer)
        return self._variant(run, "reference", networks, optimizers, "contiguous (NCHW)")

    def _ours(self, backend: str, half: bool = False, **switches: bool) -> Variant:
        device = self.settings.device
        model = transfer_model(
            copy.deepcopy(self.generator),
            copy.deepcopy(self.discriminator),
            copy.deepcopy(self.features),
            self.plan,
            **switches,
        )
        model.train().to(device)
        wrappers = optim_wrappers(model, half)

        def run() -> object:
            return model.train_step(self.data, wrappers)

        networks = [model.generator, model.discriminator]
        optimizers = [wrapper.optimizer for wrapper in wrappers.values()]
        note = "channels_last" if switches.get("channels_last") else "contiguous (NCHW)"
        dtype = torch.bfloat16 if half else torch.float32
        return self._variant(run, backend, networks, optimizers, note, dtype)

    def _variant(
        self,
        run: Any,
        backend: str,
        networks: list[nn.Module],
        optimizers: Any,
        note: str,
        dtype: torch.dtype = torch.float32,
    ) -> Variant:
        def state() -> int:
            moments = sum(nbytes(*_leaves(optimizer.state)) for optimizer in optimizers)
            return parameter_bytes(*networks, self.features) + moments

        return Variant(run, backend, self.moved, None, 0, dtype, self.batch, state=state, note=note)


def transfer_model(
    generator: nn.Module,
    discriminator: nn.Module,
    features: FeatureExtractor,
    plan: Plan,
    **switches: bool,
) -> TransferModel:
    """Stage 2 with the papers' losses and weights, as ``configs/pose/fashion.py`` has it.

    Args:
        generator: of the plan.
        discriminator: of the plan.
        features: extractor of the losses.
        plan: says levels and windows.
        **switches: ``channels_last`` and ``checkpointing`` of the model.
    """
    weights = LossWeights()
    return TransferModel(
        generator,
        {
            "reconstruction": ReconstructionLoss(weights.reconstruction),
            "perceptual": PerceptualLoss(weights.perceptual),
            "style": StyleLoss(weights.style),
            "correctness": SamplingCorrectnessLoss(weights.correctness, levels=plan.levels),
            "regularization": AffineRegularizationLoss(weights.regularization, plan.kernels),
        },
        discriminator,
        AdversarialLoss("lsgan", weights.adversarial),
        features,
        **switches,
    )


def optim_wrappers(
    model: TransferModel, half: bool = False, rate: float = 1e-4
) -> NetworkOptimWrappers:
    """Fused Adam for both networks, as the configs have it; ``half``: bfloat16 autocast."""

    def wrapper(network: nn.Module, rate: float) -> OptimWrapper:
        adam = torch.optim.Adam(network.parameters(), rate, (0.0, 0.999), fused=True)
        return AutocastOptimWrapper(adam, "bfloat16") if half else OptimWrapper(adam)

    return NetworkOptimWrappers(
        generator=wrapper(model.generator, rate),
        discriminator=wrapper(model.discriminator, rate / 10),
    )


def _leaves(value: Any) -> Iterator[Tensor]:
    """Every tensor in nested dicts and lists."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
