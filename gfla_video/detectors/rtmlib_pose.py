"""Adapter to ``rtmlib``, a kept library that runs RTMPose through ONNX without MMPose."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gfla_video.detectors.coco import coco_to_openpose
from gfla_video.detectors.onnx_session import onnx_errors
from gfla_video.registry import DETECTORS
from gfla_video.utils.errors import UserError

_INSTALL = "pip install rtmlib onnxruntime"


@DETECTORS.register_module()
class RtmlibPoseDetector:
    """People by YOLOX, their joints by RTMPose (17 COCO or 26 Halpe joints), both as ONNX files.

    Nothing is downloaded: take ``end2end.onnx`` out of the archives that RTMPose's project page
    lists under "onnx_sdk" and pass the paths.

    Args:
        det_weights: ONNX file of a YOLOX person detector; without it the whole picture is taken
            as one person's box, which suits pictures of one person that fill the frame.
        pose_weights: ONNX file of an RTMPose body model.
        device: ``cpu``, ``cuda``, ``cuda:N`` (needs onnxruntime-gpu), ``mps`` or ``rocm``.
        backend: rtmlib's, ``onnxruntime``, ``opencv`` or ``openvino``.
        score_threshold: joints with a lower score count as not found.
        det_size: (H, W) of the detector's input where its ONNX file does not say it.
        pose_size: (H, W) of the pose model's input where its ONNX file does not say it.

    Raises:
        UserError: rtmlib is not installed, or a file is missing or cannot be loaded.
    """

    finds = "people"

    def __init__(
        self,
        det_weights: str | None = None,
        pose_weights: str | None = None,
        device: str = "cpu",
        backend: str = "onnxruntime",
        score_threshold: float = 0.3,
        det_size: tuple[int, int] = (640, 640),
        pose_size: tuple[int, int] = (256, 192),
    ) -> None:
        if not pose_weights:
            raise UserError(
                "RtmlibPoseDetector: no pose model given; pass --detector-weights POSE.onnx "
                "[DETECTOR.onnx], the ONNX files of an RTMPose body model and of YOLOX"
            )
        for path in filter(None, (pose_weights, det_weights)):
            if not Path(path).is_file():
                raise UserError(
                    f"{path}: no such model file; put the ONNX file of "
                    f"{'the RTMPose body model' if path == pose_weights else 'YOLOX'} there"
                )
        library = _library()
        self.score_threshold = score_threshold
        common = {"backend": backend, "device": device}
        self._pose = _load(library.RTMPose, pose_weights, pose_size[::-1], common)
        height, width = _input_size(self._pose) or pose_size
        self._pose.model_input_size = (width, height)  # this class of rtmlib says width first
        self._people: Any = None
        if det_weights:
            self._people = _load(library.YOLOX, det_weights, det_size, common)
            self._people.model_input_size = _input_size(self._people) or det_size

    @classmethod
    def from_weights(cls, weights: Sequence[str], device: str = "cpu") -> RtmlibPoseDetector:
        """``weights``: the pose model, and after it (optional) the person detector."""
        if len(weights) > 2:
            raise UserError(
                f"--detector-weights: takes POSE.onnx [DETECTOR.onnx], got {len(weights)} files"
            )
        pose, people = (*weights, None, None)[:2]
        return cls(det_weights=people, pose_weights=pose, device=device)

    def detect(self, image: np.ndarray) -> np.ndarray:
        """Find people: uint8 ``[H, W, 3]`` RGB -> float32 ``[N, 18, 3]`` (see ``PoseDetector``)."""
        bgr = np.ascontiguousarray(image[..., ::-1])  # rtmlib takes pictures as OpenCV reads them
        boxes: Any = [[0, 0, image.shape[1], image.shape[0]]]
        if self._people is not None:
            boxes = self._people(bgr)
            if len(boxes) == 0:  # rtmlib's own answer would be the whole picture as one box
                return np.zeros((0, 18, 3), np.float32)
        keypoints, scores = self._pose(bgr, bboxes=boxes)
        joints = np.concatenate([keypoints, np.asarray(scores)[..., None]], axis=-1)
        if joints.shape[1] not in (17, 26):
            raise UserError(
                f"RtmlibPoseDetector: the pose model gives {joints.shape[1]} joints, "
                "pass one of 17 (COCO body) or 26 (body with feet)"
            )
        return coco_to_openpose(joints, self.score_threshold)


def _library() -> Any:
    try:
        return importlib.import_module("rtmlib")
    except ImportError as error:
        raise UserError(
            f"RtmlibPoseDetector: rtmlib cannot be imported ({error}); install it with "
            f"`{_INSTALL}`, or pass poses instead of a video"
        ) from error


def _load(kind: Any, path: str, size: tuple[int, int], common: dict[str, str]) -> Any:
    with contextlib.redirect_stdout(sys.stderr):  # it prints, and standard output is ours
        try:
            return kind(path, model_input_size=tuple(size), **common)
        except (ImportError, RuntimeError, ValueError, KeyError, OSError, *onnx_errors()) as error:
            raise UserError(
                f"{path}: the ONNX model cannot be loaded ({error}); check the file, and that "
                f"`{_INSTALL}` was done"
            ) from error


def _input_size(tool: Any) -> tuple[int, int] | None:
    """(H, W) that an ONNX model was exported for, where its session says it."""
    inputs = getattr(getattr(tool, "session", None), "get_inputs", None)
    if inputs is None:
        return None
    shape = inputs()[0].shape
    height, width = shape[-2:]
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None
