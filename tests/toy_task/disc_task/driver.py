"""From a file of centres to annotations in the model's frame."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from gfla_video.registry import DRIVERS
from gfla_video.structures.driving import SourceImage
from gfla_video.utils.errors import UserError
from gfla_video.utils.frame_rate import parse_fps


@dataclass
class DiscStream:
    """Centres ``[T, 2]`` of a clip and ``[2]`` of each source, in the model's frame."""

    centres: np.ndarray
    source: np.ndarray
    other_sources: list[np.ndarray]
    fps: Fraction
    report: list[str] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Number of frames."""
        return len(self.centres)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.centres)


@DRIVERS.register_module()
class DiscDriver:
    """Reads a text file with one ``x y`` per line, in pixels of the (first) source picture."""

    resize = "pad"
    several_sources = True

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        """Add this task's options."""
        add = parser.add_argument_group("disc", "what --driving and the source's disc are")
        said = "X Y of each source (default: its middle)"
        add.add_argument("--disc-centre", type=float, nargs="+", metavar="NUMBER", help=said)
        add.add_argument("--fps", default="25", help="frame rate, such as 30000/1001")

    def open(self, driving: str, source: SourceImage, options: Mapping[str, Any]) -> DiscStream:
        """Read the centres.

        Raises:
            UserError: the file can't be read or holds no centres, or sources lack theirs.
        """
        path = Path(driving)
        if not path.is_file():
            raise UserError(f"{path}: no such file; give a text file of x y")
        try:
            centres = np.array([line.split() for line in path.read_text().splitlines()], float)
        except ValueError as error:
            raise UserError(f"{path}: is no list of centres ({error}); write x y lines") from error
        if centres.ndim != 2 or centres.shape[1] != 2:
            raise UserError(f"{path}: holds no centres; write one x y per line")
        report = [f"{len(centres)} centres read"]
        sources = (source, *source.others)
        given = options.get("disc_centre")
        if given is None:
            given = [side / 2 for item in sources for side in item.pixels.shape[1::-1]]
            report.append("the source's disc is taken to be in its middle (--disc-centre)")
        if len(given) != 2 * len(sources):
            raise UserError(f"--disc-centre: pass x y of each of {len(sources)} source(s)")
        places = zip(sources, np.reshape(given, (-1, 2)), strict=True)
        own, *others = (item.fit.points(place) for item, place in places)
        fps = parse_fps(options.get("fps", "25"))
        return DiscStream(source.fit.points(centres), own, others, fps, report)
