"""What a face detector is, and how one is chosen by its name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

from gfla_video.registry import DETECTORS
from gfla_video.utils.errors import UserError

NUM_POINTS = 68

# Where each of iBUG's 68 points lies after a left-right flip: jaw, brows, nose bridge, nostrils,
# eyes (upper lid first, then the lower one), outer lip, inner lip.
MIRRORED_POINTS = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
    *(64, 63, 62, 61, 60, 67, 66, 65),
)


class FaceDetector(Protocol):
    """A registered finder of faces and their 68 points (registry ``DETECTORS``).

    A class that finds something else than faces says so in an attribute ``finds``. A class may
    also bring ``detect_batch(images) -> list`` of what :meth:`detect` gives, where several
    pictures of one size at a time are faster.
    """

    @classmethod
    def from_weights(cls, weights: Sequence[str], device: str = "cpu") -> FaceDetector:
        """Build one from the files of ``--detector-weights``, in the order the class documents.

        Raises:
            UserError: the library or a file is missing.
        """

    def detect(self, image: np.ndarray) -> np.ndarray:
        """Find the faces in one picture.

        Args:
            image: uint8 ``[H, W, 3]`` RGB.

        Returns:
            float32 ``[N, 68, 2]``: (x, y) in pixels, a whole number is the middle of a pixel;
            points in iBUG's order; the largest face first. N is 0 where there is none.
        """


def build_face_detector(
    name: str, weights: Sequence[str] | None = None, device: str = "cpu"
) -> FaceDetector:
    """Build a registered face detector.

    Args:
        name: as registered.
        weights: its model files, in the order its class documents.
        device: where it runs.

    Raises:
        UserError: no such detector, or a file or library is missing.
    """
    kind = DETECTORS.get(name)
    if kind is None or not _finds_faces(kind):
        known = DETECTORS.module_dict.items()
        names = ", ".join(sorted(key for key, found in known if _finds_faces(found)))
        problem = "is not registered" if kind is None else "finds no faces"
        raise UserError(f"--detector: {name!r} {problem}, there are {names}")
    return kind.from_weights(list(weights or ()), device=device)


def _finds_faces(kind: type) -> bool:
    return getattr(kind, "finds", "faces") == "faces"


def detect_faces(
    detector: FaceDetector, images: Iterable[np.ndarray], batch: int = 1
) -> Iterator[np.ndarray]:
    """Find the faces of one picture after another, ``batch`` at a time where the detector can.

    Args:
        detector: any face detector.
        images: uint8 ``[H, W, 3]``, of one size.
        batch: number of pictures that are held at a time.

    Yields:
        float32 ``[N, 68, 2]`` per picture.

    Raises:
        UserError: the detector gives something other than 68 points.
    """
    many = getattr(detector, "detect_batch", None)
    stream = iter(images)
    while chunk := list(islice(stream, max(1, batch))):
        found = many(chunk) if many is not None else map(detector.detect, chunk)
        for landmarks in found:
            if landmarks.ndim != 3 or landmarks.shape[1:] != (NUM_POINTS, 2):
                raise UserError(
                    f"{type(detector).__name__} gives {list(landmarks.shape)} numbers per picture "
                    f"where [faces, {NUM_POINTS}, 2] are wanted; choose a detector of 68 points"
                )
            yield landmarks


def face_sizes(landmarks: np.ndarray) -> np.ndarray:
    """Longer side of the box around the points: ``[..., 68, 2]`` -> ``[...]``, in pixels."""
    return (landmarks.max(axis=-2) - landmarks.min(axis=-2)).max(axis=-1)


def largest_first(faces: Sequence[np.ndarray]) -> np.ndarray:
    """Stack faces ``[68, 2]`` as float32 ``[N, 68, 2]``, the largest first; N may be 0."""
    if not len(faces):
        return np.zeros((0, NUM_POINTS, 2), np.float32)
    stacked = np.stack([np.asarray(face, np.float32) for face in faces])
    return stacked[np.argsort(-face_sizes(stacked), kind="stable")]


def check_weights_file(path: str, detector: str, what: str) -> None:
    """Refuse a model file that is not there.

    Args:
        path: of the file.
        detector: class that wants it.
        what: what the file holds and where it is to be had.

    Raises:
        UserError: there is no such file.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such model file for {detector}; put {what} there")
