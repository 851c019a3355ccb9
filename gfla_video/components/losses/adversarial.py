"""Adversarial losses (paper Eq. 12) on patch logits."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gfla_video.components.precision import in_float32
from gfla_video.registry import MODELS

MODES = ("lsgan", "hinge", "nsgan")


@MODELS.register_module()
class AdversarialLoss(nn.Module):
    """LSGAN (released), hinge or non-saturating loss.

    Args:
        mode: ``lsgan``, ``hinge`` or ``nsgan``.
        weight: factor of the generator's part; the discriminator's is not weighted.
    """

    def __init__(self, mode: str = "lsgan", weight: float = 1.0) -> None:
        super().__init__()
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        self.mode = mode
        self.weight = weight

    @in_float32
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Half the sum of both parts: real logits should be high, fake ones low. A scalar."""
        return 0.5 * (self._judged(real, real=True) + self._judged(fake, real=False))

    @in_float32
    def generator(self, fake: Tensor) -> Tensor:
        """Fake logits should be high. A scalar, weighted."""
        if self.mode == "hinge":
            return -self.weight * fake.mean()
        return self.weight * self._judged(fake, real=True)

    def _judged(self, logits: Tensor, real: bool) -> Tensor:
        wanted = torch.full_like(logits, float(real))
        if self.mode == "lsgan":
            return F.mse_loss(logits, wanted)
        if self.mode == "nsgan":
            return F.binary_cross_entropy_with_logits(logits, wanted)
        return F.relu(1 - logits if real else 1 + logits).mean()
