"""The papers' pose networks with random weights, and random inputs for them.

Built from classes, so that no config file has to be found; a test holds them to ``configs/pose``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from gfla_video.components.attention import LocalAttention
from gfla_video.components.discriminator import ResidualDiscriminator
from gfla_video.components.encoder import PyramidEncoder
from gfla_video.components.flow_estimator import FlowEstimator
from gfla_video.components.renderer import TextureRenderer
from gfla_video.models.generator import TransferGenerator

STRUCTURE_CHANNELS = 18


@dataclass(frozen=True)
class Plan:
    """Size and make of one published network.

    Attributes:
        name: as tables call it.
        size: (H, W) of the pictures.
        kernels: k of each attention level, coarse to fine.
        levels: attention levels, coarse to fine.
        channels: of the attention blocks.
        flow_widths: ``base_channels`` and ``max_channels`` of the flow estimator.
        widths: the same of source encoder and renderer.
    """

    name: str
    size: tuple[int, int]
    levels: tuple[int, ...]
    kernels: tuple[int, ...]
    channels: tuple[int, ...]
    flow_widths: tuple[int, int] = (32, 256)
    widths: tuple[int, int] = (64, 512)


FASHION = Plan("Fashion", (256, 256), (3, 2), (3, 5), (256, 128))
MARKET = Plan("Market", (128, 64), (2,), (3,), (128,))
TINY = Plan("tiny", (64, 64), (3, 2), (3, 5), (8, 8), (4, 8), (4, 8))


def build_generator(plan: Plan, gain: float = 1.0) -> nn.Module:
    """The generator with orthogonal weights; gain 1 gives flows and pictures of natural size."""
    base, most = plan.widths
    flow_base, flow_most = plan.flow_widths
    return TransferGenerator(
        PyramidEncoder(3, base, most, levels=plan.levels[0]),
        FlowEstimator(
            structure_channels=STRUCTURE_CHANNELS,
            base_channels=flow_base,
            max_channels=flow_most,
            flow_levels=plan.levels,
            gain=gain,
        ),
        TextureRenderer(
            [LocalAttention(c, k) for c, k in zip(plan.channels, plan.kernels, strict=True)],
            plan.levels,
            STRUCTURE_CHANNELS,
            base,
            most,
        ),
        gain,
    )


def build_discriminator(plan: Plan) -> nn.Module:
    """The discriminator of stage 2."""
    if plan is TINY:
        return ResidualDiscriminator(base_channels=4, max_channels=8, levels=3)
    return ResidualDiscriminator(levels=3 if plan is MARKET else 4)


def random_inputs(plan: Plan, batch: int, device: torch.device) -> dict[str, Any]:
    """Arguments of the generator's call: pictures in [-1, 1], maps in [0, 1]."""
    picture = torch.rand(batch, 3, *plan.size, device=device) * 2 - 1
    maps = torch.rand(2, batch, STRUCTURE_CHANNELS, *plan.size, device=device)
    return {
        "sources": [picture],
        "source_structures": [maps[0]],
        "target_structure": maps[1],
    }
