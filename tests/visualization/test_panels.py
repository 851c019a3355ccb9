"""Tensors to pictures, and tiles of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gfla_video.utils.errors import UserError
from gfla_video.visualization import (
    contact_sheet,
    mask_picture,
    tensor_to_uint8,
    tile,
    with_caption,
)


def flat(value: int, size: tuple[int, int] = (24, 16)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


def test_tensor_to_uint8_rounds_and_clamps() -> None:
    image = torch.tensor([-1.0, 0.0, 1.0, 2.0, -3.0, 3 / 255]).view(1, 1, 6).expand(3, 1, 6)
    picture = tensor_to_uint8(image)
    assert picture.shape == (1, 6, 3)
    assert picture[0, :, 0].tolist() == [0, 128, 255, 255, 0, 129]
    with pytest.raises(ValueError, match=r"\[3, H, W\]"):
        tensor_to_uint8(torch.zeros(1, 3, 4, 4))


def test_every_level_survives_the_way_through_a_tensor() -> None:
    levels = torch.arange(256).view(1, 1, 256).expand(3, 1, 256)
    assert (tensor_to_uint8(levels / 255 * 2 - 1)[0, :, 0] == np.arange(256)).all()


def test_mask_picture() -> None:
    mask = torch.tensor([[[0.0, 1.0], [0.5, 2.0]]])
    assert mask_picture(mask)[..., 0].tolist() == [[0, 255], [128, 255]]
    big = mask_picture(mask, (4, 6))
    assert big.shape == (4, 6, 3)
    assert big[0, :, 0].tolist() == [0, 0, 0, 255, 255, 255]


def test_tile_places_pictures() -> None:
    sheet = tile([flat(10), flat(20), flat(30)], columns=2, gap=2)
    assert sheet.shape == (24 * 2 + 2, 16 * 2 + 2, 3)
    assert sheet[0, 0, 0] == 10
    assert sheet[0, 18, 0] == 20
    assert sheet[26, 0, 0] == 30
    assert sheet[0, 16, 0] == 255
    assert sheet[30, 20, 0] == 255


def test_captions_add_a_strip_of_text() -> None:
    picture = with_caption(flat(90, (96, 64)), "source")
    assert picture.shape[1] == 64
    strip = picture[: picture.shape[0] - 96]
    assert strip.max() == 255
    assert strip.min() < 100  # something was written
    assert (picture[-96:] == 90).all()


@pytest.mark.parametrize(
    ("pictures", "captions", "what"),
    [
        ([], (), "no picture"),
        ([flat(1)], ("a", "b"), "captions"),
        ([flat(1), flat(1, (8, 8))], (), "differ in size"),
    ],
)
def test_tile_says_what_does_not_fit(pictures, captions, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        tile(pictures, captions)


def test_contact_sheet_writes_a_png(tmp_path: Path) -> None:
    rows = [{"source": flat(10), "result": flat(20)}, {"source": flat(30), "result": flat(40)}]
    path = contact_sheet(rows, tmp_path / "sheet.png", scale=2)
    pixels = np.asarray(Image.open(path))
    assert pixels.shape[1] == 2 * 32 + 2
    assert pixels[-1, 0, 0] == 30
    assert pixels[-1, -1, 0] == 40
    assert list(tmp_path.iterdir()) == [path]


def test_contact_sheet_refuses(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rows differ"):
        contact_sheet([{"a": flat(1)}, {"b": flat(1)}], tmp_path / "sheet.png")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot be written"):
        contact_sheet([{"a": flat(1)}], tmp_path / "file" / "sheet.png")
