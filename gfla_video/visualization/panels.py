"""Tensors to pictures, and pictures side by side.

A picture is uint8 ``[H, W, 3]`` RGB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from gfla_video.utils.files import atomic_path
from gfla_video.visualization.flow_colors import flow_legend

Picture = npt.NDArray[np.uint8]

_TEXT_PART = 12  # a caption is one twelfth of the picture's height, within these bounds
_TEXT_BOUNDS = (9, 28)
_WISHED_HEIGHT = 192  # small pictures are enlarged to about this many pixels


def tensor_to_uint8(image: Tensor) -> Picture:
    """Picture tensor ``[3, H, W]`` in [-1, 1] to uint8 ``[H, W, 3]``, rounded and clamped.

    (The released programs cut off instead of rounding; a protocol that compares with their files
    does that itself.)
    """
    if image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(f"expected a picture [3, H, W], got {tuple(image.shape)}")
    levels = ((image.detach().float() + 1.0) * 127.5).round().clamp(0, 255)
    return levels.byte().permute(1, 2, 0).contiguous().cpu().numpy()


def mask_picture(mask: Tensor | npt.ArrayLike, size: tuple[int, int] | None = None) -> Picture:
    """Mask ``[1, h, w]`` or ``[h, w]`` in [0, 1] to grey, white = 1, enlarged to ``size``."""
    if isinstance(mask, Tensor):
        mask = mask.detach().float().cpu().numpy()
    values = np.asarray(mask, dtype=np.float32)
    values = values[0] if values.ndim == 3 else values
    grey = np.clip(np.rint(values * 255.0), 0, 255).astype(np.uint8)
    if size is not None and grey.shape != tuple(size):
        resized = Image.fromarray(grey).resize((size[1], size[0]), Image.Resampling.NEAREST)
        grey = np.asarray(resized)
    return np.repeat(grey[..., None], 3, axis=2)


def legend_picture(size: tuple[int, int], maximum: float) -> Picture:
    """The flow colours' wheel on white, as large as fits, with the length of its full colour.

    Args:
        size: (H, W).
        maximum: pixels at the rim.

    Returns:
        uint8 ``[H, W, 3]``.
    """
    height, width = size
    points = int(np.clip(height // _TEXT_PART, *_TEXT_BOUNDS))
    side = max(1, min(width, height - 2 * points))
    picture = np.full((height, width, 3), 255, np.uint8)
    top, left = (height - side - round(1.5 * points)) // 2, (width - side) // 2
    picture[top : top + side, left : left + side] = flow_legend(side, maximum)
    image = Image.fromarray(picture)
    font = ImageFont.load_default(points)
    place = (width / 2, top + side + points)
    ImageDraw.Draw(image).text(place, f"{maximum:.0f} px", "black", font, "mm")
    return np.asarray(image)


def with_caption(picture: Picture, caption: str) -> Picture:
    """The picture with a line of text on white above it (as wide as the picture)."""
    height, width = picture.shape[:2]
    points = int(np.clip(height // _TEXT_PART, *_TEXT_BOUNDS))
    strip = Image.new("RGB", (width, round(points * 1.5)), "white")
    draw = ImageDraw.Draw(strip)
    font = ImageFont.load_default(points)
    while points > 6 and draw.textlength(caption, font=font) > width - 4:
        points -= 1
        font = ImageFont.load_default(points)
    draw.text((width / 2, strip.height / 2), caption, fill="black", font=font, anchor="mm")
    return np.concatenate([np.asarray(strip), picture], axis=0)


def tile(
    pictures: Sequence[Picture],
    captions: Sequence[str] = (),
    columns: int | None = None,
    gap: int = 2,
) -> Picture:
    """Pictures in rows, white between them.

    Args:
        pictures: at least one; all of one size.
        captions: one per picture, or none.
        columns: pictures in a row; all in one row without it.
        gap: pixels between them.

    Returns:
        uint8 ``[H, W, 3]``.
    """
    if not pictures:
        raise ValueError("there is no picture to tile")
    if captions and len(captions) != len(pictures):
        raise ValueError(f"{len(pictures)} pictures have {len(captions)} captions")
    if len({picture.shape for picture in pictures}) > 1:
        raise ValueError(f"pictures differ in size: {[p.shape[:2] for p in pictures]}")
    if captions:
        pictures = [with_caption(p, c) for p, c in zip(pictures, captions, strict=True)]
    columns = min(columns or len(pictures), len(pictures))
    rows = -(-len(pictures) // columns)
    height, width = pictures[0].shape[:2]
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, 3)
    sheet = np.full(shape, 255, dtype=np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def tile_panels(panels: Mapping[str, Picture], columns: int | None = None) -> Picture:
    """Named pictures of one size as one, the names above them, small ones enlarged."""
    scale = readable_scale(next(iter(panels.values())))
    pictures = [enlarged(picture, scale) for picture in panels.values()]
    return tile(pictures, list(panels), columns)


def moving_panels(panels: Mapping[str, Picture]) -> Iterator[dict[str, Picture]]:
    """The panels of a clip frame by frame.

    Args:
        panels: by title; clips ``[T, H, W, 3]``, cut to the shortest, and pictures that stay.
    """
    length = min(len(panel) for panel in panels.values() if panel.ndim == 4)
    for frame in range(length):
        yield {title: p[frame] if p.ndim == 4 else p for title, p in panels.items()}


def readable_scale(picture: Picture) -> int:
    """The whole number that a small picture is enlarged by for people."""
    return max(1, round(_WISHED_HEIGHT / picture.shape[0]))


def sheet(rows: Sequence[Mapping[str, Picture]], scale: int = 1) -> Picture:
    """Rows of named pictures as one, the names above the first row.

    Args:
        rows: one mapping per row, name to picture; every row has the names of the first, every
            picture the same size.
        scale: whole number that small pictures are enlarged by.
    """
    names = list(rows[0])
    for row in rows:
        if list(row) != names:
            raise ValueError(f"rows differ: {names} and {list(row)}")
    strips = [
        tile([enlarged(picture, scale) for picture in row.values()], names if not index else ())
        for index, row in enumerate(rows)
    ]
    joint = np.full((2, strips[0].shape[1], 3), 255, dtype=np.uint8)
    parts = [part for strip in strips for part in (strip, joint)][:-1]
    return np.concatenate(parts, axis=0)


def contact_sheet(rows: Sequence[Mapping[str, Picture]], path: Path | str, scale: int = 1) -> Path:
    """Write :func:`sheet` as a PNG, whole or not at all.

    Raises:
        UserError: the folder cannot be written.
    """
    return write_picture(path, sheet(rows, scale))


def write_picture(path: Path | str, picture: Picture) -> Path:
    """Write a picture (``.png``, ``.jpg``), whole or not at all; give its path.

    Raises:
        UserError: the folder cannot be written.
    """
    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary)
    return Path(path)


def enlarged(picture: Picture, scale: int) -> Picture:
    """Every pixel ``scale`` times as wide and high."""
    return picture.repeat(scale, axis=0).repeat(scale, axis=1) if scale > 1 else picture
