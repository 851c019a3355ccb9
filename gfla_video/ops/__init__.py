"""Flow-guided sampling. Imports torch and itself only; importing never builds or fails."""

from gfla_video.ops.sampling import bilinear_sample, bilinear_warp, gaussian_warp, local_attention
from gfla_video.ops.windowed_gather import window_base, windowed_gather

__all__ = [
    "bilinear_sample",
    "bilinear_warp",
    "gaussian_warp",
    "local_attention",
    "window_base",
    "windowed_gather",
]
