"""Square crops around faces: geometry there and back, borders, pasting."""

import numpy as np
import pytest

from gfla_video.detectors import FaceCrop, crop_around, whole_picture


def gradient(height: int, width: int) -> np.ndarray:
    """Red = column, green = row."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = np.arange(width)
    picture[..., 1] = np.arange(height)[:, None]
    return picture


def face(x: float, y: float, width: float = 40, height: float = 40) -> np.ndarray:
    """68 points on a box with its corners, middle (x, y)."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return np.tile(corners, (17, 1)) * [width / 2, height / 2] + [x, y]


def test_crop_at_its_own_size_is_a_slice() -> None:
    picture = gradient(60, 80)
    assert np.array_equal(FaceCrop(10, 20, 32).image(picture, 32), picture[20:52, 10:42])


def test_pixels_and_points_move_alike() -> None:
    """Half size of a 4 x 4 crop by hand: pixel (0, 0) of the result covers columns 2 and 3."""
    small = FaceCrop(2, 4, 4).image(2 * gradient(60, 80), 2)
    assert small[..., 0].tolist() == [[5, 9], [5, 9]]
    assert small[..., 1].tolist() == [[9, 9], [13, 13]]
    points = FaceCrop(2, 4, 4).points(np.array([[2.5, 4.5], [4.5, 6.5]]), 2)
    assert points.tolist() == [[0, 0], [1, 1]]


def test_undo_is_the_inverse() -> None:
    crop, points = FaceCrop(-7, 13, 211), np.random.default_rng(0).uniform(0, 300, (5, 68, 2))
    assert np.abs(crop.undo(crop.points(points, 96), 96) - points).max() < 1e-3


def test_shrinking_does_not_alias() -> None:
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::2] = 255
    small = FaceCrop(0, 0, 128).image(stripes, 32)
    assert np.abs(small.astype(int) - 127.5).max() <= 1


def test_outside_the_picture_its_border_is_repeated() -> None:
    picture = gradient(20, 30)
    cut = FaceCrop(-4, -4, 24).image(picture, 24)
    assert cut[0, 0].tolist() == [0, 0, 0] and cut[3, 3].tolist() == [0, 0, 0]
    assert cut[10, 0].tolist() == [0, 6, 0] and cut[23, 23].tolist() == [19, 19, 0]


def test_paste_puts_the_crop_back() -> None:
    picture = gradient(60, 80)
    crop = FaceCrop(10, 20, 32)
    assert np.array_equal(crop.paste(picture, crop.image(picture, 32)), picture)
    white = np.full((16, 16, 3), 255, np.uint8)
    hard = crop.paste(picture, white, feather=0)
    assert (hard[20:52, 10:42] == 255).all()
    assert np.array_equal(hard[:20], picture[:20]) and np.array_equal(hard[:, 42:], picture[:, 42:])
    soft = crop.paste(picture, white, feather=0.25)
    across = soft[36, 10:42, 2].astype(int)  # blue is 0 below
    assert (np.diff(across[:8]) > 0).all() and (across[8:24] == 255).all()
    assert np.array_equal(across, across[::-1])
    assert picture[36, 26, 2] == 0  # the picture itself was left alone


def test_paste_does_not_blend_at_the_pictures_border() -> None:
    picture, white = np.zeros((40, 40, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    pasted = FaceCrop(-10, 0, 30).paste(picture, white, feather=0.2)
    assert (pasted[:20, :10] == 255).all()  # left and upper edge lie on the border or beyond
    assert (pasted[29, :20] < 128).all() and (pasted[30:] == 0).all()


def test_paste_wholly_outside_changes_nothing() -> None:
    picture = gradient(20, 20)
    assert np.array_equal(FaceCrop(50, 50, 10).paste(picture, picture[:10, :10]), picture)


def test_crop_holds_forehead_and_chin_of_a_still_face() -> None:
    crop = crop_around(face(100, 100), margin=0.0)
    # brows to chin are 40 pixels, the forehead 18 more: 58 high, its middle at 91
    assert (crop.x, crop.y, crop.side) == (71, 62, 58)
    wide = crop_around(face(100, 100), margin=0.5)
    assert wide.side == 116 and wide.x + wide.side / 2 == 100


def test_crop_holds_a_moving_face_but_not_single_bad_frames() -> None:
    clip = np.stack([face(100 + t, 100) for t in range(100)])
    crop = crop_around(clip, margin=0.1)
    assert crop.x < 80 + 2 and crop.x + crop.side > 219 - 2
    spoilt = clip.copy()
    spoilt[50] = face(5000, 5000)
    assert crop_around(spoilt, margin=0.1).side < crop.side * 1.1
    gone = clip.copy()
    gone[30] = np.nan
    assert abs(crop_around(gone, margin=0.1).side - crop.side) <= 2


@pytest.mark.parametrize("place", [(30, 30), (170, 30), (170, 110), (100, 75)])
def test_crop_is_moved_inside_the_picture(place: tuple[int, int]) -> None:
    crop = crop_around(face(*place), margin=0.3, size=(150, 200))
    assert crop.inside((150, 200)) and crop.side == round(58 * 1.6)


def test_crop_is_made_smaller_where_the_picture_is() -> None:
    tight = crop_around(face(50, 55), margin=0.5, size=(100, 100))
    assert tight == FaceCrop(0, 0, 100)
    # but the face is not cut: then it reaches outside, the same on both sides
    large = crop_around(face(50, 55, 120, 120), margin=0.5, size=(100, 100))
    assert large.side == 174 and large.x == large.y == -37


def test_whether_a_crop_is_needed() -> None:
    assert not FaceCrop(0, 0, 100).is_needed((100, 100))
    assert not FaceCrop(5, 5, 80).is_needed((100, 102))
    assert FaceCrop(5, 5, 60).is_needed((100, 100))
    assert FaceCrop(0, 0, 100).is_needed((100, 178))
    assert whole_picture((100, 178)) == FaceCrop(39, 0, 100)


def test_wrong_use_is_said() -> None:
    with pytest.raises(ValueError, match="at least 1 pixel"):
        FaceCrop(0, 0, 0)
    with pytest.raises(ValueError, match=r"expected landmarks \[T, 68, 2\]"):
        crop_around(np.zeros((66, 2)))
    with pytest.raises(ValueError, match="no face"):
        crop_around(np.full((3, 68, 2), np.nan))
    assert FaceCrop(3, 4, 5).describe() == "5x5 pixels from x = 3, y = 4"
