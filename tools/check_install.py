#!/usr/bin/env python
"""Compare every backend with the reference on this machine; exit status 1 on a wrong result."""

from __future__ import annotations

import argparse
import sys

from gfla_video.utils.cli import run


def main() -> None:
    """Parse the arguments, check, print the table."""
    from gfla_video.apis.check_install import check_install, format_report

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", help="only this one (default: the CPU and every accelerator)")
    parser.add_argument(
        "--require", choices=["native"], help="exit status 1 where a device has no native kernels"
    )
    args = parser.parse_args()
    report = check_install(args.device)
    print(format_report(report))
    sys.exit(report.status(args.require))


if __name__ == "__main__":
    run(main)
