"""A tiny generator of clips and a batch for it, for the tests of this folder."""

from __future__ import annotations

from typing import Any

import torch

from gfla_video.registry import MODELS

CHANNELS = 2
SMALL = {"base_channels": 4, "max_channels": 8}


def generator_config(previous: int, per_kind: bool = False) -> dict[str, Any]:
    """A generator at the size of a test, with a joint estimator or parts per kind."""
    encoder = dict(type="PyramidEncoder", **SMALL)
    attention = {"type": "LocalAttention", "channels": 8, "kernel_size": 3, "hidden": 8}
    flow = dict(structure_channels=CHANNELS, gain=1.0, flow_levels=(2,), **SMALL)
    estimator: dict[str, Any] = dict(type="JointFlowEstimator", references=1 + previous, **flow)
    if per_kind:
        one = dict(type="FlowEstimator", **flow)
        estimator = {"type": "PerKindFlowEstimator", "source": one, "previous": one}
        encoder = {"type": "PerKind", "source": encoder, "previous": encoder}
        attention = {"type": "PerKind", "source": attention, "previous": attention}
    renderer = dict(
        type="TextureRenderer",
        structure_channels=CHANNELS,
        attention_levels=(2,),
        attentions=[attention],
        fusion={"type": "NormalizedFusion"},
        **SMALL,
    )
    return {
        "type": "TransferGenerator",
        "previous": previous,
        "gain": 1.0,
        "source_encoder": encoder,
        "flow_estimator": estimator,
        "renderer": renderer,
    }


def build(config: dict[str, Any]) -> Any:
    return MODELS.build(config)


def clip_batch(frames: int = 4, batch: int = 2) -> dict[str, Any]:
    """Random clips of 64 x 64."""
    return {
        "inputs": {
            "sources": [torch.rand(batch, 3, 64, 64) * 2 - 1],
            "source_structures": [torch.rand(batch, CHANNELS, 64, 64)],
            "target_structures": torch.rand(batch, frames, CHANNELS, 64, 64),
        },
        "targets": {"image": torch.rand(batch, frames, 3, 64, 64) * 2 - 1},
    }
