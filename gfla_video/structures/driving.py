"""What the animation asks of a task: a driver that opens a stream of annotations.

An annotation is whatever the task's structure encodes (points, angles, edges). The animation hands
it on and never looks inside.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from gfla_video.structures.frame_fit import FrameFit


@dataclass(frozen=True)
class FramedSource:
    """What a driver's ``frame_source`` makes of the picture that the user passes.

    Attributes:
        pixels: uint8 ``[H, W, 3]`` RGB, the part of the picture that is animated.
        report: what was done, sentences for the user.
        detail: whatever the driver wants back in :meth:`Driver.open`.
    """

    pixels: np.ndarray
    report: list[str] = field(default_factory=list)
    detail: Any = None


@dataclass(frozen=True)
class SourceImage:
    """The picture to be animated, before it is brought to the model's size.

    Attributes:
        pixels: uint8 ``[H, W, 3]`` RGB, upright.
        path: where it came from (drivers find its annotation by its name).
        fit: the map into the model's frame.
        detail: of the driver's ``frame_source``; None for a driver without one.
        structure: the network's, for a driver that must know what it can encode.
        others: further pictures of the same object, for a driver of several sources.
    """

    pixels: np.ndarray
    path: Path
    fit: FrameFit
    detail: Any = None
    structure: Any = None
    others: tuple[SourceImage, ...] = ()


class DrivingStream(Protocol):
    """Annotations of a clip in the model's frame, one per frame, in order.

    A stream may have three attributes more; the animation asks whether they are there:

    - ``other_sources``, a list with the annotation of each of ``SourceImage.others``: what a driver
      of several sources gives;
    - ``sound: Path | None``, a file whose sound, if it has any, goes into the result, from the
      moment of its first picture on;
    - ``finish(picture) -> picture``, called once for every generated picture in order (uint8
      ``[H, W, 3]``, in the source's proportions), maybe in another thread than the iteration. What
      it gives is written in its place; all of one size.

    Attributes:
        fps: exact frame rate of the result.
        length: number of frames, None where it is known at the end only.
        source: annotation of the source picture, in the model's frame.
        report: what was found, missing or assumed, sentences for the user; read in the end.
    """

    fps: Fraction
    length: int | None
    source: Any
    report: list[str]

    def __iter__(self) -> Iterator[Any]: ...


class Driver(Protocol):
    """A task's driver, registered in ``DRIVERS``.

    A driver may have one method more, which is called before a picture is fitted to the model:
    ``frame_source(pixels, path, options) -> FramedSource`` cuts out what is to be animated. With
    the attribute ``several_sources = True`` it says that it takes several pictures of one object.

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
