"""Adapters to libraries that find people in pictures; importing one never needs its library."""

from gfla_video.detectors.base import PoseDetector
from gfla_video.detectors.coco import coco_to_openpose
from gfla_video.detectors.rtmlib_pose import RtmlibPoseDetector

__all__ = ["PoseDetector", "RtmlibPoseDetector", "coco_to_openpose"]
