"""What the animation asks of a task: a driver that opens a stream of annotations.

An annotation is whatever the task's structure encodes (points, angles, edges). The animation hands
it on and never looks inside.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from gfla_video.structures.frame_fit import FrameFit


@dataclass(frozen=True)
class SourceImage:
    """The picture to be animated, before it is brought to the model's size.

    Attributes:
        pixels: uint8 ``[H, W, 3]`` RGB, upright.
        path: where it came from (drivers find its annotation by its name).
        fit: the map into the model's frame.
    """

    pixels: np.ndarray
    path: Path
    fit: FrameFit


class DrivingStream(Protocol):
    """Annotations of a clip in the model's frame, one per frame, in order.

    Attributes:
        fps: exact frame rate of the result.
        length: number of frames, None where it is known at the end only.
        source: annotation of the source picture, in the model's frame.
        report: what was found, missing or assumed, sentences for the user.
    """

    fps: Fraction
    length: int | None
    source: Any
    report: list[str]

    def __iter__(self) -> Iterator[Any]: ...


class Driver(Protocol):
    """A task's driver, registered in ``DRIVERS``.

    Attributes:
        resize: how a picture is brought to the model's size, ``pad`` or ``stretch``.
    """

    resize: str

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        """Add the task's own command-line options; all of them optional."""

    def open(self, driving: str, source: SourceImage, options: Mapping[str, Any]) -> DrivingStream:
        """Read ``driving``; options not given take the defaults of :meth:`add_arguments`.

        Raises:
            UserError: it cannot be read, holds nothing, or an option is unknown.
        """
