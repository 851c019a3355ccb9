"""What a protocol does to a picture before it is measured; every step takes and gives 8 bits.

A picture is uint8 ``[H, W, 3]`` RGB, a size is (H, W). Points follow the picture: whole coordinates
are the centres of pixels.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image

from gfla_video.utils.errors import UserError
from gfla_video.utils.options import read_options

Picture = npt.NDArray[np.uint8]
Size = tuple[int, int]
# What each library can do: the filter, and whether it may go without or with antialiasing.
FILTERS: dict[str, dict[str, tuple[bool, ...]]] = {
    "pillow": {
        "nearest": (False,),
        "box": (True,),
        "bilinear": (True,),
        "hamming": (True,),
        "bicubic": (True,),
        "lanczos": (True,),
    },
    "opencv": {
        "nearest": (False,),
        "bilinear": (False,),
        "bicubic": (False,),
        "lanczos": (False,),
        "area": (True,),
    },
    "torch": {
        "nearest": (False,),
        "bilinear": (False, True),
        "bicubic": (False, True),
        "area": (True,),
    },
}
_SUBSAMPLING = ("4:4:4", "4:2:2", "4:2:0")


@dataclass(frozen=True)
class Resize:
    """Bring a picture to a size, by the filter of a library; nothing happens to one that has it.

    The libraries give different pictures under one filter's name: Pillow always widens the filter
    when it shrinks a picture (antialiasing), OpenCV never does, torch as it is told. What torch
    makes is rounded and clamped to 8 bits.

    Attributes:
        size: (H, W).
        library: "pillow", "opencv" or "torch".
        filter: of the library, see ``FILTERS``.
        antialias: needed where the library lets choose; elsewhere what it does.

    Raises:
        UserError: the library has no such filter, or not with or without antialiasing.
    """

    KIND: ClassVar[str] = "resize"
    size: Size
    library: str
    filter: str
    antialias: bool | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", read_size(self.size, "resize.size"))
        known = FILTERS.get(self.library)
        if known is None:
            raise UserError(
                f"resize.library: there is no '{self.library}', choose of {', '.join(FILTERS)}"
            )
        if self.filter not in known:
            raise UserError(
                f"resize.filter: {self.library} has no '{self.filter}', choose of "
                f"{', '.join(known)}"
            )
        served = known[self.filter]
        if self.antialias is None and len(served) == 1:
            object.__setattr__(self, "antialias", served[0])
        if self.antialias not in served:
            raise UserError(
                f"resize.antialias: {self.library}'s {self.filter} goes with "
                f"{' or '.join(map(str, served))}, not {self.antialias}"
            )

    def apply(self, picture: Picture) -> Picture:
        """The picture at ``size``."""
        if picture.shape[:2] == self.size:
            return picture
        return {"pillow": _pillow, "opencv": _opencv, "torch": _torch}[self.library](picture, self)

    def move(self, points: npt.NDArray[np.float64], size: Size) -> npt.NDArray[np.float64]:
        """Points ``[N, 3]`` (x, y, visible) of a picture of ``size`` in the resized one."""
        scale = np.array([self.size[1] / size[1], self.size[0] / size[0]])
        moved = points.copy()
        moved[:, :2] = (points[:, :2] + 0.5) * scale - 0.5
        return moved

    def resulting(self, size: Size) -> Size:
        """The size after the step of a picture of ``size``."""
        return self.size

    def __str__(self) -> str:
        smooth = "antialiased" if self.antialias else "not antialiased"
        return f"resized to {show_size(self.size)} by {self.library} {self.filter} ({smooth})"


@dataclass(frozen=True)
class Crop:
    """Cut the middle of ``size`` out of a picture; a side that is not longer stays.

    Attributes:
        size: (H, W).
    """

    KIND: ClassVar[str] = "crop"
    size: Size

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", read_size(self.size, "crop.size"))

    def apply(self, picture: Picture) -> Picture:
        """The middle of the picture."""
        size = (picture.shape[0], picture.shape[1])
        top, left = _margins(size, self.resulting(size))
        height, width = self.resulting(size)
        return picture[top : top + height, left : left + width]

    def move(self, points: npt.NDArray[np.float64], size: Size) -> npt.NDArray[np.float64]:
        """Points ``[N, 3]`` (x, y, visible) of a picture of ``size`` in the cropped one."""
        return _shifted(points, _margins(size, self.resulting(size)), -1)

    def resulting(self, size: Size) -> Size:
        """The size after the step of a picture of ``size``."""
        return min(size[0], self.size[0]), min(size[1], self.size[1])

    def __str__(self) -> str:
        return f"cropped to the middle {show_size(self.size)}"


@dataclass(frozen=True)
class Pad:
    """Put a border of one colour round a picture, as wide on both sides; a longer side stays.

    Attributes:
        size: (H, W) with the border.
        colour: RGB, 0 to 255; white by default.
    """

    KIND: ClassVar[str] = "pad"
    size: Size
    colour: tuple[int, int, int] = (255, 255, 255)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", read_size(self.size, "pad.size"))
        object.__setattr__(self, "colour", tuple(int(value) for value in self.colour))
        if len(self.colour) != 3 or not all(0 <= value <= 255 for value in self.colour):
            raise UserError(f"pad.colour: must be three numbers from 0 to 255, not {self.colour}")

    def apply(self, picture: Picture) -> Picture:
        """The picture with its border."""
        size = (picture.shape[0], picture.shape[1])
        whole = np.empty((*self.resulting(size), 3), dtype=np.uint8)
        whole[:] = self.colour
        top, left = _margins(self.resulting(size), size)
        whole[top : top + size[0], left : left + size[1]] = picture
        return whole

    def move(self, points: npt.NDArray[np.float64], size: Size) -> npt.NDArray[np.float64]:
        """Points ``[N, 3]`` (x, y, visible) of a picture of ``size`` in the padded one."""
        return _shifted(points, _margins(self.resulting(size), size), 1)

    def resulting(self, size: Size) -> Size:
        """The size after the step of a picture of ``size``."""
        return max(size[0], self.size[0]), max(size[1], self.size[1])

    def __str__(self) -> str:
        return f"padded to {show_size(self.size)} with RGB {','.join(map(str, self.colour))}"


Step = Resize | Crop | Pad
_KINDS: dict[str, type[Step]] = {kind.KIND: kind for kind in (Resize, Crop, Pad)}


@dataclass(frozen=True)
class FileFormat:
    """The file that a generated picture goes through before it is measured.

    Attributes:
        format: "png" (nothing is lost) or "jpg".
        quality: of a jpg, 1 to 95 as Pillow counts; None for png.
        subsampling: of a jpg's colours, "4:4:4", "4:2:2" or "4:2:0"; None for png.
    """

    format: str = "png"
    quality: int | None = None
    subsampling: str | None = None

    def __post_init__(self) -> None:
        if self.format == "png":
            if self.quality is not None or self.subsampling is not None:
                raise UserError("file: a png has no quality and no subsampling, leave them out")
            return
        if self.format != "jpg":
            raise UserError(f"file.format: must be png or jpg, not {self.format!r}")
        if self.quality is None or not 1 <= self.quality <= 95:
            raise UserError(f"file.quality: a jpg needs a number from 1 to 95, not {self.quality}")
        if self.subsampling not in _SUBSAMPLING:
            raise UserError(f"file.subsampling: a jpg needs one of {', '.join(_SUBSAMPLING)}")

    def round_trip(self, picture: Picture) -> Picture:
        """The picture as it comes back from such a file."""
        if self.format == "png":
            return picture
        written = io.BytesIO()
        subsampling = _SUBSAMPLING.index(str(self.subsampling))
        Image.fromarray(picture).save(
            written, "JPEG", quality=self.quality, subsampling=subsampling
        )
        return np.asarray(Image.open(written).convert("RGB"))

    def __str__(self) -> str:
        return "png" if self.format == "png" else f"jpg {self.quality}, {self.subsampling}"


def read_step(value: Step | Mapping[str, Any], label: str) -> Step:
    """A step from plain values, ``dict(step="crop", size=(256, 176))``; a made one is returned.

    Raises:
        UserError: no such step, or a value that it does not take.
    """
    if not isinstance(value, Mapping):
        return value
    given = dict(value)
    kind = _KINDS.get(given.pop("step", None))
    if kind is None:
        raise UserError(f"{label}: 'step' must be one of {', '.join(_KINDS)}")
    return read_options(kind, given, label)


def step_settings(step: Step) -> dict[str, Any]:
    """The plain values that :func:`read_step` makes the step of."""
    values = {field.name: getattr(step, field.name) for field in fields(step)}
    return {"step": step.KIND, **values}


def read_size(value: Any, label: str) -> Size:
    """A size (H, W) of whole positive numbers.

    Raises:
        UserError: it is something else.
    """
    numbers = tuple(value) if isinstance(value, (list, tuple)) else ()
    if len(numbers) != 2 or not all(isinstance(n, int) and n > 0 for n in numbers):
        raise UserError(f"{label}: must be two positive whole numbers (H, W), not {value!r}")
    return numbers[0], numbers[1]


def show_size(size: Size) -> str:
    """``256x176`` for (256, 176)."""
    return f"{size[0]}x{size[1]}"


def _margins(outer: Size, inner: Size) -> Size:
    """Rows above and columns left of the middle."""
    return (outer[0] - inner[0]) // 2, (outer[1] - inner[1]) // 2


def _shifted(points: npt.NDArray[np.float64], margins: Size, sign: int) -> npt.NDArray[np.float64]:
    moved = points.copy()
    moved[:, 0] += sign * margins[1]
    moved[:, 1] += sign * margins[0]
    return moved


def _pillow(picture: Picture, resize: Resize) -> Picture:
    kind = Image.Resampling[resize.filter.upper()]
    height, width = resize.size
    return np.asarray(Image.fromarray(picture).resize((width, height), kind))


def _opencv(picture: Picture, resize: Resize) -> Picture:
    import cv2  # here, so that importing the protocols stays light

    kinds = {
        "nearest": cv2.INTER_NEAREST,
        "bilinear": cv2.INTER_LINEAR,
        "bicubic": cv2.INTER_CUBIC,
        "lanczos": cv2.INTER_LANCZOS4,
        "area": cv2.INTER_AREA,
    }
    height, width = resize.size
    made = cv2.resize(
        np.ascontiguousarray(picture), (width, height), None, 0, 0, kinds[resize.filter]
    )
    return np.asarray(made, dtype=np.uint8)


def _torch(picture: Picture, resize: Resize) -> Picture:
    maps = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float()
    if resize.filter in ("nearest", "area"):
        made = F.interpolate(maps, resize.size, mode=resize.filter)
    else:
        made = F.interpolate(
            maps,
            resize.size,
            mode=resize.filter,
            align_corners=False,
            antialias=bool(resize.antialias),
        )
    return made[0].round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
