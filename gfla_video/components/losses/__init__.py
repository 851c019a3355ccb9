"""Losses: pure functions of :class:`LossInputs`, registered by name."""

from gfla_video.components.losses.adversarial import AdversarialLoss
from gfla_video.components.losses.correctness import SamplingCorrectnessLoss
from gfla_video.components.losses.foreground import ForegroundMaskLoss
from gfla_video.components.losses.inputs import LossInputs
from gfla_video.components.losses.landmarks import LandmarkFlowLoss, PointFlowLoss
from gfla_video.components.losses.masks import MaskVisibilityLoss
from gfla_video.components.losses.perceptual import PerceptualLoss, StyleLoss
from gfla_video.components.losses.reconstruction import ReconstructionLoss
from gfla_video.components.losses.regularization import AffineRegularizationLoss
from gfla_video.components.losses.similarity import SSIMLoss
from gfla_video.components.losses.warp import WarpReconstructionLoss

__all__ = [
    "AdversarialLoss",
    "AffineRegularizationLoss",
    "ForegroundMaskLoss",
    "LandmarkFlowLoss",
    "LossInputs",
    "MaskVisibilityLoss",
    "PerceptualLoss",
    "PointFlowLoss",
    "ReconstructionLoss",
    "SSIMLoss",
    "SamplingCorrectnessLoss",
    "StyleLoss",
    "WarpReconstructionLoss",
]
