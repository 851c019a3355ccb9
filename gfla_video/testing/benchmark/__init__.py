"""Benchmarks in one process: the released formulation, our plain torch, the native op.

    from gfla_video.testing.benchmark import Settings, benchmark, format_report

Importing needs torch and ``gfla_video.ops`` only; what a command needs more is imported by it.
"""

from gfla_video.testing.benchmark.cases import DTYPES, FORMATS, Settings
from gfla_video.testing.benchmark.commands import COMMANDS, benchmark
from gfla_video.testing.benchmark.report import format_report

__all__ = ["COMMANDS", "DTYPES", "FORMATS", "Settings", "benchmark", "format_report"]
