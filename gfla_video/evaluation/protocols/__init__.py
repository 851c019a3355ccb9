"""Named, versioned ways to measure pictures."""

from gfla_video.evaluation.protocols.builtin import BUILTIN, KNOWN_WEIGHTS
from gfla_video.evaluation.protocols.library import find_protocols, list_protocols
from gfla_video.evaluation.protocols.protocol import (
    PAD,
    STRETCH,
    Prepared,
    Protocol,
    to_eight_bits,
    weights_of,
    with_weights,
)
from gfla_video.evaluation.protocols.steps import Crop, FileFormat, Pad, Picture, Resize

__all__ = [
    "BUILTIN",
    "KNOWN_WEIGHTS",
    "PAD",
    "STRETCH",
    "Crop",
    "FileFormat",
    "Pad",
    "Picture",
    "Prepared",
    "Protocol",
    "Resize",
    "find_protocols",
    "list_protocols",
    "to_eight_bits",
    "weights_of",
    "with_weights",
]
