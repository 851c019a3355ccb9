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


@MODELS.register_module()
class NormalizedFusion(nn.Module):
    """Share each position out among the references by their masks; the target counts once.

    ``M = 1 - prod_r (1 - m_r)`` is how much any reference has the position, and reference r gets
    ``M m_r / sum m`` of it: ``target * (1 - M) + M * sum_r attended_r m_r / sum m``. The shares sum
    to 1, so the features keep their size whatever the number of references (the sum of the released
    program doubles them where all masks are 0). One reference gives Eq. 10.
    """

    def forward(
        self, target: Tensor, attended: Sequence[Tensor], masks: Sequence[Tensor]
    ) -> Tensor:
        """Blend to ``[B, C, H, W]``.

        Args:
            target: ``[B, C, H, W]``.
            attended: R of ``[B, C, H, W]``.
            masks: R of ``[B, 1, H, W]`` in [0, 1], 1 = take this reference.
        """
        shares = torch.stack(list(masks))  # [R, B, 1, H, W]
        taken = 1 - (1 - shares).prod(0)
        # the smallest float32 above 0: where all masks are 0, nothing is taken
        shares = shares / shares.sum(0).clamp(min=torch.finfo(torch.float32).tiny)
        mixed = torch.zeros_like(target)
        for feature, share in zip(attended, shares, strict=True):
            mixed = mixed + feature.to(target.dtype) * share.to(target.dtype)
        return torch.lerp(target, mixed, taken.to(target.dtype))


@MODELS.register_module()
class LayeredFusion(nn.Module):
    """The first reference where it has a position, the next one in what is left, and so on.

    Reference r gets ``m_r prod_(q < r) (1 - m_q)``, the target the rest: shares that sum to 1, as
    with :class:`NormalizedFusion`, but the source comes before previous frames. What was generated
    serves where the source has nothing to show, so its faults do not add up over a long clip. One
    reference gives Eq. 10.
    """

    def forward(
        self, target: Tensor, attended: Sequence[Tensor], masks: Sequence[Tensor]
    ) -> Tensor:
        """Blend to ``[B, C, H, W]``.

        Args:
            target: ``[B, C, H, W]``.
            attended: R of ``[B, C, H, W]``.
            masks: R of ``[B, 1, H, W]`` in [0, 1], 1 = take this reference.
        """
        out = target
        for feature, mask in reversed(list(zip(attended, masks, strict=True))):
            out = torch.lerp(out, feature.to(out.dtype), mask.to(out.dtype))
        return out
