"""What a loss may look at. Features are computed once per step and shared by all losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor, nn

Features = Mapping[str, Tensor]


class Points(NamedTuple):
    """The same N points of the target and of each source, ``[B, N, 3]`` = (x, y, visible).

    x and y are in pixels of the pictures from their upper left edge (centres at 0.5, 1.5, ...),
    visible is 1 or 0.
    """

    target: Tensor
    sources: Sequence[Tensor]


@dataclass(frozen=True)
class LossInputs:
    """One training step's tensors.

    Attributes:
        target: true target picture ``[B, 3, H, W]`` in [-1, 1].
        sources: R source pictures ``[B, 3, H, W]``.
        source_structures: R structures ``[B, C, H, W]``.
        target_structure: ``[B, C, H, W]``.
        flows: ``[r][scale]`` of ``[B, 2, h, w]``, coarse to fine.
        masks: ``[r][scale]`` of ``[B, 1, h, w]``.
        levels: level of each scale (resolution 1 / 2^level), coarse to fine.
        fake: generated picture, None while only the flow is trained.
        target_features: feature maps of the target by layer name, without gradient.
        source_features: the same for each source.
        fake_features: feature maps of the generated picture, with gradient.
        layers: layer names by role (``content``, ``style``, ``level1`` ... ) of the extractor.
        points: corresponding points, where the data have some.
    """

    target: Tensor
    sources: Sequence[Tensor]
    source_structures: Sequence[Tensor]
    target_structure: Tensor
    flows: Sequence[Sequence[Tensor]]
    masks: Sequence[Sequence[Tensor]]
    levels: Sequence[int]
    fake: Tensor | None = None
    target_features: Features = field(default_factory=dict)
    source_features: Sequence[Features] = ()
    fake_features: Features = field(default_factory=dict)
    layers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    points: Points | None = None


class TransferLoss(nn.Module):
    """Base of the losses over :class:`LossInputs`.

    ``needs`` says which roles of the feature extractor are read, by whose features:
    ``{"target": (...), "source": (...), "fake": (...)}``.

    Args:
        weight: factor of the loss.
    """

    needs: Mapping[str, tuple[str, ...]] = {}
    trains_masks = False  # whether the masks get a gradient without a renderer

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight
