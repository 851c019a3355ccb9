"""SqueezeNet 1.1: far cheaper than VGG19."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import squeezenet1_1

from gfla_video.components.features.base import SequentialFeatures
from gfla_video.registry import MODELS
from gfla_video.utils.weights import load_strict, load_weights

_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


@MODELS.register_module()
class SqueezeNetFeatures(SequentialFeatures):
    """torchvision's SqueezeNet 1.1 with ImageNet's normalisation.

    Its first convolution and its poolings take no padding; so that the maps have the sizes that the
    losses expect (1/2, 1/4, 1/8) the picture is padded by 1 below and right.

    Args:
        weights: file of torchvision's weights (``.pth``, or ``.npz`` with the same names), or None
            for random weights (tests only).
        checkpointing: see :class:`SequentialFeatures`.
    """

    roles: Mapping[str, tuple[str, ...]] = {
        "content": ("relu1", "fire2", "fire4", "fire6", "fire8"),
        "style": ("relu1", "fire3", "fire5", "fire8"),
        "level1": ("relu1",),
        "level2": ("fire3",),
        "level3": ("fire5",),
    }

    def __init__(self, weights: str | None, checkpointing: bool = False) -> None:
        network = squeezenet1_1(weights=None)
        if weights is not None:
            load_strict(network, load_weights(Path(weights)), weights)
        stages = list(network.features)
        for module in network.features.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = True  # on its convolution's output, which nobody else reads
        names = {
            "relu1": 1, "fire2": 3, "fire3": 4, "fire4": 6,
            "fire5": 7, "fire6": 9, "fire7": 10, "fire8": 11,
        }  # fmt: skip
        super().__init__(stages, names, checkpointing)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        deviation = torch.tensor(_DEVIATION).view(1, 3, 1, 1)
        self.register_buffer("deviation", deviation, persistent=False)

    def prepare(self, images: Tensor) -> Tensor:
        """[-1, 1] to ImageNet's normalisation, padded: H x W gives a first map of H/2 x W/2."""
        mean: Tensor = self.mean  # type: ignore[assignment]
        deviation: Tensor = self.deviation  # type: ignore[assignment]
        return F.pad(((images + 1) / 2 - mean) / deviation, (0, 1, 0, 1), mode="replicate")
