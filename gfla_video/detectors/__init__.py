"""Adapters to libraries that find people and faces; importing one never needs its library."""

from gfla_video.detectors.base import PoseDetector
from gfla_video.detectors.coco import coco_to_openpose
from gfla_video.detectors.face_alignment_faces import FaceAlignmentDetector
from gfla_video.detectors.face_crop import FaceCrop, crop_around, whole_picture
from gfla_video.detectors.face_following import follow_one_face
from gfla_video.detectors.face_tracks import (
    fill_missing,
    find_jumps,
    found_frames,
    smooth,
)
from gfla_video.detectors.faces import (
    MIRRORED_POINTS,
    NUM_POINTS,
    FaceDetector,
    build_face_detector,
    detect_faces,
    face_sizes,
)
from gfla_video.detectors.onnx_faces import OnnxFaceDetector
from gfla_video.detectors.rtmlib_pose import RtmlibPoseDetector
from gfla_video.utils.errors import UserError

__all__ = [
    "MIRRORED_POINTS",
    "NUM_POINTS",
    "FaceAlignmentDetector",
    "FaceCrop",
    "FaceDetector",
    "OnnxFaceDetector",
    "PoseDetector",
    "RtmlibPoseDetector",
    "UserError",
    "build_face_detector",
    "coco_to_openpose",
    "crop_around",
    "detect_faces",
    "face_sizes",
    "fill_missing",
    "find_jumps",
    "follow_one_face",
    "found_frames",
    "smooth",
    "whole_picture",
]
