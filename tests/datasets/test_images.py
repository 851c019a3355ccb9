"""Pictures of every kind come out as upright 8-bit RGB; broken ones are named."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gfla_video.datasets.images import (
    BrokenImageError,
    image_to_tensor,
    read_image,
    resize_image,
)
from gfla_video.utils.errors import UserError


def pixels(image: Image.Image) -> np.ndarray:
    assert image.mode == "RGB"
    return np.asarray(image)


def colours() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_rgb_is_kept(tmp_path: Path) -> None:
    Image.fromarray(colours()).save(tmp_path / "a.png")
    np.testing.assert_array_equal(pixels(read_image(tmp_path / "a.png")), colours())
    np.testing.assert_array_equal(pixels(read_image(str(tmp_path / "a.png"))), colours())


def test_transparency_shows_white(tmp_path: Path) -> None:
    rgba = np.zeros((2, 2, 4), dtype=np.uint8)
    rgba[..., 0] = 200
    rgba[..., 3] = [[0, 255], [128, 255]]
    Image.fromarray(rgba).save(tmp_path / "a.png")
    found = pixels(read_image(tmp_path / "a.png"))
    assert found[0, 0].tolist() == [255, 255, 255]
    assert found[0, 1].tolist() == [200, 0, 0]
    assert abs(int(found[1, 0, 1]) - 127) <= 1
    black = pixels(read_image(tmp_path / "a.png", background=(0, 0, 0)))
    assert black[0, 0].tolist() == [0, 0, 0]


def test_grey_and_grey_with_alpha(tmp_path: Path) -> None:
    grey = np.array([[0, 100], [200, 255]], dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "a.png")
    np.testing.assert_array_equal(pixels(read_image(tmp_path / "a.png"))[..., 2], grey)
    layer = Image.merge("LA", [Image.fromarray(grey), Image.new("L", (2, 2), 0)])
    layer.save(tmp_path / "b.png")
    assert (pixels(read_image(tmp_path / "b.png")) == 255).all()


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    deep = np.array([[0, 257 * 100], [257 * 200, 65535]], dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    found = pixels(read_image(tmp_path / "a.png"))
    assert found[..., 1].tolist() == [[0, 100], [200, 255]]
    Image.fromarray(np.array([[0.0, 0.5], [1.0, 0.25]], dtype=np.float32)).save(tmp_path / "b.tif")
    assert pixels(read_image(tmp_path / "b.tif"))[..., 0].tolist() == [[0, 128], [255, 64]]


def test_palette_with_and_without_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png")
    assert pixels(read_image(tmp_path / "a.png"))[0].tolist() == [[10, 20, 30], [200, 100, 50]]
    image.save(tmp_path / "b.png", transparency=0)
    found = pixels(read_image(tmp_path / "b.png"))[0].tolist()
    assert found == [[255, 255, 255], [200, 100, 50]]


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 16), (255, 255, 255))
    image.paste((255, 0, 0), (0, 0, 8, 8))  # red on top
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    found = pixels(read_image(tmp_path / "a.jpg"))
    assert found.shape == (8, 16, 3)
    assert found[4, 13, 1] < 60  # the top is now on the right
    assert found[4, 2, 1] > 200


def test_cmyk(tmp_path: Path) -> None:
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    red = pixels(read_image(tmp_path / "a.jpg"))[2, 2].astype(int)
    assert red[0] > 200
    assert red[1] < 60


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_truncated_file_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"half{suffix}"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(
        path
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(BrokenImageError, match=r"half\..* the image cannot be read") as caught:
        read_image(path)
    assert caught.value.path == str(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n\x00\x00"])
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(BrokenImageError, match=r"a\.png: the image cannot be read"):
        read_image(path)


def test_a_missing_file_is_not_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such image") as caught:
        read_image(tmp_path / "none.png")
    assert not isinstance(caught.value, BrokenImageError)


def test_the_error_travels_between_processes(tmp_path: Path) -> None:
    error = pickle.loads(pickle.dumps(BrokenImageError("said", tmp_path)))
    assert str(error) == "said"


def test_tensor_range_and_layout() -> None:
    tensor = image_to_tensor(Image.fromarray(colours()))
    assert tensor.dtype == torch.float32
    assert tensor.shape == (3, 5, 7)
    assert tensor.is_contiguous()
    expected = (colours().astype(np.float64) / 255 - 0.5) / 0.5
    np.testing.assert_allclose(tensor.permute(1, 2, 0).numpy(), expected, atol=1e-6)
    assert image_to_tensor(Image.new("RGB", (1, 1), (255, 0, 0))).flatten().tolist() == [1, -1, -1]


def test_resize_is_pillows_bilinear() -> None:
    image = Image.fromarray(colours())
    assert resize_image(image, (5, 7)) is image
    expected = image.resize((3, 9), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(pixels(resize_image(image, (9, 3))), np.asarray(expected))
