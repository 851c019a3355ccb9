"""How attended features of one or several references meet the target's own (paper Eq. 10)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gfla_video.registry import MODELS


@MODELS.register_module()
class SumFusion(nn.Module):
    """Blend each reference by its mask and add the results up, as released.

    With one reference this is Eq. 10. With several, a target feature counts once per reference
    (facts 1.2): nothing is averaged.
    """

    def forward(
        self, target: Tensor, attended: Sequence[Tensor], masks: Sequence[Tensor]
    ) -> Tensor:
        """``sum_r target * (1 - m_r) + attended_r * m_r``: ``[B, C, H, W]``.

        Args:
            target: ``[B, C, H, W]``.
            attended: R of ``[B, C, H, W]``.
            masks: R of ``[B, 1, H, W]`` in [0, 1], 1 = take the source.
        """
        blended = [
            torch.lerp(target, feature.to(target.dtype), mask.to(target.dtype))
            for feature, mask in zip(attended, masks, strict=True)
        ]
        out = blended[0]
        for other in blended[1:]:
            out = out + other
        return out
