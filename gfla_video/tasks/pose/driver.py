"""From what a user passes as ``--driving`` to joints in the model's frame."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from gfla_video.detectors import PoseDetector
from gfla_video.registry import DETECTORS, DRIVERS
from gfla_video.structures.driving import SourceImage
from gfla_video.tasks.pose.joints import Joints, scale_joints, visible
from gfla_video.tasks.pose.people import follow_one_person
from gfla_video.tasks.pose.pose_files import (
    FORMATS,
    MIN_SCORE,
    PoseSequence,
    frame_named,
    read_poses,
)
from gfla_video.tasks.pose.retarget import MAX_GAP, fit_to_body, interpolate_gaps
from gfla_video.utils.driver_options import read_driver_options
from gfla_video.utils.errors import UserError
from gfla_video.utils.frame_rate import chosen_fps
from gfla_video.utils.progress import progress
from gfla_video.utils.video import read_video

DEFAULT_DETECTOR = "RtmlibPoseDetector"
VIDEO_SUFFIXES = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".gif", ".mpg", ".mpeg"}
_CHOICES = {
    "fit": ("frame", "body"),
    "on_missing": ("keep", "interpolate"),
    "order": ("file", "name"),
}
_BEYOND = 1.25  # of a frame that was assumed: joints further out show that it is another one


@dataclass(frozen=True)
class PoseOptions:
    """The options of ``PoseDriver.add_arguments``, by their names there."""

    source_structure: str | None = None
    source_structure_size: Sequence[int] | None = None
    driving_size: Sequence[int] | None = None
    fit: str = "frame"
    fps: object = None
    on_missing: str = "keep"
    order: str = "file"
    min_score: float = MIN_SCORE
    detector: str = DEFAULT_DETECTOR
    detector_weights: Sequence[str] | None = None
    detector_device: str = "cpu"

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> PoseOptions:
        """Check names and choices.

        Raises:
            UserError: an unknown option or value, with the nearest name.
        """
        return read_driver_options(cls, options, _CHOICES, "PoseDriver")


@dataclass
class PoseStream:
    """Joints of a clip in the model's frame.

    Attributes:
        joints: float64 ``[T, 18, 3]`` (x, y, visible).
        source: float64 ``[18, 3]``, the source's.
        fps: exact frame rate.
        report: sentences for the user.
    """

    joints: Joints
    source: Joints
    fps: Fraction
    report: list[str] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Number of frames."""
        return len(self.joints)

    def __iter__(self) -> Iterator[Joints]:
        return iter(self.joints)


@DRIVERS.register_module()
class PoseDriver:
    """Reads poses from files, or from a video through a registered detector.

    Args:
        resize: how a picture comes to the model's size: ``pad`` keeps the proportions of a
            photograph (the default, as a body looks right at any size then); ``stretch`` is for
            models that were trained on stretched pictures, such as 176-wide crops made 256 wide.
        annotation_size: (H, W) that the x and y of the field's CSV files belong to; without it the
            source picture's own size is taken.
    """

    def __init__(self, resize: str = "pad", annotation_size: Sequence[int] | None = None) -> None:
        if resize not in ("pad", "stretch"):
            raise ValueError(f"resize is pad or stretch, got {resize!r}")
        self.resize = resize
        self.annotation_size = tuple(annotation_size) if annotation_size else None

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        """Add the options of pose transfer to a parser."""
        default = PoseOptions()
        add = parser.add_argument_group(
            "pose", "what --driving and the source's pose are"
        ).add_argument
        size = {"type": int, "nargs": 2, "metavar": ("HEIGHT", "WIDTH")}
        add("--source-structure", help="the source's pose: .json, .npz, or a .csv with its row")
        add("--source-structure-size", **size, help="frame of that pose (default: the picture's)")
        add("--driving-size", **size, help="frame of the driving joints, where the file has none")
        add(
            "--fit",
            choices=_CHOICES["fit"],
            default=default.fit,
            help="frame: the driver's frame becomes the model's; body: another person's motion is "
            "put onto the source's place, size and limb lengths",
        )
        add("--fps", help="frame rate where the file has none, such as 30000/1001")
        add(
            "--on-missing",
            choices=_CHOICES["on_missing"],
            default=default.on_missing,
            help=f"joints that a frame lacks: keep, or interpolate gaps up to {MAX_GAP} frames",
        )
        add("--order", choices=_CHOICES["order"], default=default.order, help="of a .csv's rows")
        add("--min-score", type=float, default=default.min_score, help="found from this score on")
        add("--detector", default=default.detector, help="registered pose detector")
        add("--detector-weights", nargs="+", metavar="FILE", help="its model files")
        add("--detector-device", default=default.detector_device, help="where it runs")

    def open(self, driving: str, source: SourceImage, options: Mapping[str, Any]) -> PoseStream:
        """Read the poses of the clip and of the source (see ``gfla_video.structures.driving``).

        Raises:
            UserError: a file can't be read, holds no poses, or needs a detector that is not there.
        """
        chosen = PoseOptions.of(options)
        report: list[str] = []
        if self._is_video(driving):  # refused at once where no detector can be had
            detector: PoseDetector | None = _detector(chosen, f"{driving} is a video")
        else:
            detector = None
        own = self._source_pose(source, chosen, report, detector)
        if detector is not None:
            sequence = _detect_video(driving, detector)
        else:
            sequence = read_poses(driving, chosen.min_score, chosen.order)
        report += sequence.notes
        joints = sequence.joints
        found = int(visible(joints).sum())
        nobody = int((~visible(joints).any(axis=1)).sum())
        report.insert(0, _count(len(joints), found, joints.shape[0] * 18 - found, nobody))
        if chosen.on_missing == "interpolate":
            joints, filled = interpolate_gaps(joints)
            report.append(f"{filled} missing joints interpolated")
        fps = chosen_fps(sequence.fps, chosen.fps, report)
        if chosen.fit == "body":
            fit = source.fit  # its proportions, so that a stretched model gets a stretched driver
            square = _scaled(joints, fit.inner[1] / fit.origin[1], fit.inner[0] / fit.origin[0])
            joints = fit_to_body(square, own)
        else:
            frame = self._frame(sequence, chosen.driving_size, "--driving-size", source, report)
            joints = _into_model(joints, frame, source)
        return PoseStream(joints, own, fps, report)

    def _is_video(self, driving: str) -> bool:
        return Path(driving).suffix.lower() in VIDEO_SUFFIXES and not Path(driving).is_dir()

    def _source_pose(
        self,
        source: SourceImage,
        options: PoseOptions,
        report: list[str],
        detector: PoseDetector | None,
    ) -> Joints:
        if options.source_structure is not None:
            sequence = read_poses(options.source_structure, options.min_score)
            own = frame_named(sequence, source.path.name, "--source-structure")
            size = options.source_structure_size
            frame = self._frame(sequence, size, "--source-structure-size", source, report, own)
            own = scale_joints(own, frame, source.fit.origin)
        else:
            if detector is None:
                detector = _detector(options, f"the pose of {source.path} is not known", True)
            people = [body.astype(np.float64) for body in detector.detect(source.pixels)]
            (own,), notes = follow_one_person([people])
            report += [f"source: {note}" for note in notes]
        found = int(visible(own).sum())
        if not found:
            raise UserError(
                f"{source.path}: its pose has no joint at all, pass one with --source-structure"
            )
        report.append(f"source pose: {found} of 18 joints")
        return _into_model(own, None, source)

    def _frame(
        self,
        sequence: PoseSequence,
        given: Sequence[int] | None,
        option: str,
        source: SourceImage,
        report: list[str],
        joints: Joints | None = None,
    ) -> tuple[int, int]:
        """(H, W) that a file's joints belong to; a guess is said, and refused where it can't be."""
        is_csv = sequence.path.suffix.lower() == ".csv"
        if given is None and sequence.size is not None:
            return sequence.size
        if given is not None:
            frame, why = (int(given[0]), int(given[1])), option
        elif is_csv and self.annotation_size:
            frame, why = self.annotation_size, "the config's annotation_size"
        else:
            frame, why = source.fit.origin, "the source picture's size, as the file says none"
            taken = f"taken to be in a frame of {frame[1]}x{frame[0]} (width x height)"
            report.append(f"joints of {sequence.path.name} {taken}, {why}")
        body = sequence.joints if joints is None else joints
        points = body[visible(body), :2]
        limit = 1.0 if is_csv else _BEYOND
        furthest = points.max(axis=0) if len(points) else np.zeros(2)
        if furthest[0] > limit * frame[1] or furthest[1] > limit * frame[0]:
            raise UserError(
                f"{sequence.path}: joints reach x {furthest[0]:.0f} and y {furthest[1]:.0f}, "
                f"outside the frame of {frame[1]}x{frame[0]} (width x height; {why}); "
                f"pass {option} H W"
            )
        return frame


def _into_model(joints: Joints, frame: tuple[int, int] | None, source: SourceImage) -> Joints:
    """Joints of a frame (None: the source picture) fitted to the model like a picture of it."""
    fit = source.fit if frame is None else type(source.fit)(frame, source.fit.size, source.fit.mode)
    moved = np.array(joints, dtype=np.float64)
    seen = visible(moved)
    moved[seen] = fit.points(moved[seen])
    return moved


def _scaled(joints: Joints, x: float, y: float) -> Joints:
    moved = np.array(joints, dtype=np.float64)
    moved[visible(moved), :2] *= (x, y)
    return moved


def _count(frames: int, found: int, missing: int, nobody: int) -> str:
    plain = f"{frames} driving frames: {found} joints found, {missing} missing"
    return f"{plain}, nobody in {nobody} frames" if nobody else plain


def _detector(options: PoseOptions, why: str, photograph: bool = False) -> PoseDetector:
    """Build the chosen detector, or say in one sentence what to pass instead."""
    if not options.detector_weights:
        instead = "--source-structure with its pose" if photograph else FORMATS
        raise UserError(
            f"{why}; pass --detector-weights (the model files of {options.detector}) to find it, "
            f"or {instead}"
        )
    kind = DETECTORS.get(options.detector)
    if kind is None:
        names = ", ".join(sorted(DETECTORS.module_dict))
        raise UserError(f"--detector: {options.detector!r} is not registered, there are {names}")
    return kind.from_weights(list(options.detector_weights), device=options.detector_device)


def _detect_video(path: str, detector: PoseDetector) -> PoseSequence:
    """Poses of a video, frame by frame; of the frames themselves only one is held."""
    reader = read_video(path)
    frames = progress(reader, "finding poses", reader.info.frames)
    people = ([body.astype(np.float64) for body in detector.detect(frame)] for frame in frames)
    joints, notes = follow_one_person(people)
    if not visible(joints).any():
        raise UserError(f"{path}: no person was found in any of its {len(joints)} frames")
    notes += reader.notes
    return PoseSequence(joints, Path(path), reader.fps, reader.size, notes=notes)
