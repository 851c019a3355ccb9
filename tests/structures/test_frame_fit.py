"""A picture and its joints brought to a model's size alike."""

import numpy as np
import pytest

from gfla_video.structures.frame_fit import FrameFit


def dot(size: tuple[int, int], x: int, y: int) -> np.ndarray:
    picture = np.full((*size, 3), 20, np.uint8)
    picture[y - 4 : y + 4, x - 4 : x + 4] = 250
    return picture


@pytest.mark.parametrize("mode", ["pad", "stretch"])
@pytest.mark.parametrize("origin", [(300, 200), (200, 333), (64, 96), (40, 50)])
def test_joints_move_with_the_picture(origin: tuple[int, int], mode: str) -> None:
    fit = FrameFit(origin, (96, 64), mode)
    x, y = origin[1] // 3, origin[0] // 2
    picture = fit.image(dot(origin, x, y))
    assert picture.shape == (96, 64, 3)
    rows, columns = np.nonzero(picture[..., 0] > 0.6 * picture.max())
    moved = fit.points(np.array([[x, y, 1.0]]))
    assert moved[0, 2] == 1
    assert abs(columns.mean() + 0.5 - moved[0, 0]) < 1.0
    assert abs(rows.mean() + 0.5 - moved[0, 1]) < 1.0


def test_pad_keeps_proportions_and_continues_the_border() -> None:
    picture = np.zeros((100, 50, 3), np.uint8)
    picture[:, 0], picture[:, -1] = 90, 160
    fit = FrameFit((100, 50), (128, 128), "pad")
    assert fit.inner == (128, 64)
    assert fit.offset == (0, 32)
    out = fit.image(picture)
    assert (out[:, :32] == out[:, 32:33]).all()
    assert (out[:, 96:] == out[:, 95:96]).all()
    assert fit.describe() == (
        "resized with its proportions kept from 50x100 to 128x128 and padded from 64x128"
    )


def test_undo_gives_the_proportions_back() -> None:
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, 40:] = 200
    padded = FrameFit((40, 80), (64, 64), "pad")
    back = padded.undo(padded.image(picture))
    assert back.shape == (32, 64, 3)
    assert back[:, :30].max() == 0 and back[:, 34:].min() == 200
    stretched = FrameFit((40, 80), (64, 64), "stretch")
    assert stretched.undo(stretched.image(picture)).shape == (64, 128, 3)
    with pytest.raises(ValueError, match="expected a picture"):
        padded.undo(picture)


def test_same_size_changes_nothing() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    fit = FrameFit((64, 64), (64, 64))
    assert (fit.image(picture) == picture).all()
    assert fit.points(np.array([[3.0, 4.0]])).tolist() == [[3.0, 4.0]]
    assert fit.describe() == ""


def test_wrong_values() -> None:
    with pytest.raises(ValueError, match="mode"):
        FrameFit((4, 4), (4, 4), "crop")
    with pytest.raises(ValueError, match="positive"):
        FrameFit((0, 4), (4, 4))
    with pytest.raises(ValueError, match="expected a picture"):
        FrameFit((4, 4), (8, 8)).image(np.zeros((5, 4, 3), np.uint8))
