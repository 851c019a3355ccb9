"""What every task's data shares: images, samplers, the base of the datasets, exact ground truth."""

from gfla_video.datasets.affine import Affine, AffineRange, affine_matrix, move_points
from gfla_video.datasets.base import TransferDataset
from gfla_video.datasets.images import (
    BrokenImageError,
    image_to_tensor,
    read_image,
    resize_image,
)
from gfla_video.datasets.sampler import ResumableInfiniteSampler, SampleKey
from gfla_video.datasets.split import IdSplit
from gfla_video.datasets.truth import read_clip_truth, read_truth

__all__ = [
    "Affine",
    "AffineRange",
    "BrokenImageError",
    "IdSplit",
    "ResumableInfiniteSampler",
    "SampleKey",
    "TransferDataset",
    "affine_matrix",
    "image_to_tensor",
    "move_points",
    "read_clip_truth",
    "read_image",
    "read_truth",
    "resize_image",
]
