"""Read pictures of every common kind as 8-bit RGB, and say which file cannot be read."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from gfla_video.utils.errors import UserError

WHITE = (255, 255, 255)
_SIXTEEN_BIT = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_UNREADABLE = (
    OSError,  # also "image file is truncated"
    UnidentifiedImageError,
    SyntaxError,  # Pillow's word for a broken PNG
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


class BrokenImageError(UserError):
    """A file is there but holds no readable picture.

    Args:
        message: the sentence for the user.
        path: the file.
    """

    def __init__(self, message: str, path: Path | str = "") -> None:
        super().__init__(message)
        self.path = str(path)


def read_image(path: Path | str, background: tuple[int, int, int] = WHITE) -> Image.Image:
    """Read a picture as upright 8-bit RGB.

    Transparency is composited on ``background``, 16-bit and float pictures are brought to 8 bits,
    grey, palette and CMYK become RGB, and the EXIF orientation is applied.

    Raises:
        UserError: the file is not there.
        BrokenImageError: it is truncated or no picture.
    """
    path = Path(path)
    if path.is_symlink() and not path.exists():
        raise BrokenImageError(f"{path}: is a link to nothing; restore what it leads to", path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such image; correct the path or restore the file")
    try:
        with Image.open(path) as opened, warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened.load()
            return to_rgb(ImageOps.exif_transpose(opened), background)
    except _UNREADABLE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = "not a picture"
        raise BrokenImageError(
            f"{path}: the image cannot be read ({reason}); replace the file or remove it", path
        ) from error


def to_rgb(image: Image.Image, background: tuple[int, int, int] = WHITE) -> Image.Image:
    """Any Pillow picture as 8-bit RGB; transparent parts show ``background``."""
    if image.mode in _SIXTEEN_BIT:
        image = _to_eight_bits(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        below = Image.new("RGBA", layer.size, (*background, 255))
        return Image.alpha_composite(below, layer).convert("RGB")
    return image.convert("RGB")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.float64)
    # Mode "F" holds [0, 1] or [0, 255] by habit, the integer modes 16 bits.
    top = 65535.0
    if image.mode == "F":
        top = 1.0 if values.max(initial=0.0) <= 1.0 else 255.0
    eight = np.clip(np.rint(values / top * 255.0), 0, 255)
    return Image.fromarray(np.nan_to_num(eight).astype(np.uint8))


def resize_image(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize to ``size`` (H, W) by Pillow's bilinear filter; nothing is done to the same size."""
    height, width = size
    if image.size == (width, height):
        return image
    return image.resize((width, height), Image.Resampling.BILINEAR)


def image_to_tensor(image: Image.Image) -> Tensor:
    """8-bit RGB picture to float32 ``[3, H, W]`` in [-1, 1]: ``(x / 255 - 0.5) / 0.5``."""
    pixels = torch.from_numpy(np.array(image, dtype=np.uint8))
    return pixels.permute(2, 0, 1).float().div_(255.0).sub_(0.5).div_(0.5).contiguous()
