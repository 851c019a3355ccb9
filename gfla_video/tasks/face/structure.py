"""68 landmarks of a face as a structure tensor: edges, distances, parts (golden maps_face)."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from gfla_video.registry import STRUCTURES
from gfla_video.tasks.face.annotation import (
    FaceAnnotation,
    Landmarks,
    Picture,
    check_landmarks,
    scale_landmarks,
)
from gfla_video.tasks.face.curves import (
    CURVE_LABELS,
    CURVES,
    PART_COLOURS,
    curve_pixels,
    part_labels,
    with_forehead,
)
from gfla_video.utils.errors import UserError

__all__ = ["FaceStructure"]

Edges = npt.NDArray[np.uint8]
_NUM_CURVES = len(CURVES)
# Distances in whole pixels (city block) to values: a third, truncated to 8 bits, in [0, 1].
_DISTANCE_STEPS = 3 * 255
_DISTANCE_VALUES = (np.arange(_DISTANCE_STEPS + 1) // 3).astype(np.float32) / np.float32(255)


@STRUCTURES.register_module()
class FaceStructure:
    """A face's landmarks -> 16 maps, and a picture of them.

    Channel 0 holds the face's 14 curves and, outside of the face, the Canny edges of the frame;
    channels 1-14 the distance to each curve; channel 15 the parts as numbers 0 to 6. There is no
    way back from the maps to landmarks, hence no ``decode``.

    Args:
        background_edges: whether a picture in the annotation adds its edges to channel 0.
    """

    channels = 1 + _NUM_CURVES + 1

    def __init__(self, background_edges: bool = True) -> None:
        self.background_edges = bool(background_edges)
        # Replaced as a whole: threads see one picture with its own edges.
        self._last: tuple[Picture, npt.NDArray[np.bool_]] | None = None

    def encode(self, annotation: FaceAnnotation, size: tuple[int, int]) -> Tensor:
        """Landmarks to maps.

        Args:
            annotation: landmarks and, for the background's edges, the picture they belong to.
            size: (H, W) of the maps, whatever the size of the picture.

        Returns:
            float32 ``[16, H, W]``; channels 0-14 are in [0, 1], channel 15 in 0..6.

        Raises:
            ValueError: the landmarks are not ``[68, 2]`` and finite.
        """
        points, labels = _geometry(annotation, size)
        curve, y, x = curve_pixels(scale_landmarks(points, annotation.size, size), size)
        maps = np.empty((self.channels, *size), dtype=np.float32)
        edges = self._edges(annotation, labels, y, x)
        np.divide(edges, np.float32(255), out=maps[0])
        away = np.full((_NUM_CURVES, *size), 255, dtype=np.uint8)
        away[curve, y, x] = 0
        for number in range(_NUM_CURVES):
            distance = cv2.distanceTransform(away[number], cv2.DIST_L1, 3)
            steps = np.minimum(distance, _DISTANCE_STEPS).astype(np.uint16)
            np.take(_DISTANCE_VALUES, steps, out=maps[1 + number])
        maps[-1] = labels
        return torch.from_numpy(maps)

    def draw(
        self,
        annotation: FaceAnnotation,
        size: tuple[int, int],
        background: Picture | None = None,
    ) -> Picture:
        """The curves in a colour per part, the background's edges in white, for people.

        Args:
            annotation: landmarks and, for the background's edges, the picture they belong to.
            size: (H, W) of the result.
            background: uint8 ``[H, W, 3]`` RGB to draw on, black where None.

        Returns:
            uint8 ``[H, W, 3]`` RGB.
        """
        if background is None:
            drawn = np.zeros((*size, 3), dtype=np.uint8)
        elif background.shape != (*size, 3):
            raise ValueError(f"expected a background {(*size, 3)}, got {background.shape}")
        else:
            drawn = np.array(background, dtype=np.uint8)
        points, labels = _geometry(annotation, size)
        if background is None:
            nothing = np.empty(0, dtype=np.intp)
            drawn[self._edges(annotation, labels, nothing, nothing) > 0] = PART_COLOURS[0] // 2
        curve, y, x = curve_pixels(scale_landmarks(points, annotation.size, size), size)
        drawn[y, x] = PART_COLOURS[CURVE_LABELS[curve]]
        return drawn

    def show(self, structure: Tensor) -> Picture:
        """Maps ``[16, H, W]`` as a picture for people: edges in white on the parts' colours.

        Returns:
            uint8 ``[H, W, 3]`` RGB.
        """
        edges, labels = structure[0].cpu().numpy(), structure[-1].cpu().numpy().astype(np.intp)
        drawn = PART_COLOURS[labels] // 3
        drawn[labels == 0] = 0
        drawn[edges > 0.5] = PART_COLOURS[0]
        return drawn

    def _edges(
        self,
        annotation: FaceAnnotation,
        labels: npt.NDArray[np.uint8],
        y: npt.NDArray[np.intp],
        x: npt.NDArray[np.intp],
    ) -> Edges:
        """Channel 0 in 8 bits: 255 on a curve or an edge of the background, 254 where both are."""
        edges = np.zeros(labels.shape, dtype=np.uint8)
        edges[y, x] = 255
        if self.background_edges and annotation.picture is not None:
            outside = self._canny(annotation.picture, labels.shape) & (labels == 0)
            if annotation.shown is not None:
                other = annotation._replace(landmarks=annotation.shown)
                outside &= _geometry(other, (labels.shape[0], labels.shape[1]))[1] == 0
            # The sum wraps round in the released program: 255 + 255 is 254, still an edge.
            edges += outside.astype(np.uint8) * np.uint8(255)
        return edges

    def _canny(self, picture: Picture, size: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Canny edges; those of the last read-only picture are kept, as one may serve a clip."""
        last = self._last
        if last is not None and last[0] is picture and last[1].shape == size:
            return last[1]
        edges = canny_edges(picture, (size[0], size[1]))
        if not picture.flags.writeable:
            self._last = (picture, edges)
        return edges


def canny_edges(picture: Picture, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Canny edges (sigma 1) of a picture brought to ``size`` (H, W), bool ``[H, W]``.

    Raises:
        UserError: scikit-image is not installed.
    """
    try:
        from skimage.feature import canny
    except ImportError as error:
        raise UserError(
            f"edges of the background need scikit-image ({error}); pip install scikit-image, or "
            "set background_edges=False in the config's structure"
        ) from error
    image = Image.fromarray(picture)
    if picture.shape[:2] != tuple(size):
        image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return canny(np.asarray(image.convert("L")))


def _geometry(
    annotation: FaceAnnotation, size: tuple[int, int]
) -> tuple[Landmarks, npt.NDArray[np.uint8]]:
    """The 83 points in the annotation's frame ``[83, 2]``, and the parts at ``size``."""
    points = with_forehead(check_landmarks(annotation.landmarks))
    labels = part_labels(points, annotation.size)
    if tuple(annotation.size) != tuple(size):
        wanted = (size[1], size[0])
        labels = np.asarray(Image.fromarray(labels).resize(wanted, Image.Resampling.NEAREST))
    return points, labels
