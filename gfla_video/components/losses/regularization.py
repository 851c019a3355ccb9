"""The affine regularisation of the flow (paper Eq. 4-6; facts 1.5)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from gfla_video.components.losses.inputs import LossInputs, TransferLoss
from gfla_video.components.precision import in_float32
from gfla_video.registry import MODELS


def affine_residual_kernel(size: int) -> Tensor:
    """``A (A^T A)^-1 A^T - I`` with rows (row, col, 1) of a size x size window: float64 [k*k, k*k].

    Applied to the values in a window it gives minus what no affine map explains.
    """
    line = torch.arange(size, dtype=torch.float64)
    row, col = torch.meshgrid(line, line, indexing="ij")
    rows = torch.stack([row.flatten(), col.flatten(), torch.ones(size * size).double()], dim=1)
    return rows @ torch.linalg.solve(rows.T @ rows, rows.T) - torch.eye(size * size).double()


@in_float32
def affine_regularization(flow: Tensor, size: int) -> Tensor:
    """Squared distance of the flow from its best affine map in every window (Eq. 6).

    Args:
        flow: ``[B, 2, h, w]``.
        size: k of the k x k windows (only those inside the map count).

    Returns:
        Scalar: mean over batch and windows of the squared residual, x part + y part. The grid
        coordinates that the released program adds first are affine and change nothing but noise.

    Raises:
        ValueError: a window larger than the flow.
    """
    if size > min(flow.shape[-2:]):
        raise ValueError(f"window {size} is larger than the flow {tuple(flow.shape[-2:])}")
    kernel = affine_residual_kernel(size).to(flow).view(size * size, 1, size, size)
    residual = F.conv2d(flow.flatten(0, 1).unsqueeze(1), kernel)  # [B*2, k*k, h-k+1, w-k+1]
    return 2 * residual.square().sum(dim=1).mean()  # x and y add up: 2 times their common mean


@MODELS.register_module()
class AffineRegularizationLoss(TransferLoss):
    """Affine regularisation, summed over scales and references.

    Args:
        weight: factor of the loss.
        kernel_sizes: window of each scale, coarse to fine: the attention's kernel sizes.
    """

    def __init__(self, weight: float = 1.0, kernel_sizes: Sequence[int] = (3, 5)) -> None:
        super().__init__(weight)
        self.kernel_sizes = tuple(kernel_sizes)

    def forward(self, inputs: LossInputs) -> Tensor:
        """A scalar."""
        total = inputs.target.new_zeros(())
        for flows in inputs.flows:
            for flow, size in zip(flows, self.kernel_sizes, strict=True):
                total = total + affine_regularization(flow, size)
        return self.weight * total
