"""Pictures of what networks do: flow colours, masks, panels, contact sheets."""

from gfla_video.visualization.flow_colors import flow_legend, flow_maximum, flow_to_rgb
from gfla_video.visualization.panels import (
    contact_sheet,
    mask_picture,
    tensor_to_uint8,
    tile,
    with_caption,
)

__all__ = [
    "contact_sheet",
    "flow_legend",
    "flow_maximum",
    "flow_to_rgb",
    "mask_picture",
    "tensor_to_uint8",
    "tile",
    "with_caption",
]
