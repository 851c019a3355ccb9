"""Joints of a body as a structure tensor: one Gaussian map per joint (golden maps_pose)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gfla_video.registry import STRUCTURES
from gfla_video.tasks.pose.figure import draw_body, draw_body_mask
from gfla_video.tasks.pose.joints import (
    FLIP_ORDER,
    JOINT_NAMES,
    LIMBS,
    MISSING,
    NUM_JOINTS,
    Joints,
    visible,
)

__all__ = ["FLIP_ORDER", "JOINT_NAMES", "LIMBS", "NUM_JOINTS", "PoseStructure"]


@STRUCTURES.register_module()
class PoseStructure:
    """18 joints <-> 18 Gaussian maps, and a picture of them.

    An annotation is a float array ``[18, 3]`` (x, y, visible) in pixels of the picture that it
    belongs to; the order is ``JOINT_NAMES``.

    Args:
        sigma: standard deviation of the Gaussians in pixels; 6 in the released programs, for 256 x
            256 and 128 x 64 alike.
    """

    channels = NUM_JOINTS

    def __init__(self, sigma: float = 6.0) -> None:
        if sigma <= 0:
            raise ValueError(f"sigma must be above 0 pixels, got {sigma}")
        self.sigma = float(sigma)

    def encode(self, annotation: npt.ArrayLike, size: tuple[int, int]) -> Tensor:
        """Joints to maps.

        The centre is truncated to whole pixels towards zero; the Gaussian is not cut off, also
        where its centre is outside the picture. A missing joint is a map of zeros.

        Args:
            annotation: ``[18, 3]`` (x, y, visible), pixels of a picture of ``size``.
            size: (H, W).

        Returns:
            float32 ``[18, H, W]``, 1 at a centre.
        """
        joints = check_joints(annotation)
        seen = visible(joints)
        maps = np.zeros((NUM_JOINTS, *size), dtype=np.float32)
        centres = np.trunc(joints[seen, :2])
        spread = 2.0 * self.sigma**2
        across = np.exp(-((np.arange(size[1]) - centres[:, 0:1]) ** 2) / spread)
        down = np.exp(-((np.arange(size[0]) - centres[:, 1:2]) ** 2) / spread)
        maps[seen] = down[:, :, None] * across[:, None, :]
        return torch.from_numpy(maps)

    def decode(self, structure: Tensor, threshold: float = 0.0) -> Joints:
        """Maps to joints: the highest pixel of each map.

        Where it lies on the border, the centre may be outside: the ratio of two neighbouring values
        of a Gaussian tells where, ``x0 = x + 1/2 - sigma^2 log(m(x) / m(x + 1))``.

        Args:
            structure: ``[18, H, W]``.
            threshold: a map whose maximum is not above it has no joint.

        Returns:
            float64 ``[18, 3]`` (x, y, visible) in pixels; whole pixels, as encoded.
        """
        maps = structure.detach().double().cpu().numpy()
        if maps.ndim != 3 or maps.shape[0] != NUM_JOINTS:
            raise ValueError(f"expected maps [{NUM_JOINTS}, H, W], got {tuple(structure.shape)}")
        joints = np.full((NUM_JOINTS, 3), MISSING)
        joints[:, 2] = 0.0
        for joint, values in enumerate(maps):
            y, x = np.unravel_index(int(values.argmax()), values.shape)
            if values[y, x] > threshold:
                joints[joint] = (
                    self._centre(values[y], int(x)),
                    self._centre(values[:, x], int(y)),
                    1,
                )
        return joints

    def _centre(self, line: npt.NDArray[np.float64], peak: int) -> float:
        """Centre of a Gaussian along one line of pixels whose maximum is at ``peak``."""
        last = len(line) - 1
        if len(line) < 2 or 0 < peak < last:
            return float(peak)
        inner = 1 if peak == 0 else last - 1
        if line[inner] <= 0:
            return float(peak)
        beyond = self.sigma**2 * math.log(line[peak] / line[inner]) - 0.5
        return float(peak - round(beyond) if peak == 0 else peak + round(beyond))

    def draw(
        self,
        annotation: npt.ArrayLike,
        size: tuple[int, int],
        background: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.uint8]:
        """A coloured skeleton for people.

        Args:
            annotation: ``[18, 3]`` (x, y, visible), pixels of a picture of ``size``.
            size: (H, W).
            background: uint8 ``[H, W, 3]`` RGB to draw on, black where None.

        Returns:
            uint8 ``[H, W, 3]`` RGB.
        """
        return draw_body(check_joints(annotation), size, background)

    def body_mask(self, annotation: npt.ArrayLike, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Roughly the pixels of the body, from its joints alone.

        Limbs are bands, the trunk is the hull of shoulders and hips, the head is a disc, all with
        widths in proportion to the body. It serves where no segmentation exists; hair and wide
        clothes lie partly outside.

        Args:
            annotation: ``[18, 3]`` (x, y, visible), pixels of a picture of ``size``.
            size: (H, W).

        Returns:
            bool ``[H, W]``, all False for a body without joints.
        """
        return draw_body_mask(check_joints(annotation), size)


def check_joints(annotation: npt.ArrayLike) -> Joints:
    """``annotation`` as float64 ``[18, 3]``.

    Raises:
        ValueError: it has another shape.
    """
    joints = np.asarray(annotation, dtype=np.float64)
    if joints.shape != (NUM_JOINTS, 3):
        raise ValueError(f"expected joints [{NUM_JOINTS}, 3] (x, y, visible), got {joints.shape}")
    return joints
