"""A camera as a structure tensor ``[C, 1, 1]``: bins as released, or any angle."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gfla_video.registry import STRUCTURES
from gfla_video.tasks.view_synthesis.cameras import (
    SAME_ANGLE,
    Camera,
    azimuth_difference,
)
from gfla_video.tasks.view_synthesis.drawing import Picture, draw_camera
from gfla_video.utils.errors import UserError

__all__ = ["Camera", "CameraAngles", "CameraBins"]


class _CameraStructure:
    """What both codes share: a picture of the camera for people."""

    def draw(self, annotation: Camera, size: tuple[int, int]) -> Picture:
        """A wedge with a red front as the camera sees it, azimuth / elevation below.

        Args:
            annotation: the camera.
            size: (H, W).

        Returns:
            uint8 ``[H, W, 3]`` RGB.
        """
        return draw_camera(Camera(*annotation), size)


@STRUCTURES.register_module()
class CameraBins(_CameraStructure):
    """A camera <-> one-hot azimuth and one-hot elevation, as released (golden shapenet).

    Args:
        azimuths: number of azimuths, evenly spaced from 0 on.
        elevations: the elevations in degrees.
        nearest: take the nearest bin for an angle off the bins (the lower of two at one distance)
            instead of refusing it.

    Raises:
        UserError: there is no azimuth, or no or a repeated elevation.

    Attributes:
        channels: number of azimuths and elevations together, 21 in the released program.
    """

    def __init__(
        self,
        azimuths: int = 18,
        elevations: Sequence[float] = (0, 10, 20),
        nearest: bool = False,
    ) -> None:
        if azimuths < 1:
            raise UserError(f"structure.azimuths must be at least 1, got {azimuths}")
        if not elevations or len(set(elevations)) < len(elevations):
            raise UserError(
                f"structure.elevations must be different angles, got {list(elevations)}"
            )
        self.azimuths = int(azimuths)
        self.elevations = tuple(float(elevation) for elevation in elevations)
        self.nearest = bool(nearest)
        self.channels = self.azimuths + len(self.elevations)

    @property
    def step(self) -> float:
        """Degrees from one azimuth to the next."""
        return 360.0 / self.azimuths

    def encode(self, annotation: Camera, size: tuple[int, int] | None = None) -> Tensor:
        """Camera to one-hot.

        Args:
            annotation: the camera.
            size: (H, W) of the picture; the code is the same for all.

        Returns:
            float32 ``[C, 1, 1]``: azimuths, then elevations.

        Raises:
            UserError: an angle is off the bins and ``nearest`` is not set.
        """
        camera = Camera(*annotation)
        if not self.nearest:
            self.check(camera)
        azimuth, elevation = self._places(camera)
        code = torch.zeros(self.channels, 1, 1)
        code[azimuth] = code[self.azimuths + elevation] = 1.0
        return code

    def decode(self, structure: Tensor) -> Camera:
        """One-hot ``[C, 1, 1]`` to the camera of its bin."""
        values = _flat(structure, self.channels)
        azimuth = int(values[: self.azimuths].argmax())
        return Camera(azimuth * self.step, self.elevations[int(values[self.azimuths :].argmax())])

    def check(self, annotation: Camera) -> None:
        """Refuse an angle that is off the bins.

        Raises:
            UserError: names the angle and the bins.
        """
        camera, bin_ = Camera(*annotation), self.nearest_bin(annotation)
        if azimuth_difference(camera.azimuth, bin_.azimuth) > SAME_ANGLE:
            off = f"azimuth {camera.azimuth:g} is none of the {self.azimuths} that the model knows"
            known = f"every {self.step:g} degrees from 0 on"
        elif abs(camera.elevation - bin_.elevation) > SAME_ANGLE:
            off = f"elevation {camera.elevation:g} is none of those that the model knows"
            known = ", ".join(f"{elevation:g}" for elevation in self.elevations)
        else:
            return
        raise UserError(
            f"{off} ({known}); ask for one of these, or for the nearest one (nearest=True in the "
            "config's structure, --off-bins nearest in tools/animate.py)"
        )

    def nearest_bin(self, annotation: Camera) -> Camera:
        """The bin that is nearest to a camera, the lower one of two at one distance."""
        azimuth, elevation = self._places(Camera(*annotation))
        return Camera(azimuth * self.step, self.elevations[elevation])

    def _places(self, camera: Camera) -> tuple[int, int]:
        azimuth = math.ceil(camera.azimuth % 360.0 / self.step - 0.5) % self.azimuths
        away = [(abs(camera.elevation - known), known) for known in self.elevations]
        return azimuth, away.index(min(away))


@STRUCTURES.register_module()
class CameraAngles(_CameraStructure):
    """A camera <-> sine and cosine of its angles, for any angle.

    The order is sin az, cos az, sin 2 az, cos 2 az, ... up to ``harmonics``, then sin, cos of the
    elevation. Higher harmonics tell near azimuths apart more sharply.

    Args:
        harmonics: how many multiples of the azimuth are told.
        elevation_scale: the elevation is multiplied by it first: elevations of 0 to 20 degrees
            differ little in sine and cosine. Times the largest elevation it must stay below 180.

    Raises:
        UserError: an option is not above 0.

    Attributes:
        channels: 2 x harmonics + 2.
    """

    def __init__(self, harmonics: int = 1, elevation_scale: float = 1.0) -> None:
        if harmonics < 1 or elevation_scale <= 0:
            raise UserError(
                "structure.harmonics must be at least 1 and structure.elevation_scale above 0, "
                f"got {harmonics} and {elevation_scale}"
            )
        self.harmonics = int(harmonics)
        self.elevation_scale = float(elevation_scale)
        self.channels = 2 * self.harmonics + 2

    def encode(self, annotation: Camera, size: tuple[int, int] | None = None) -> Tensor:
        """Camera to sines and cosines.

        Args:
            annotation: the camera.
            size: (H, W) of the picture; the code is the same for all.

        Returns:
            float32 ``[C, 1, 1]`` in [-1, 1].

        Raises:
            UserError: the scaled elevation is 180 or more.
        """
        camera = Camera(*annotation)
        scaled = camera.elevation * self.elevation_scale
        if abs(scaled) >= 180.0:
            raise UserError(
                f"elevation {camera.elevation:g} is beyond those that this structure tells apart, "
                f"below {180.0 / self.elevation_scale:g} degrees (elevation_scale "
                f"{self.elevation_scale:g}); ask for a lower one"
            )
        angles = [camera.azimuth % 360.0 * number for number in range(1, self.harmonics + 1)]
        turns = [math.radians(angle) for angle in (*angles, scaled)]
        values = [wave(turn) for turn in turns for wave in (math.sin, math.cos)]
        return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1)

    def decode(self, structure: Tensor) -> Camera:
        """Code ``[C, 1, 1]`` to the camera, azimuth in [0, 360)."""
        values = _flat(structure, self.channels).tolist()
        azimuth = math.degrees(math.atan2(values[0], values[1])) % 360.0
        scaled = math.degrees(math.atan2(values[-2], values[-1]))
        return Camera(azimuth, scaled / self.elevation_scale)


def _flat(structure: Tensor, channels: int) -> Tensor:
    """Values ``[C]`` of a code.

    Raises:
        ValueError: it is no ``[C, 1, 1]``.
    """
    if tuple(structure.shape) != (channels, 1, 1):
        raise ValueError(f"expected a camera [{channels}, 1, 1], got {tuple(structure.shape)}")
    return structure.detach().double().cpu().flatten()
