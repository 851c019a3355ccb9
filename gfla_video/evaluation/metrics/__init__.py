"""The metrics that a config's ``test_metrics`` can name."""

from gfla_video.evaluation.metrics.base import StreamingMetric
from gfla_video.evaluation.metrics.features import FID, KID, InceptionScore
from gfla_video.evaluation.metrics.flow import FlowEPE, FlowOutlierRate, MaskAUC
from gfla_video.evaluation.metrics.image import L1, MAE, MSSSIM, PSNR, SSIM, ForegroundL1
from gfla_video.evaluation.metrics.joints import PCKh
from gfla_video.evaluation.metrics.perceptual import LPIPSMetric
from gfla_video.evaluation.metrics.points import PointColourError, RegionL1
from gfla_video.evaluation.metrics.temporal import FrameDifferenceError, TemporalWarpingError

__all__ = [
    "FID",
    "KID",
    "L1",
    "MAE",
    "MSSSIM",
    "PSNR",
    "SSIM",
    "FlowEPE",
    "FlowOutlierRate",
    "ForegroundL1",
    "FrameDifferenceError",
    "InceptionScore",
    "LPIPSMetric",
    "MaskAUC",
    "PCKh",
    "PointColourError",
    "RegionL1",
    "StreamingMetric",
    "TemporalWarpingError",
]
