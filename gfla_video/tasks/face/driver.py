"""From a talking face to landmarks of the source's face in the model's frame."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from gfla_video.detectors import (
    FaceCrop,
    FaceDetector,
    detect_faces,
    fill_missing,
    find_jumps,
    follow_one_face,
    found_frames,
    smooth,
)
from gfla_video.registry import DRIVERS
from gfla_video.structures.driving import FramedSource, SourceImage
from gfla_video.structures.frame_fit import FrameFit
from gfla_video.tasks.face.annotation import FaceAnnotation, Landmarks, Picture
from gfla_video.tasks.face.driver_options import FaceOptions, add_face_arguments
from gfla_video.tasks.face.footage import Footage, open_footage
from gfla_video.tasks.face.motion import neutral_frame, relative_motion
from gfla_video.tasks.face.source_face import (
    SourceFace,
    chosen_crop,
    face_detector,
    find_source_face,
    paste,
)
from gfla_video.utils.errors import UserError
from gfla_video.utils.frame_rate import chosen_fps, parse_fps
from gfla_video.utils.progress import progress
from gfla_video.utils.sound import has_sound

_DETECT_AT_ONCE = 8
_OUTSIDE = 0.25  # of the points: a face with more of them beyond the frame has left it
_NAMED = 5
_SAME_PROPORTIONS = 1.06


@dataclass
class FaceStream:
    """Landmarks of a clip in the model's frame, with the background's picture where it is wanted.

    Attributes:
        landmarks: float32 ``[T, 68, 2]``.
        source: annotation of the source picture.
        fps: exact frame rate.
        footage: what drives.
        background: gives the background of each frame; None for no edges of the background.
        said: sentences for the user.
        sound: the video that drives, with or without sound.
        finish: puts a made picture into its frame, None where it stays as it is.
    """

    landmarks: Landmarks
    source: FaceAnnotation
    fps: Fraction
    footage: Footage
    background: Callable[[], Iterator[Picture | None]]
    said: list[str] = field(default_factory=list)
    sound: Path | None = None
    finish: Callable[[Picture], Picture] | None = None

    @property
    def length(self) -> int:
        """Number of frames."""
        return len(self.landmarks)

    @property
    def files(self) -> list[Path]:
        """What is read, also where it was found beside what the user named."""
        return [path for path in (self.footage.path, self.footage.video) if path is not None]

    @property
    def report(self) -> list[str]:
        """Sentences for the user; on the pictures that drive, once they were read."""
        return self.said + self.footage.notes

    def __iter__(self) -> Iterator[FaceAnnotation]:
        size = self.source.size
        # backgrounds that stay the same have no end
        for points, picture in zip(self.landmarks, self.background(), strict=False):
            still = picture is not None and picture is self.source.picture
            yield FaceAnnotation(points, size, picture, self.source.landmarks if still else None)


@DRIVERS.register_module()
class FaceDriver:
    """Reads 68 landmarks from files, or from pictures through a registered detector.

    Args:
        resize: how a picture comes to the model's size, ``pad`` or ``stretch``.
        background_edges: default of ``--background-edges``; None: the source's background for
            relative motion, the driver's for absolute motion.
        crop: default of ``--crop``: ``auto``, ``always`` or ``none``.
        crop_margin: default of ``--crop-margin``; that of the data the model was trained on.
        smooth: default of ``--smooth``; that of the data the model was trained on.

    Raises:
        UserError: a value that there is not.
    """

    def __init__(
        self,
        resize: str = "pad",
        background_edges: str | None = None,
        crop: str = FaceOptions.crop,
        crop_margin: float = FaceOptions.crop_margin,
        smooth: float = FaceOptions.smooth,
    ) -> None:
        if resize not in ("pad", "stretch"):
            raise ValueError(f"resize is pad or stretch, got {resize!r}")
        self.resize = resize
        self.defaults = {
            "background_edges": background_edges,
            "crop": crop,
            "crop_margin": crop_margin,
            "smooth": smooth,
        }
        self._chosen({})

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        """Add the options of face animation to a parser."""
        add_face_arguments(parser)

    def frame_source(self, pixels: Picture, path: Path, options: Mapping[str, Any]) -> FramedSource:
        """Find the face of the source and cut a square around it, where it fills less.

        Raises:
            UserError: there is no face, or a file is missing or not what it should be.
        """
        face = find_source_face(pixels, path, self._chosen(options))
        return FramedSource(face.animated(), face.report, face)

    def open(self, driving: str, source: SourceImage, options: Mapping[str, Any]) -> FaceStream:
        """Read the face of the clip (see ``gfla_video.structures.driving``).

        Its landmarks are held, its pictures never: they are read again where they are needed.

        Raises:
            UserError: a file can't be read, shows no face, or needs a detector that is not there.
        """
        chosen = self._chosen(options)
        face = source.detail
        if not isinstance(face, SourceFace):
            face = find_source_face(source.pixels, source.path, replace(chosen, crop="none"))
        report: list[str] = []
        footage = open_footage(driving, chosen.driving_landmarks, bool(chosen.detector_weights))
        _check_before_the_work(chosen, footage)
        landmarks = _clip_landmarks(footage, face.detector, chosen, report)
        fps = chosen_fps(footage.fps, chosen.fps, report)
        crop = chosen_crop(landmarks, footage.size, chosen)
        if crop is not None and _is_seen(crop, footage, chosen):
            report.append(f"driver cropped around the face: {crop.describe()}")
        view = _view(crop, footage, chosen, source.fit)
        own = face.landmarks_there()
        if chosen.motion == "relative":
            anchor = 0 if chosen.anchor == "first" else neutral_frame(landmarks)
            why = "" if chosen.anchor == "first" else ", the most neutral one"
            report.append(f"motion relative to frame {anchor} of the driver{why}")
            moved = source.fit.points(relative_motion(landmarks, own, anchor))
        else:
            moved = _into(view, crop, landmarks)
        _say_what_leaves(moved, source.fit.size, report)
        still = source.fit.image(source.pixels)
        still.flags.writeable = False  # its edges are computed once for all frames
        background = _background(chosen, footage, report)
        there = None if background == "none" else still
        stream = FaceStream(
            landmarks=moved,
            source=FaceAnnotation(source.fit.points(own), source.fit.size, there),
            fps=fps,
            footage=footage,
            background=_backgrounds(background, footage, crop, view, still),
            said=report,
            sound=_sound(footage, fps, report),
        )
        stream.finish = _paste_back(chosen, face, footage, crop, source.fit)
        return stream

    def _chosen(self, options: Mapping[str, Any]) -> FaceOptions:
        """The options with the driver's own defaults where they are not given."""
        given = {name: value for name, value in options.items() if value is not None}
        return FaceOptions.of({**self.defaults, **given})


def _check_before_the_work(options: FaceOptions, footage: Footage) -> None:
    """Refuse what cannot be done before a long clip is gone through."""
    if options.smooth < 0:
        raise UserError(f"--smooth: 0 or more frames, not {options.smooth}")
    if options.fps is not None:
        parse_fps(options.fps)
    if footage.info is not None:
        return
    if options.background_edges == "driving":
        raise UserError(
            f"{footage.path}: has no pictures for --background-edges driving, pass a video or "
            "--background-edges source"
        )
    if options.paste_back == "driving":
        raise UserError(
            f"{footage.path}: has no pictures for --paste-back driving, pass a video or a folder "
            "of pictures"
        )


def _background(options: FaceOptions, footage: Footage, report: list[str]) -> str:
    """Whose background's edges the network is told."""
    if options.background_edges is not None:
        return options.background_edges
    if options.motion == "absolute" and footage.info is not None:
        return "driving"
    if options.motion == "absolute":
        report.append("edges of the source's background taken, as the driver has no pictures")
    return "source"


def _sound(footage: Footage, fps: Fraction, report: list[str]) -> Path | None:
    """The file of the sound; none where the pictures are played at another speed."""
    if footage.video is None or fps == footage.fps:
        return footage.video
    if has_sound(footage.video):
        report.append(f"the sound of {footage.video.name} is left out, as --fps changes the speed")
    return None


def _clip_landmarks(
    footage: Footage, detector: FaceDetector | None, options: FaceOptions, report: list[str]
) -> Landmarks:
    """Landmarks of every frame ``[T, 68, 2]`` in the driver's pixels, gaps filled, smoothed."""
    if footage.clip is not None:
        clip = footage.clip
        track = np.where(clip.found[:, None, None], clip.landmarks, np.float32(np.nan))
        notes: list[str] = []
    else:
        if detector is None:
            why = f"{footage.path}: its landmarks are not known"
            detector = face_detector(options, why, "--driving-landmarks")
        count = None if footage.info is None else footage.info.frames
        pictures = progress(footage.pictures(), "finding faces", count)
        track, notes = follow_one_face(detect_faces(detector, pictures, _DETECT_AT_ONCE))
    found = found_frames(track)
    missing = int(len(found) - found.sum())
    if missing == len(found):
        raise UserError(
            f"{footage.path}: no face was found in any of its {len(found)} frames; pass a clip "
            "that shows one, or its landmarks with --driving-landmarks"
        )
    if missing and options.on_missing == "fail":
        raise UserError(
            f"{footage.path}: {missing} of {len(found)} frames have no face, the first is frame "
            f"{int(np.argmin(found))}; pass --on-missing hold or interpolate"
        )
    done = {"hold": "held", "interpolate": "interpolated"}.get(options.on_missing, "")
    gaps = f", the rest {done}" if missing else ""
    report.append(f"{_frames(len(found), 'driving ')}: {int(found.sum())} with a face{gaps}")
    report += notes
    jumps = find_jumps(track)
    if jumps:
        named = ", ".join(map(str, jumps[:_NAMED])) + (", ..." if len(jumps) > _NAMED else "")
        report.append(f"the face jumps at frame {named}: cut such clips into their scenes")
    return smooth(fill_missing(track, "hold" if not done else options.on_missing), options.smooth)


def _view(
    crop: FaceCrop | None, footage: Footage, options: FaceOptions, fit: FrameFit
) -> FrameFit | None:
    """How the driver's crop, or its whole frame, comes to the model's size.

    None where nothing tells the frame's size and nothing needs it.
    """
    if crop is not None:
        return FrameFit((crop.side, crop.side), fit.size, fit.mode)
    size = footage.size or options.driving_size
    if size is not None:
        return FrameFit((int(size[0]), int(size[1])), fit.size, fit.mode)
    if options.motion == "absolute":
        raise UserError(
            f"{footage.path}: does not say the size of the frame that its landmarks belong to, "
            "pass --driving-size H W"
        )
    return None


def _is_seen(crop: FaceCrop, footage: Footage, options: FaceOptions) -> bool:
    """Whether the driver's crop takes something away, and from what the result depends on."""
    used = options.motion == "absolute" or "driving" in (
        options.background_edges,
        options.paste_back,
    )
    return used and not crop.is_all_of(footage.size)


def _into(view: FrameFit | None, crop: FaceCrop | None, landmarks: Landmarks) -> Landmarks:
    assert view is not None
    return view.points(landmarks if crop is None else crop.points(landmarks, crop.side))


def _backgrounds(
    whose: str, footage: Footage, crop: FaceCrop | None, view: FrameFit | None, still: Picture
) -> Callable[[], Iterator[Picture | None]]:
    """Gives, from the first frame on, the background of each at the model's size."""

    def the_same() -> Iterator[Picture | None]:
        while True:
            yield still if whose == "source" else None

    def of_the_driver() -> Iterator[Picture | None]:
        assert view is not None
        for picture in footage.pictures():
            yield view.image(picture if crop is None else crop.image(picture, crop.side))

    return of_the_driver if whose == "driving" else the_same


def _paste_back(
    options: FaceOptions, face: SourceFace, footage: Footage, crop: FaceCrop | None, fit: FrameFit
) -> Callable[[Picture], Picture] | None:
    """Puts the made pictures, one after the other, where ``--paste-back`` says."""
    if options.paste_back == "none":
        return None
    if options.paste_back == "source":
        return lambda made: paste(face.crop, face.picture, made)
    size = footage.size if crop is None else (crop.side, crop.side)
    assert size is not None  # there are pictures
    ratio = size[0] * fit.origin[1] / (size[1] * fit.origin[0])
    if max(ratio, 1 / ratio) > _SAME_PROPORTIONS:
        raise UserError(
            f"--paste-back driving: source {fit.origin[1]}x{fit.origin[0]} and driver "
            f"{size[1]}x{size[0]} have other proportions, leave --crop none out or cut one of them"
        )
    pictures = footage.pictures()
    last: Picture | None = None

    def into_the_driver(made: Picture) -> Picture:
        nonlocal last
        last = next(pictures, last)  # held where the rest cannot be decoded; the reader says so
        if last is None:
            raise UserError(f"{footage.path}: its pictures cannot be read, pass another file")
        return paste(crop, last, made)

    return into_the_driver


def _say_what_leaves(landmarks: Landmarks, size: tuple[int, int], report: list[str]) -> None:
    outside = ((landmarks < 0) | (landmarks >= (size[1], size[0]))).any(axis=-1)
    frames = int((outside.mean(axis=-1) > _OUTSIDE).sum())
    if frames:
        report.append(f"the face leaves the picture in {_frames(frames)}")


def _frames(count: int, kind: str = "") -> str:
    return f"{count} {kind}frame{'' if count == 1 else 's'}"
