"""Networks that answer the one call, and the models that train them."""

from gfla_video.models.appearance_flow import AppearanceFlow, ConvAppearanceFlow
from gfla_video.models.clip_model import ClipFlowModel, ClipModel
from gfla_video.models.flow_model import FlowModel
from gfla_video.models.generator import TransferGenerator
from gfla_video.models.rollout import ClipOutput, ClipRollout
from gfla_video.models.transfer_model import TransferModel

__all__ = [
    "AppearanceFlow",
    "ClipFlowModel",
    "ClipModel",
    "ClipOutput",
    "ClipRollout",
    "ConvAppearanceFlow",
    "FlowModel",
    "TransferGenerator",
    "TransferModel",
]
