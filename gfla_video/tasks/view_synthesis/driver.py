"""From what a user passes as ``--driving`` to cameras that the network knows."""

from __future__ import annotations

import math
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from numbers import Real
from pathlib import Path
from typing import Any

from gfla_video.registry import DRIVERS
from gfla_video.structures.driving import SourceImage
from gfla_video.structures.frame_fit import MODES
from gfla_video.tasks.view_synthesis.camera_path import FREE_STEP, read_path
from gfla_video.tasks.view_synthesis.cameras import Camera, parse_view, read_cameras
from gfla_video.tasks.view_synthesis.structure import CameraBins
from gfla_video.tasks.view_synthesis.view_files import CAMERAS_FILE
from gfla_video.utils.driver_options import read_driver_options
from gfla_video.utils.errors import UserError
from gfla_video.utils.frame_rate import DEFAULT_FPS, parse_fps

_OFF_BINS = ("error", "nearest")
_STEEPEST = 90.0


@dataclass(frozen=True)
class CameraOptions:
    """The options of ``CameraDriver.add_arguments``, by their names there."""

    source_camera: Any = None
    off_bins: str | None = None
    fps: object = None
    turns: float | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> CameraOptions:
        """Check names and choices.

        Raises:
            UserError: an unknown option or value, with the nearest name.
        """
        choices = {} if options.get("off_bins") is None else {"off_bins": _OFF_BINS}
        return read_driver_options(cls, options, choices, "CameraDriver")


@dataclass
class CameraStream:
    """The cameras of a clip.

    Attributes:
        cameras: one per frame.
        source: the (first) source's.
        other_sources: those of the further sources.
        fps: exact frame rate.
        report: sentences for the user.
    """

    cameras: tuple[Camera, ...]
    source: Camera
    other_sources: list[Camera]
    fps: Fraction
    report: list[str] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Number of frames."""
        return len(self.cameras)

    def __iter__(self) -> Iterator[Camera]:
        return iter(self.cameras)


@DRIVERS.register_module()
class CameraDriver:
    """Moves a camera round the object of one or several pictures.

    Args:
        resize: how a picture comes to the model's size: ``pad`` keeps the proportions, ``stretch``
            is for models that were trained on stretched pictures.
    """

    several_sources = True

    def __init__(self, resize: str = "pad") -> None:
        if resize not in MODES:
            raise ValueError(f"resize is {' or '.join(MODES)}, got {resize!r}")
        self.resize = resize

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        """Add the options of view synthesis to a parser."""
        add = parser.add_argument_group("cameras", "from where the object is seen").add_argument
        add(
            "--source-camera",
            nargs="+",
            metavar="AZIMUTH,ELEVATION",
            help="of each --source, in degrees, azimuths from 0 on (default: what the picture's "
            f"name says, as in 020_10.png, or the {CAMERAS_FILE} beside it)",
        )
        add(
            "--off-bins",
            choices=_OFF_BINS,
            help="angles that a model of few angles does not know: refuse them, or take the "
            "nearest that it knows (default: error, unless the config says nearest)",
        )
        add("--fps", help="frame rate, such as 30000/1001 (default: 3 seconds a turn, else 25)")
        add("--turns", type=float, help="of a turntable (default: 1; below 0: the other way)")

    def open(self, driving: str, source: SourceImage, options: Mapping[str, Any]) -> CameraStream:
        """Find the cameras of the clip and of the sources (``gfla_video.structures.driving``).

        Raises:
            UserError: a camera is not said, cannot be read or is not known to the model.
        """
        chosen = CameraOptions.of(options)
        known = _KnownCameras.of(source, chosen.off_bins)
        report: list[str] = []
        own, *others = _source_cameras(source, chosen.source_camera, known, report)
        path = read_path(driving, own, known.step, chosen.turns)
        named = zip(path.cameras, path.names, strict=True)
        cameras = tuple(known.camera(camera, name) for camera, name in named)
        report.append(_described(cameras))
        moved = sum(one != other for one, other in zip(cameras, path.cameras, strict=True))
        if moved:
            report.append(f"{moved} of them taken to the nearest that the model knows")
        fps = DEFAULT_FPS if path.fps is None else path.fps
        if chosen.fps is not None:
            fps = parse_fps(chosen.fps)
        elif path.fps is None:
            report.append(f"{fps} frames per second taken (see --fps)")
        return CameraStream(cameras, own, others, fps, report)


@dataclass(frozen=True)
class _KnownCameras:
    """Which cameras the network's structure can encode.

    Attributes:
        structure: the network's; None encodes anything.
        nearest: take the nearest bin for an angle off the bins.
        size: (H, W) of the network's pictures.
    """

    structure: Any
    nearest: bool
    size: tuple[int, int]

    @classmethod
    def of(cls, source: SourceImage, off_bins: str | None) -> _KnownCameras:
        """As ``--off-bins`` says, else as the structure does."""
        structure = source.structure
        nearest = (
            getattr(structure, "nearest", False) if off_bins is None else off_bins == "nearest"
        )
        return cls(structure, nearest, source.fit.size)

    @property
    def step(self) -> float:
        """Degrees between the frames of a turntable."""
        return self.structure.step if isinstance(self.structure, CameraBins) else FREE_STEP

    def camera(self, camera: Camera, where: str) -> Camera:
        """The camera itself, or the nearest that is known.

        Raises:
            UserError: it is not known; ``where`` begins the sentence.
        """
        if not abs(camera.elevation) <= _STEEPEST:
            raise UserError(
                f"{where}: elevation {camera.elevation:g} is beyond straight above or below, say "
                f"-{_STEEPEST:g} to {_STEEPEST:g}"
            )
        try:
            if not isinstance(self.structure, CameraBins):
                if self.structure is not None:
                    self.structure.encode(camera, self.size)
            elif self.nearest:
                return self.structure.nearest_bin(camera)
            else:
                self.structure.check(camera)
        except UserError as error:
            raise UserError(f"{where}: {error}") from error
        return camera


def _source_cameras(
    source: SourceImage, given: Any, known: _KnownCameras, report: list[str]
) -> list[Camera]:
    """The camera of each source picture; what was found, and where, goes into the report."""
    pictures = [source, *source.others]
    said = _given_cameras(given)
    if said is not None and len(said) != len(pictures):
        raise UserError(
            f"--source-camera: {len(said)} for {len(pictures)} of --source, pass one "
            "AZIMUTH,ELEVATION for each picture"
        )
    cameras = []
    for index, picture in enumerate(pictures):
        if said is not None:
            camera, why = said[index], "--source-camera"
        else:
            camera, why = _camera_of(picture.path)
        used = known.camera(camera, f"{picture.path}, its camera ({why})")
        taken = "" if used == camera else f", taken as {_text(used)}"
        which = f"{picture.path.name} seen" if source.others else "source seen"
        report.append(f"{which} from {_text(camera)}{taken} ({why})")
        cameras.append(used)
    return cameras


def _given_cameras(given: Any) -> list[Camera] | None:
    """Cameras of ``--source-camera``: texts ``AZ,EL``, or pairs of numbers."""
    if given is None:
        return None
    single = isinstance(given, str) or all(isinstance(item, Real) for item in given)
    return [_given_camera(item) for item in ([given] if single else given)]


def _given_camera(value: Any) -> Camera:
    parts = value.split(",") if isinstance(value, str) else value
    try:
        azimuth, elevation = (float(part) for part in parts)
        if not math.isfinite(azimuth):
            raise ValueError("not finite")
        return Camera(azimuth % 360.0, elevation)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"--source-camera: {value!r} is no camera, pass azimuth and elevation in degrees such "
            "as 20,10"
        ) from error


def _camera_of(path: Path) -> tuple[Camera, str]:
    """The camera that a picture's surroundings say, and what says it."""
    named = parse_view(path.stem)
    listing = path.with_name(CAMERAS_FILE)
    if listing.is_file():
        try:
            listed = read_cameras(listing).get(path.name)
        except UserError:
            if named is None:
                raise
            listed = None  # a file of that name may also be what drives
        if listed is not None:
            return listed, f"in {CAMERAS_FILE}"
    if named is None:
        raise UserError(
            f"{path}: its camera is not known, pass --source-camera AZIMUTH,ELEVATION (or name the "
            f"picture like 020_10.png, or list it in a {CAMERAS_FILE} beside it)"
        )
    return named, "its name"


def _described(cameras: Sequence[Camera]) -> str:
    spans = []
    for name, values in zip(Camera._fields, zip(*cameras, strict=True), strict=True):
        still = min(values) == max(values)
        spans.append(f"{name} {values[0]:g}" + ("" if still else f" ... {values[-1]:g}"))
    return f"{len(cameras)} camera{'s' * (len(cameras) != 1)}, {', '.join(spans)}"


def _text(camera: Camera) -> str:
    return f"azimuth {camera.azimuth:g} and elevation {camera.elevation:g}"
