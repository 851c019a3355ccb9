"""Adapter to the library ``face_alignment``: S3FD or BlazeFace boxes, 68 points by 2DFAN."""

from __future__ import annotations

import importlib
import pickle
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from gfla_video.detectors.faces import NUM_POINTS, check_weights_file, largest_first
from gfla_video.registry import DETECTORS
from gfla_video.utils.errors import UserError

_INSTALL = "pip install 'face-alignment>=1.5'"
_SITE = "www.adrianbulat.com/downloads/python-fan"
_FAN_FILE, _SFD_FILE = "2DFAN4-11f355bf06.pth.tar", "s3fd-619a316812.pth"
_LANDMARKS, _SFD = f"{_FAN_FILE} from {_SITE}", f"{_SFD_FILE} from {_SITE}"
_BOTH = f"{_FAN_FILE} and {_SFD_FILE} from {_SITE}"
_BLAZE = "blazeface.pth or blazefaceback.pth of the project BlazeFace-PyTorch"
_ANCHORS = "anchors.npy or anchorsback.npy, the one that belongs to the detector"
_LOAD_ERRORS = (RuntimeError, ValueError, KeyError, OSError, EOFError, TypeError, AttributeError)
_NETWORK_SIZE = 4


@DETECTORS.register_module()
class FaceAlignmentDetector:
    """Faces by S3FD (or BlazeFace), their 68 two-dimensional points by a face alignment network.

    Nothing is downloaded: the library's own downloads are switched off.

    Args:
        landmark_weights: file of the network 2DFAN-4.
        detector_weights: file of S3FD; of BlazeFace where ``anchors`` is given as well.
        anchors: BlazeFace's anchors, ``.npy``.
        device: as torch names it.

    Raises:
        UserError: the library or a file is missing, or a file holds something else.
    """

    def __init__(
        self,
        landmark_weights: str,
        detector_weights: str,
        anchors: str | None = None,
        device: str = "cpu",
    ) -> None:
        name = type(self).__name__
        check_weights_file(landmark_weights, name, _LANDMARKS)
        check_weights_file(detector_weights, name, _BLAZE if anchors else _SFD)
        kwargs = {"path_to_detector": detector_weights}
        if anchors:
            check_weights_file(anchors, name, _ANCHORS)
            kwargs |= {"path_to_anchor": anchors, "back_model": "back" in detector_weights}
        library = _library()
        points = _load(lambda: _landmark_network(library, landmark_weights), landmark_weights)

        class Aligner(library.FaceAlignment):
            """The library's class with the network that was read from the given file."""

            def _load_native(self, *_: Any) -> Any:
                return points.to(self.device, dtype=self.dtype).eval()

        self._aligner = _load(
            lambda: Aligner(
                library.LandmarksType.TWO_D,
                device=device,
                compile=False,
                face_detector="blazeface" if anchors else "sfd",
                face_detector_kwargs=kwargs,
            ),
            detector_weights,
            f" on the device {device!r}",
        )

    @classmethod
    def from_weights(cls, weights: Sequence[str], device: str = "cpu") -> FaceAlignmentDetector:
        """``weights``: the landmark network, the detector, BlazeFace's anchors if it is that."""
        onnx = [str(path) for path in weights if str(path).lower().endswith(".onnx")]
        if onnx:
            raise UserError(
                f"--detector-weights: {' and '.join(onnx)} are ONNX, which "
                f"{cls.__name__} does not read; pass --detector OnnxFaceDetector"
            )
        if not 2 <= len(weights) <= 3:
            got = f" (got {len(weights)})" if weights else ""
            raise UserError(
                f"--detector-weights: fetch {_BOTH} for {cls.__name__}{got}, or pass "
                "--detector OnnxFaceDetector with LANDMARKS.onnx DETECTOR.onnx"
            )
        landmarks, detector, anchors = (*weights, None)[:3]
        return cls(str(landmarks), str(detector), anchors, device=device)

    def detect(self, image: np.ndarray) -> np.ndarray:
        """Find faces: uint8 ``[H, W, 3]`` RGB -> float32 ``[N, 68, 2]`` (see ``FaceDetector``)."""
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The same for several pictures of one size, whose boxes are found at once."""
        stack = torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy())
        with warnings.catch_warnings():  # it warns where there is no face; here that is an answer
            warnings.simplefilter("ignore", UserWarning)
            found = self._aligner.get_landmarks_from_batch(stack) or [()] * len(images)
        return [largest_first(np.reshape(faces, (-1, NUM_POINTS, 2))) for faces in found]


def _library() -> Any:
    try:
        library = importlib.import_module("face_alignment")
    except ImportError as error:
        raise UserError(
            f"FaceAlignmentDetector: face_alignment cannot be imported ({error}); install it with "
            f"`{_INSTALL}`, or choose OnnxFaceDetector"
        ) from error
    if not hasattr(library.FaceAlignment, "_load_native"):  # older ones load another kind of file
        raise UserError(f"FaceAlignmentDetector: face_alignment is too old, do `{_INSTALL}`")
    return library


def _landmark_network(library: Any, path: str) -> Any:
    network = importlib.import_module(f"{library.__name__}.models").FAN(_NETWORK_SIZE)
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network


def _load(build: Any, path: str, where: str = "") -> Any:
    try:
        return build()
    except (*_LOAD_ERRORS, AssertionError, pickle.UnpicklingError) as error:
        unknown = isinstance(error, pickle.UnpicklingError)  # torch's advice would be to trust it
        reason = (
            "no file of weights"
            if unknown
            else (str(error).strip() or type(error).__name__).splitlines()[0]
        )
        raise UserError(
            f"{path}: the network cannot be loaded{where} ({reason}); fetch the file anew, {_BOTH}"
        ) from error
