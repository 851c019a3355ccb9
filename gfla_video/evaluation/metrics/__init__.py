"""The metrics that a config's ``test_metrics`` can name."""

from gfla_video.evaluation.metrics.base import StreamingMetric
from gfla_video.evaluation.metrics.flow import FlowEPE, MaskAUC
from gfla_video.evaluation.metrics.image import L1, PSNR, SSIM, ForegroundL1
from gfla_video.evaluation.metrics.perceptual import LPIPSMetric
from gfla_video.evaluation.metrics.points import PointColourError, RegionL1
from gfla_video.evaluation.metrics.temporal import TemporalWarpingError

__all__ = [
    "L1",
    "PSNR",
    "SSIM",
    "FlowEPE",
    "ForegroundL1",
    "LPIPSMetric",
    "MaskAUC",
    "PointColourError",
    "RegionL1",
    "StreamingMetric",
    "TemporalWarpingError",
]
