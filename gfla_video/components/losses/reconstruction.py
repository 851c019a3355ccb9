"""The reconstruction loss (paper Eq. 11)."""

from __future__ import annotations

from torch import Tensor

from gfla_video.components.losses.inputs import LossInputs, TransferLoss
from gfla_video.components.precision import mean_absolute_difference
from gfla_video.registry import MODELS


@MODELS.register_module()
class ReconstructionLoss(TransferLoss):
    """Mean absolute difference between the generated and the true picture."""

    def forward(self, inputs: LossInputs) -> Tensor:
        """A scalar."""
        if inputs.fake is None:
            raise ValueError("ReconstructionLoss needs a generated picture: not in a flow stage")
        return self.weight * mean_absolute_difference(inputs.fake, inputs.target)
