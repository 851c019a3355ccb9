"""An evaluation as static HTML."""

from gfla_video.apis.report.samples import KeptSample, ReportSamples, SampleKeeper
from gfla_video.apis.report.write import check_report_folder, write_report

__all__ = [
    "KeptSample",
    "ReportSamples",
    "SampleKeeper",
    "check_report_folder",
    "write_report",
]
