"""Plain data that everything above shares: network outputs and flow units."""

from gfla_video.structures.flow import resize_values_kept, to_full_resolution
from gfla_video.structures.outputs import FlowOutput, GeneratorOutput

__all__ = ["FlowOutput", "GeneratorOutput", "resize_values_kept", "to_full_resolution"]
