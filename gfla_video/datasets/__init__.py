"""What every task's data shares: images, samplers, the base of the datasets, exact ground truth."""

from gfla_video.datasets.base import TransferDataset
from gfla_video.datasets.images import (
    BrokenImageError,
    image_to_tensor,
    read_image,
    resize_image,
)
from gfla_video.datasets.sampler import ResumableInfiniteSampler, SampleKey
from gfla_video.datasets.truth import read_truth

__all__ = [
    "BrokenImageError",
    "ResumableInfiniteSampler",
    "SampleKey",
    "TransferDataset",
    "image_to_tensor",
    "read_image",
    "read_truth",
    "resize_image",
]
