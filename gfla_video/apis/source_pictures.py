"""The pictures to be animated: read, cut out by the driver, fitted to the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gfla_video.datasets.images import read_image
from gfla_video.structures.driving import Driver, FramedSource, SourceImage
from gfla_video.structures.frame_fit import MODES, FrameFit
from gfla_video.utils.errors import UserError


def source_paths(
    source: str | Path | Sequence[str | Path], driver: Driver, previous: int
) -> list[Path]:
    """The paths of one or several source pictures, for a driver and a network that take so many.

    Args:
        source: a path, or several.
        driver: the task's.
        previous: how many previous frames the network takes as references.

    Raises:
        UserError: there is none, or several where one is taken.
    """
    paths = [Path(item) for item in ([source] if isinstance(source, (str, Path)) else source)]
    if not paths:
        raise UserError("--source: no picture is given, pass one")
    if len(paths) > 1 and not getattr(driver, "several_sources", False):
        raise UserError(
            f"--source: {len(paths)} pictures, but {type(driver).__name__} takes one; pass one"
        )
    if len(paths) > 1 and previous:
        raise UserError(
            f"--source: {len(paths)} pictures, but this network takes one and the frames before; "
            "pass one, or a network without previous frames"
        )
    return paths


def read_sources(
    paths: Sequence[Path],
    driver: Driver,
    structure: Any,
    size: tuple[int, int],
    resize: str | None,
    options: Mapping[str, Any],
) -> tuple[SourceImage, list[str]]:
    """The pictures as the driver wants them, and what it says about that.

    Args:
        paths: of the pictures, at least one.
        driver: the task's.
        structure: the network's.
        size: (H, W) of the model.
        resize: ``pad`` or ``stretch``; the driver's own way where it is None.
        options: the driver's.

    Returns:
        The first picture, which holds the others, and the driver's sentences.

    Raises:
        UserError: a picture can't be read, or the driver cannot use it.
    """
    mode = resize or driver.resize
    if mode not in MODES:
        raise UserError(f"--resize: is {' or '.join(MODES)}, not {mode!r}")
    frame_source = getattr(driver, "frame_source", None)
    pictures, said = [], []
    for path in paths:
        framed = FramedSource(np.asarray(read_image(path)))
        if frame_source is not None:
            framed = frame_source(framed.pixels, path, options)
        fit = FrameFit(framed.pixels.shape[:2], size, mode)
        pictures.append(SourceImage(framed.pixels, path, fit, framed.detail, structure))
        said += framed.report
    return replace(pictures[0], others=tuple(pictures[1:])), said


def resizing(source: SourceImage) -> list[str]:
    """How the pictures came to the model's size, one clause for each to which something was done.

    One that stands alone is called the source, of several each has its file's name.
    """
    pictures = (source, *source.others)
    name = "source {}" if source.others else "source"
    return [
        f"{name.format(picture.path.name)} {done}"
        for picture in pictures
        if (done := picture.fit.describe())
    ]
