"""Stage 1: the flow estimator alone (paper section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from gfla_video.components.features import FeatureExtractor
from gfla_video.components.losses.inputs import TransferLoss
from gfla_video.models.base import Inputs, LossModel, points_of, split_samples
from gfla_video.registry import MODELS


@MODELS.register_module()
class FlowModel(LossModel):
    """Trains the flow estimator by sampling correctness and affine regularisation.

    The mask heads get no gradient here unless a loss trains them, so they are frozen: a parameter
    that never gets a gradient would break distributed training.

    Args:
        flow_estimator: the network, the model's only child with weights.
        losses: by name.
        features: extractor of the losses.
        data_preprocessor: MMEngine's.
        **switches: ``channels_last`` and ``checkpointing``, see :class:`LossModel`.
    """

    def __init__(
        self,
        flow_estimator: nn.Module,
        losses: Mapping[str, TransferLoss],
        features: FeatureExtractor | None = None,
        data_preprocessor: dict[str, Any] | nn.Module | None = None,
        **switches: bool,
    ) -> None:
        super().__init__(losses, features, data_preprocessor, **switches)
        self.flow_estimator = flow_estimator
        self.apply_switches()
        self.levels = tuple(flow_estimator.flow_levels)
        if not any(loss.trains_masks for loss in losses.values()):
            for parameter in flow_estimator.mask_parameters():
                parameter.requires_grad_(False)

    def forward(
        self,
        inputs: Inputs,
        targets: dict[str, Any] | None = None,
        meta: Any = None,
        mode: str = "tensor",
    ) -> Any:
        """``tensor``: flows and masks; ``predict``: one dict per sample; ``loss``: the losses.

        Args:
            inputs: ``sources`` and ``source_structures`` (lists over references) and
                ``target_structure``.
            targets: ``image [B, 3, H, W]``, for ``loss``.
            meta: names of the samples, not used.
            mode: one of the three.
        """
        output = self.flow_estimator(**inputs)
        if mode == "tensor":
            return output
        if mode == "predict":
            batch = inputs["target_structure"].shape[0]
            return split_samples(batch, output.flows, output.masks, image=None)
        if mode != "loss" or targets is None:
            raise ValueError(f"mode must be loss (with targets), predict or tensor, got {mode!r}")
        return self.compute_losses(
            targets["image"],
            inputs,
            output.flows,
            output.masks,
            self.levels,
            points=points_of(targets),
        )
