"""What the models of both stages share: losses over one set of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from gfla_video.components.features import FeatureExtractor
from gfla_video.components.losses import LossInputs
from gfla_video.components.losses.inputs import Features, Points, TransferLoss
from gfla_video.components.recompute import set_checkpointing

Inputs = dict[str, Any]


class LossModel(BaseModel):
    """A model whose losses are named modules and whose features are computed once per step.

    Args:
        losses: by name; the log calls them ``loss_<name>``.
        features: the frozen extractor; needed as soon as a loss asks for features.
        data_preprocessor: MMEngine's; moves the batch to the device by default.
        channels_last: lay the weights of all networks out channels last, and with them every map
            that a convolution makes; faster on GPUs with half types, a little on CPUs.
        checkpointing: switch the activation checkpointing of all parts on, the extractor's too:
            less memory, more time, the same values and gradients.
    """

    def __init__(
        self,
        losses: Mapping[str, TransferLoss],
        features: FeatureExtractor | None = None,
        data_preprocessor: dict[str, Any] | nn.Module | None = None,
        channels_last: bool = False,
        checkpointing: bool = False,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.channels_last = channels_last
        self.checkpointing = checkpointing
        self.losses = nn.ModuleDict(losses)
        self.features = features
        if features is None and any(loss.needs for loss in losses.values()):
            names = [name for name, loss in losses.items() if loss.needs]
            raise ValueError(f"the losses {', '.join(names)} need a feature extractor (features=)")
        self._layers = {who: self._needed(who) for who in ("target", "source", "fake")}

    def apply_switches(self) -> None:
        """Do what the constructor's switches ask; a subclass calls it when it has its networks."""
        if self.channels_last:
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.checkpointing:
            set_checkpointing(self)

    def _needed(self, who: str) -> set[str]:
        roles = {role for loss in self.losses.values() for role in loss.needs.get(who, ())}  # type: ignore[union-attr,operator]
        return self.features.layers_of(sorted(roles)) if self.features is not None else set()

    def compute_losses(
        self,
        target: Tensor,
        inputs: Inputs,
        flows: Sequence[Sequence[Tensor]],
        masks: Sequence[Sequence[Tensor]],
        levels: Sequence[int],
        fake: Tensor | None = None,
        source_features: Sequence[Features] | None = None,
        points: Points | None = None,
    ) -> dict[str, Tensor]:
        """All losses by log name; every picture goes through the extractor at most once.

        Args:
            target: true target picture ``[B, 3, H, W]``.
            inputs: what the network was given.
            flows: ``[r][scale]``, what it predicted.
            masks: ``[r][scale]``.
            levels: level of each scale.
            fake: generated picture, where there is one.
            source_features: of :meth:`features_of_source` for each source, where they are known.
            points: corresponding points, where the data have some.
        """
        sources = inputs["sources"]
        with torch.no_grad():
            target_features = self._extract(target, "target")
            if source_features is None:
                source_features = [self.features_of_source(source) for source in sources]
        given = LossInputs(
            target=target,
            sources=sources,
            source_structures=inputs["source_structures"],
            target_structure=inputs["target_structure"],
            flows=flows,
            masks=masks,
            levels=levels,
            fake=fake,
            target_features=target_features,
            source_features=source_features,
            fake_features={} if fake is None else self._extract(fake, "fake"),
            layers={} if self.features is None else self.features.roles,
            points=points,
        )
        return {f"loss_{name}": loss(given) for name, loss in self.losses.items()}

    @torch.no_grad()
    def features_of_source(self, images: Tensor) -> Features:
        """What the losses read of a source ``[B, 3, H, W]``, by layer name."""
        return self._extract(images, "source")

    def _extract(self, images: Tensor, who: str) -> dict[str, Tensor]:
        layers = self._layers[who]
        if self.features is None or not layers:
            return {}
        found: dict[str, Tensor] = self.features(images, layers)
        return found


def points_of(targets: Mapping[str, Any]) -> Points | None:
    """``points`` and ``source_points`` (of one source, or a list) of the targets, if both are."""
    if "points" not in targets or "source_points" not in targets:
        return None
    sources = targets["source_points"]
    return Points(targets["points"], [sources] if isinstance(sources, Tensor) else sources)


def split_samples(batch: int, flows: Any, masks: Any, image: Tensor | None) -> list[dict[str, Any]]:
    """A batched output as one dict per sample: ``flows[r][scale] [2, h, w]``, masks, image."""
    samples = []
    for index in range(batch):
        sample: dict[str, Any] = {
            "flows": [[flow[index] for flow in scales] for scales in flows],
            "masks": [[mask[index] for mask in scales] for scales in masks],
        }
        if image is not None:
            sample["image"] = image[index]
        samples.append(sample)
    return samples
