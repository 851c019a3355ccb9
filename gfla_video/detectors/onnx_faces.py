"""Faces and their 68 points by two small ONNX networks, run by onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from gfla_video.detectors.faces import (
    MIRRORED_POINTS,
    NUM_POINTS,
    check_weights_file,
    face_sizes,
    largest_first,
)
from gfla_video.detectors.onnx_session import open_session
from gfla_video.registry import DETECTORS
from gfla_video.utils.errors import UserError

_LANDMARKS = "the ONNX file of a 68-point network (PFLD: crop of 0..1 in, 136 numbers of 0..1 out)"
_BOXES = "the ONNX file of a face detector with scores and corner boxes (version-RFB-320)"
_MARGIN = 1.3  # side of the crop by the longer side of the points' box
_RISE = 0.05  # of the crop above the middle of that box: the forehead has no points
_ZOOMS = (0.94, 1.0, 1.06)
_OVERLAP = 0.3
_MOST_FACES = 8
_BOXLESS_PASSES = 4


class _View(NamedTuple):
    """A square cut of the picture: ``out = matrix @ in + shift`` in pixel-centre coordinates."""

    matrix: np.ndarray  # [2, 2]
    shift: np.ndarray  # [2]


@DETECTORS.register_module()
class OnnxFaceDetector:
    """Face boxes by a detector, then 68 points by a regression network on each box.

    The points are found again on a crop that is laid around the first ones and turned upright,
    and averaged over three sizes of that crop and their mirror images: on the 300-W and 300-VW
    pictures at hand this lowers the error from 4.1 to 3.4% of the distance between the eyes'
    corners, and the jitter of a video by a fifth.

    Args:
        landmark_weights: ONNX file, input ``[B, 3, S, S]`` RGB in 0..1, output ``[B, 136]`` =
            68 x (x, y) in parts of the crop (PFLD).
        detector_weights: ONNX file, input ``[1, 3, h, w]`` RGB as ``(x - 127) / 128``, outputs
            scores ``[1, N, 2]`` and boxes ``[1, N, 4]`` = corners in parts of the picture
            (version-RFB-320). Without it the whole picture is taken as one face, which suits
            pictures that a face fills.
        device: ``cpu`` or another of onnxruntime's providers.
        threshold: least score of a box.
        passes: how often the points are found anew around the points.

    Raises:
        UserError: onnxruntime or a file is missing, or a file holds another kind of network.
    """

    def __init__(
        self,
        landmark_weights: str,
        detector_weights: str | None = None,
        device: str = "cpu",
        threshold: float = 0.7,
        passes: int = 2,
    ) -> None:
        name = type(self).__name__
        check_weights_file(landmark_weights, name, _LANDMARKS)
        if detector_weights:
            check_weights_file(detector_weights, name, _BOXES)
        self.threshold, self.passes = threshold, passes
        self._points = open_session(landmark_weights, device)
        self._side = _crop_side(self._points, landmark_weights)
        self._boxes: Any = None
        if detector_weights:
            self._boxes = open_session(detector_weights, device)
            self._box_input = _box_input(self._boxes, detector_weights)

    @classmethod
    def from_weights(cls, weights: Sequence[str], device: str = "cpu") -> OnnxFaceDetector:
        """``weights``: the landmark network, and after it (optional) the face detector."""
        if not 1 <= len(weights) <= 2:
            raise UserError(
                f"--detector-weights: {cls.__name__} takes LANDMARKS.onnx [DETECTOR.onnx], got "
                f"{len(weights)} files; pass {_LANDMARKS}, and {_BOXES}"
            )
        return cls(*weights, device=device)

    def detect(self, image: np.ndarray) -> np.ndarray:
        """Find faces: uint8 ``[H, W, 3]`` RGB -> float32 ``[N, 68, 2]`` (see ``FaceDetector``)."""
        if self._boxes is None:
            height, width = image.shape[:2]
            side = min(height, width)
            points = self._locate(image, [_upright((width / 2, height / 2), side, self._side)])
            return largest_first([self._refine(image, points, _BOXLESS_PASSES)])
        faces = []
        for box in self._find_boxes(image):
            centre, side = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max())
            points = self._locate(image, [_upright(centre, side, self._side)])
            points = self._refine(image, points, self.passes)
            # Where there was no face the points wander off or shrink.
            if _box_overlap(_around(points), box[None])[0] > _OVERLAP / 2:
                faces.append(points)
        return largest_first(faces)

    def _find_boxes(self, image: np.ndarray) -> list[np.ndarray]:
        """Boxes ``[4]`` (x0, y0, x1, y1) in pixels, the largest first, overlapping ones merged."""
        name, height, width = self._box_input
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        pixels = (small.astype(np.float32) - 127) / 128
        outputs = self._boxes.run(None, {name: pixels.transpose(2, 0, 1)[None]})
        scores = next(out[0, :, 1] for out in outputs if out.shape[-1] == 2)
        corners = next(out[0] for out in outputs if out.shape[-1] == 4)
        sure = scores > self.threshold
        boxes = corners[sure] * np.array([image.shape[1], image.shape[0]] * 2, np.float32)
        kept: list[np.ndarray] = []
        for box in boxes[np.argsort(-scores[sure])]:
            if not kept or _box_overlap(box, np.stack(kept)).max() < _OVERLAP:
                kept.append(box)
        kept.sort(key=lambda box: -float((box[2:] - box[:2]).prod()))
        return kept[:_MOST_FACES]

    def _refine(self, image: np.ndarray, points: np.ndarray, passes: int) -> np.ndarray:
        for _ in range(passes):
            if face_sizes(points) < 2:  # nothing to lay a crop around
                break
            views = [_along(points, zoom, self._side) for zoom in _ZOOMS]
            points = self._locate(image, views)
        return points

    def _locate(self, image: np.ndarray, views: list[_View]) -> np.ndarray:
        """Mean over views and their mirror images of the points ``[68, 2]`` in the picture."""
        crops = [_cut(image, view, self._side) for view in views]
        stack = np.stack([side for crop in crops for side in (crop, crop[:, ::-1])])
        pixels = np.ascontiguousarray(stack.astype(np.float32).transpose(0, 3, 1, 2) / 255)
        name = self._points.get_inputs()[0].name
        found = np.stack([self._points.run(None, {name: one[None]})[0] for one in pixels])
        found = found.reshape(len(views), 2, NUM_POINTS, 2)
        mirrored = found[:, 1, list(MIRRORED_POINTS)]
        mirrored[..., 0] = 1 - mirrored[..., 0]
        points = (found[:, 0] + mirrored) / 2 * self._side - 0.5
        back = [
            (part - view.shift) @ np.linalg.inv(view.matrix).T
            for part, view in zip(points, views, strict=True)
        ]
        return np.mean(back, axis=0)


def _upright(centre: Sequence[float] | np.ndarray, side: float, size: int) -> _View:
    matrix = np.eye(2) * (size / side)
    return _View(matrix, size / 2 - 0.5 - matrix @ np.asarray(centre, float))


def _along(points: np.ndarray, zoom: float, size: int) -> _View:
    """A view around a face whose eyes come to lie level."""
    across = points[42:48].mean(axis=0) - points[36:42].mean(axis=0)
    length = float(np.hypot(*across))
    cos, sin = across / length if length > 0 else (1.0, 0.0)
    turn = np.array([[cos, sin], [-sin, cos]])
    level = points @ turn.T
    low, high = level.min(axis=0), level.max(axis=0)
    side = float((high - low).max()) * _MARGIN
    centre = (low + high) / 2 - [0, _RISE * side]
    matrix = turn * (size / (side * zoom))
    return _View(matrix, size / 2 - 0.5 - centre * (size / (side * zoom)))


def _cut(image: np.ndarray, view: _View, size: int) -> np.ndarray:
    """uint8 ``[size, size, 3]``, the picture's border repeated; shrunk first where it is large."""
    scale = float(np.hypot(*view.matrix[0]))
    matrix, shift = view.matrix, view.shift
    factor = int(0.75 / scale)
    if factor > 1:  # whole pixels in one: plain bilinear reading of a large face would skip some
        height, width = (max(1, side // factor) for side in image.shape[:2])
        cropped = image[: height * factor, : width * factor]
        image = cv2.resize(cropped, (width, height), interpolation=cv2.INTER_AREA)
        shift = shift + matrix @ np.full(2, (factor - 1) / 2)
        matrix = matrix * factor
    affine = np.hstack([matrix, shift[:, None]])
    return cv2.warpAffine(
        image, affine, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _around(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _box_overlap(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of ``[4]`` with ``[N, 4]`` -> ``[N]``."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    common = np.clip(high - low, 0, None).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return common / np.maximum(areas - common, 1e-9)


def _crop_side(session: Any, path: str) -> int:
    """Side of the landmark network's crop; refuses networks of another kind."""
    shape = session.get_inputs()[0].shape
    square = len(shape) == 4 and shape[1] == 3 and shape[2] == shape[3]
    numbers = session.get_outputs()[0].shape[-1]
    if not square or not isinstance(shape[2], int) or numbers != 2 * NUM_POINTS:
        raise UserError(
            f"{path}: takes {shape} and gives {session.get_outputs()[0].shape}, where a network "
            f"of [B, 3, S, S] to [B, {2 * NUM_POINTS}] is wanted; pass {_LANDMARKS}"
        )
    return shape[2]


def _box_input(session: Any, path: str) -> tuple[str, int, int]:
    """Name, height and width of the detector's input; refuses networks of another kind."""
    given = session.get_inputs()[0]
    widths = sorted(output.shape[-1] for output in session.get_outputs())
    fixed = len(given.shape) == 4 and all(isinstance(side, int) for side in given.shape[1:])
    if not fixed or given.shape[1] != 3 or widths != [2, 4]:
        raise UserError(
            f"{path}: takes {given.shape} and gives rows of {widths} numbers, where a network of "
            f"[1, 3, h, w] to scores [1, N, 2] and boxes [1, N, 4] is wanted; pass {_BOXES}"
        )
    return given.name, given.shape[2], given.shape[3]
