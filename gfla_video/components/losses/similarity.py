"""Structural similarity as a loss of the picture; not in the paper."""

from __future__ import annotations

from torch import Tensor

from gfla_video.components.losses.inputs import LossInputs, TransferLoss
from gfla_video.registry import MODELS


@MODELS.register_module()
class SSIMLoss(TransferLoss):
    """1 - SSIM of the generated and the true picture (Wang et al., 2004; torchmetrics).

    11 x 11 Gaussian of sigma 1.5, borders padded. Beside an L1 it asks for plain backgrounds that
    are really plain and for outlines in their place: a mean absolute difference hardly sees either.
    """

    def forward(self, inputs: LossInputs) -> Tensor:
        """A scalar, in float32 also under autocast."""
        if inputs.fake is None:
            raise ValueError("SSIMLoss needs a generated picture: not in a flow stage")
        # here, because importing it takes a second that every other tool would pay
        from torchmetrics.functional.image import structural_similarity_index_measure

        made, true = ((image.float() + 1) / 2 for image in (inputs.fake, inputs.target))
        similarity = structural_similarity_index_measure(made, true, sigma=1.5, data_range=1.0)
        assert isinstance(similarity, Tensor)  # a tuple only where the whole map is asked for
        return self.weight * (1 - similarity)
