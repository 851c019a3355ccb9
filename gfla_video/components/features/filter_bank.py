"""Features that need no weights: fixed filters, for the demo and the tests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from gfla_video.components.features.base import FeatureExtractor
from gfla_video.components.precision import in_float32
from gfla_video.registry import MODELS

_SEED = 20200  # of the fixed projection: the features are constants, not a random choice


@MODELS.register_module()
class FilterBankFeatures(FeatureExtractor):
    """Local colour and contrast on an image pyramid; nothing is learnt and nothing is loaded.

    ``bank<L>`` (content and style): the picture at 1/2^L, smoothed colour and the two signs of its
    x, y and second derivatives, 21 channels. ``match<L>`` (sampling correctness at level L): local
    colour, its surroundings and its contrast, mapped by random Fourier features so that the cosine
    of two positions is a Gaussian kernel of their difference (Rahimi and Recht 2007): similar means
    "looks alike here", not merely "same hue".

    It knows textures and colours but no objects: faces, hands and cloth folds come out softer than
    with VGG19.

    Args:
        bandwidth: colour difference (in [-1, 1] units) at which two places count as different.
        dimensions: channels of ``match<L>``.
    """

    roles: Mapping[str, tuple[str, ...]] = {
        "content": ("bank0", "bank1", "bank2", "bank3"),
        "style": ("bank0", "bank1", "bank2"),
        "level1": ("match1",),
        "level2": ("match2",),
        "level3": ("match3",),
    }

    def __init__(self, bandwidth: float = 0.35, dimensions: int = 96) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(_SEED)
        scale = torch.tensor([1.0] * 3 + [0.6] * 3 + [1.0] * 3) / bandwidth
        frequencies = torch.randn(dimensions, 9, generator=generator) * scale
        phases = torch.rand(dimensions, generator=generator) * 2 * math.pi
        self.register_buffer("frequencies", frequencies[:, :, None, None], persistent=False)
        self.register_buffer("phases", phases, persistent=False)
        self.register_buffer("bank", _filters(), persistent=False)

    @in_float32  # phases of many radians; it costs little
    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Maps by name: ``bank<L>`` [B, 21, H/2^L, W/2^L], ``match<L>`` [B, D, H/2^L, W/2^L]."""
        wanted = set(layers)
        deepest = max((int(name[-1]) + name.startswith("match") for name in wanted), default=0)
        pyramid = [images]
        for _ in range(deepest):
            pyramid.append(F.avg_pool2d(pyramid[-1], 2))
        found = {}
        for name in wanted:
            level = int(name[-1])
            if name.startswith("bank"):
                found[name] = self._responses(pyramid[level])
            else:
                found[name] = self._match(pyramid[level - 1], pyramid[level], pyramid[level + 1])
        return found

    def _responses(self, picture: Tensor) -> Tensor:
        """``[B, 3, h, w] -> [B, 21, h, w]``: colour, then both signs of the derivatives."""
        bank: Tensor = self.bank  # type: ignore[assignment]
        padded = F.pad(picture, (1, 1, 1, 1), mode="replicate")
        out = F.conv2d(padded, bank, groups=3).unflatten(1, (3, 4))  # [B, rgb, filter, h, w]
        colour, derivatives = out[:, :, 0], out[:, :, 1:].flatten(1, 2)
        return torch.cat([colour, F.relu(derivatives), F.relu(-derivatives)], dim=1)

    def _match(self, finer: Tensor, here: Tensor, coarser: Tensor) -> Tensor:
        """Random Fourier features of colour, surroundings and contrast: ``[B, D, h, w]``."""
        size = here.shape[-2:]
        around = F.interpolate(coarser, size=size, mode="bilinear", align_corners=False)
        energy = F.avg_pool2d(finer.square(), 2) - here.square()
        contrast = energy.clamp(min=1e-6).sqrt()
        frequencies: Tensor = self.frequencies  # type: ignore[assignment]
        phases: Tensor = self.phases  # type: ignore[assignment]
        return torch.cos(F.conv2d(torch.cat([here, around, contrast], dim=1), frequencies, phases))


def _filters() -> Tensor:
    """Binomial smoothing, x and y derivative, Laplacian, for each channel: [12, 1, 3, 3]."""
    smooth = torch.tensor([1.0, 2.0, 1.0])
    slope = torch.tensor([-1.0, 0.0, 1.0])
    plain = torch.outer(smooth, smooth) / 16
    laplacian = torch.tensor([[1.0, 2.0, 1.0], [2.0, -12.0, 2.0], [1.0, 2.0, 1.0]]) / 8
    filters = [plain, torch.outer(smooth, slope) / 4, torch.outer(slope, smooth) / 4, laplacian]
    return torch.stack(filters).unsqueeze(1).repeat(3, 1, 1, 1)
