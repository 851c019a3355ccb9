"""The face in the picture that is to be animated."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from gfla_video.detectors import (
    FaceCrop,
    FaceDetector,
    build_face_detector,
    crop_around,
    detect_faces,
)
from gfla_video.tasks.face.annotation import Landmarks, Picture
from gfla_video.tasks.face.driver_options import FaceOptions
from gfla_video.tasks.face.footage import read_clip_or_face
from gfla_video.tasks.face.landmark_files import in_pictures
from gfla_video.utils.errors import UserError


@dataclass
class SourceFace:
    """A source and its face.

    Attributes:
        picture: uint8 ``[H, W, 3]``, the whole picture.
        landmarks: float32 ``[68, 2]`` in it.
        crop: the square that is animated, None where it is the whole picture.
        detector: the one that found the face, None where a file told it.
        report: sentences for the user.
    """

    picture: Picture
    landmarks: Landmarks
    crop: FaceCrop | None = None
    detector: FaceDetector | None = None
    report: list[str] = field(default_factory=list)

    def animated(self) -> Picture:
        """The part of the picture that is animated."""
        return self.picture if self.crop is None else self.crop.image(self.picture, self.crop.side)

    def landmarks_there(self) -> Landmarks:
        """The landmarks in :meth:`animated`."""
        if self.crop is None:
            return self.landmarks
        return self.crop.points(self.landmarks, self.crop.side)


def find_source_face(pixels: Picture, path: Path, options: FaceOptions) -> SourceFace:
    """Find the face of a picture, and the square around it that is animated.

    Its points come from ``--source-landmarks``, from an ``.npz`` of the picture's name beside it
    (where no detector was asked for), or from the detector.

    Raises:
        UserError: there is no face, or a file is missing or not what it should be.
    """
    beside = path.with_suffix(".npz")
    report: list[str] = []
    detector = None
    if options.source_landmarks is not None:
        landmarks = _of_file(Path(options.source_landmarks), pixels)
        report.append(f"source landmarks of {options.source_landmarks}")
    elif not options.detector_weights and beside.is_file():
        landmarks = _of_file(beside, pixels)
        report.append(f"source landmarks of {beside.name}, beside it")
    else:
        detector = face_detector(options, f"{path}: its face is not known", "--source-landmarks")
        (faces,) = detect_faces(detector, [pixels])
        if not len(faces):
            raise UserError(
                f"{path}: no face was found in it; pass a picture that shows one, or its 68 points "
                "with --source-landmarks"
            )
        if len(faces) > 1:
            report.append(f"{path.name} shows {len(faces)} faces, the largest one is animated")
        landmarks = faces[0]
    face = SourceFace(pixels, landmarks, None, detector, report)
    size = (pixels.shape[0], pixels.shape[1])
    face.crop = chosen_crop(landmarks, size, options)
    if face.crop is not None and not face.crop.is_all_of(size):
        report.append(f"source cropped around the face: {face.crop.describe()}")
    return face


def chosen_crop(
    landmarks: Landmarks, size: tuple[int, int] | None, options: FaceOptions
) -> FaceCrop | None:
    """The square around a face ``[..., 68, 2]``; None where the whole picture does, or must do.

    Args:
        landmarks: of a picture or a clip.
        size: (H, W) of the pictures; None where there are none, which are always cropped.
        options: say whether to crop at all.
    """
    if options.crop == "none":
        return None
    crop = crop_around(landmarks, options.crop_margin, size)
    if size is None or options.crop == "always" or crop.is_needed(size):
        return crop
    return None


def paste(crop: FaceCrop | None, picture: Picture, face: Picture) -> Picture:
    """Put a made picture into the one that its crop was cut from (None: in the place of all)."""
    if crop is not None:
        return crop.paste(picture, face)
    height, width = picture.shape[:2]
    resized = Image.fromarray(face).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized)


def face_detector(options: FaceOptions, why: str, instead: str) -> FaceDetector:
    """Build the chosen detector, or say in one sentence what to pass.

    Raises:
        UserError: no such detector, or a file or library is missing.
    """
    weights, device = options.detector_weights, options.detector_device
    try:
        return build_face_detector(options.detector, weights, device)
    except UserError as error:
        if weights:
            raise
        raise UserError(f"{why}, and {error}; or pass its landmarks with {instead}") from error


def _of_file(path: Path, pixels: Picture) -> Landmarks:
    clip = read_clip_or_face(path)
    if len(clip.landmarks) != 1:
        raise UserError(
            f"{path}: holds the landmarks of {len(clip.landmarks)} frames, one face is wanted for "
            "a source picture; pass a file of one, or have it found with --detector-weights"
        )
    if not clip.found[0]:
        raise UserError(f"{path}: its first face was not found, pass the landmarks of one that was")
    size = (pixels.shape[0], pixels.shape[1])
    landmarks = in_pictures(clip, size, path).landmarks[0]
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    if (high < 0).any() or (low > (size[1], size[0])).any():
        raise UserError(
            f"{path}: the face lies outside of the picture of {size[1]}x{size[0]}, pass the "
            "landmarks of this picture"
        )
    return landmarks
