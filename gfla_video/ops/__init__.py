"""Flow-guided sampling. Imports torch and itself only; importing never builds or fails.

One small op is native, the windowed gather; everything else is made of it. The kernels are loaded
at first use, and plain torch serves where there are none (:func:`backend_for` says which and why).
"""

from gfla_video.ops.backends import BackendChoice, backend_for, using_backend
from gfla_video.ops.native import load as load_native
from gfla_video.ops.sampling import bilinear_sample, bilinear_warp, gaussian_warp, local_attention
from gfla_video.ops.windowed_gather import window_base, windowed_gather

__all__ = [
    "BackendChoice",
    "backend_for",
    "bilinear_sample",
    "bilinear_warp",
    "gaussian_warp",
    "load_native",
    "local_attention",
    "using_backend",
    "window_base",
    "windowed_gather",
]
