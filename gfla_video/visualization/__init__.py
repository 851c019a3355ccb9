"""Pictures of what networks do: flow colours, masks, attention, panels, contact sheets."""

from gfla_video.visualization.attention import (
    AttentionCall,
    AttentionRecorder,
    heat_picture,
    mark_positions,
)
from gfla_video.visualization.flow_colors import flow_legend, flow_maximum, flow_to_rgb
from gfla_video.visualization.panels import (
    Picture,
    contact_sheet,
    enlarged,
    legend_picture,
    mask_picture,
    moving_panels,
    readable_scale,
    sheet,
    tensor_to_uint8,
    tile,
    tile_panels,
    with_caption,
    write_picture,
)
from gfla_video.visualization.sample_panels import (
    finest_flows,
    flow_limit,
    frame_prediction,
    frame_sample,
    panel_title,
    sample_panels,
    spread,
    still_panels,
    structure_picture,
)
from gfla_video.visualization.tensorboard import TensorboardVisualizer

__all__ = [
    "AttentionCall",
    "AttentionRecorder",
    "Picture",
    "TensorboardVisualizer",
    "contact_sheet",
    "enlarged",
    "finest_flows",
    "flow_legend",
    "flow_limit",
    "flow_maximum",
    "flow_to_rgb",
    "frame_prediction",
    "frame_sample",
    "heat_picture",
    "legend_picture",
    "mark_positions",
    "mask_picture",
    "moving_panels",
    "panel_title",
    "readable_scale",
    "sample_panels",
    "sheet",
    "spread",
    "still_panels",
    "structure_picture",
    "tensor_to_uint8",
    "tile",
    "tile_panels",
    "with_caption",
    "write_picture",
]
