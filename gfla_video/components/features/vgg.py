"""VGG19, what the papers' configs use (facts 1.5)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import timm
from torch import nn

from gfla_video.components.features.base import SequentialFeatures
from gfla_video.registry import MODELS
from gfla_video.utils.errors import UserError
from gfla_video.utils.weights import load_strict, load_weights

_DEEPEST = 32  # up to relu5_2: what follows is used by no loss


@MODELS.register_module()
class VGG19Features(SequentialFeatures):
    """VGG19 trained on ImageNet, fed [-1, 1] pictures without mean and deviation, as released.

    Args:
        weights: a file of torchvision's ``vgg19`` (``features.*`` names), or a name that timm's hub
            knows (``vgg19.tv_in1k``), or None for random weights (for counting and tests only).
        checkpointing: see :class:`SequentialFeatures`.

    Raises:
        UserError: the file is not there or does not fit, or the hub cannot be reached.
    """

    roles: Mapping[str, tuple[str, ...]] = {
        "content": ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
        "style": ("relu2_2", "relu3_4", "relu4_4", "relu5_2"),
        "level1": ("relu2_1",),
        "level2": ("relu3_1",),
        "level3": ("relu4_1",),
    }

    def __init__(self, weights: str | None = "vgg19.tv_in1k", checkpointing: bool = False) -> None:
        network = _network(weights)
        stages = list(network.features)[:_DEEPEST]
        for stage in stages:
            if isinstance(stage, nn.ReLU):
                stage.inplace = True  # on its convolution's output, which nobody else reads
        names = {
            "relu1_1": 1, "relu2_1": 6, "relu3_1": 11, "relu4_1": 20, "relu5_1": 29,
            "relu2_2": 8, "relu3_4": 17, "relu4_4": 26, "relu5_2": 31,
        }  # fmt: skip
        super().__init__(stages, names, checkpointing)


def _network(weights: str | None) -> nn.Module:
    if weights is None:
        return timm.create_model("vgg19", pretrained=False)
    if Path(weights).suffix in (".pth", ".pt", ".npz", ".safetensors"):
        network = timm.create_model("vgg19", pretrained=False)
        state = load_weights(Path(weights))
        features = {k: v for k, v in state.items() if k.startswith("features.")}
        load_strict(network.features, {k[9:]: v for k, v in features.items()}, weights)
        return network
    try:
        return timm.create_model(weights, pretrained=True)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"VGG19Features: the weights {weights!r} could not be fetched "
            f"({type(error).__name__}); download torchvision's vgg19 file elsewhere and set "
            "weights='vgg19-dcbb9e9d.pth'"
        ) from error
