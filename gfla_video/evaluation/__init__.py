"""Numbers about predictions: metrics that add up sample by sample."""

from gfla_video.evaluation.metrics import (
    L1,
    PSNR,
    SSIM,
    FlowEPE,
    ForegroundL1,
    LPIPSMetric,
    MaskAUC,
    PointColourError,
    RegionL1,
    StreamingMetric,
    TemporalWarpingError,
)

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
