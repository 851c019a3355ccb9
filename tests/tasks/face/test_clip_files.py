"""Face videos on disk: both layouts, frames without a face, and bad folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gfla_video.datasets import BrokenImageError
from gfla_video.tasks.face.clip_files import find_videos, nearest_found
from gfla_video.tasks.face.footage import open_footage
from gfla_video.testing.made_faces import (
    SIZE,
    frame_index,
    made_frame,
    made_landmarks,
    write_face_video,
)
from gfla_video.utils.errors import UserError


def write_folders(root: Path, name: str = "a", frames: int = 4, texts: str = "keypoints") -> Path:
    """The released layout: frames and texts of one video."""
    pictures, landmarks = root / "train_data" / name, root / f"train_{texts}" / name
    pictures.mkdir(parents=True)
    landmarks.mkdir(parents=True)
    for index in range(frames):
        points = made_landmarks(index)
        Image.fromarray(made_frame(index, points)).save(pictures / f"{index:03d}.png")
        lines = [f"{x:.0f},{y:.0f}" for x, y in points]
        (landmarks / f"{index:03d}.txt").write_text("\n".join(lines) + "\n")
    return root


def test_videos(tmp_path: Path) -> None:
    write_face_video(tmp_path, "b__1")
    root = write_face_video(tmp_path, "a", frames=12)
    (root / "train" / "a_truth.npz").write_bytes(b"not looked at here")
    first, second = find_videos(root, "train")
    assert (first.name, second.name) == ("a", "b__1")
    assert first.found.tolist() == [True] * 12
    frames, landmarks = first.read([11, 3, 3])
    assert frames.shape == (3, *SIZE, 3)
    assert [frame_index(frame) for frame in frames] == [11, 3, 3]
    np.testing.assert_allclose(landmarks[0], made_landmarks(11 / 4))
    np.testing.assert_allclose(landmarks[2], made_landmarks(3 / 4))


@pytest.mark.parametrize("texts", ["keypoints", "keypoint"])
def test_frame_folders(tmp_path: Path, texts: str) -> None:
    (video,) = find_videos(write_folders(tmp_path, texts=texts), "train")
    assert video.name == "a"
    frames, landmarks = video.read([2, 0])
    assert [frame_index(frame) for frame in frames] == [2, 0]
    np.testing.assert_array_equal(landmarks[0], [np.rint(point) for point in made_landmarks(2)])
    assert landmarks.dtype == np.float32


def test_frames_are_read_by_their_numbers_as_the_driver_reads_them(tmp_path: Path) -> None:
    root = write_folders(tmp_path, frames=12)
    for path in [*root.rglob("*.png"), *root.rglob("*.txt")]:
        path.rename(path.with_stem(str(int(path.stem))))
    (video,) = find_videos(root, "train")
    assert [frame_index(frame) for frame in video.read(range(12))[0]] == list(range(12))
    footage = open_footage(str(root / "train_data" / "a"), None, detect=True)
    assert [frame_index(picture) for picture in footage.pictures()] == list(range(12))


def test_frames_without_a_face_take_the_nearest_landmarks(tmp_path: Path) -> None:
    np.testing.assert_array_equal(
        nearest_found(np.array([0, 1, 0, 0, 0, 1, 0], bool)), [1, 1, 1, 1, 5, 5, 5]
    )
    found = np.ones(20, bool)
    found[[0, 7, 8]] = False
    (video,) = find_videos(write_face_video(tmp_path, "a", found=found), "train")
    np.testing.assert_array_equal(video.found, found)
    _, landmarks = video.read([0, 7, 8])
    for points, nearest in zip(landmarks, (1, 6, 9), strict=True):
        np.testing.assert_allclose(points, made_landmarks(nearest / 4))
    root = write_folders(tmp_path / "frames")
    (root / "train_keypoints" / "a" / "000.txt").unlink()
    (video,) = find_videos(root, "train")
    assert video.found.tolist() == [False, True, True, True]
    np.testing.assert_array_equal(*video.read([0, 1])[1])


def test_both_layouts_in_one_folder_must_be_said(tmp_path: Path) -> None:
    root = write_folders(write_face_video(tmp_path, "v"))
    with pytest.raises(UserError, match="holds train_data and train; say layout"):
        find_videos(root, "train")
    assert [video.name for video in find_videos(root, "train", "frames")] == ["a"]
    assert [video.name for video in find_videos(root, "train", "videos")] == ["v"]


def test_wrong_folders(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="neither a folder train_data .* nor train"):
        find_videos(tmp_path, "train")
    with pytest.raises(UserError, match="there is no such folder"):
        find_videos(tmp_path, "train", "frames")
    with pytest.raises(UserError, match="layout must be one of"):
        find_videos(tmp_path, "train", "pictures")
    (tmp_path / "train").mkdir()
    with pytest.raises(UserError, match="holds no .mp4 file"):
        find_videos(tmp_path, "train")
    (tmp_path / "test_data").mkdir()
    with pytest.raises(UserError, match="test_keypoints: the folder of the landmarks"):
        find_videos(tmp_path, "test")
    (tmp_path / "test_keypoints").mkdir()
    with pytest.raises(UserError, match="holds no folder of frames"):
        find_videos(tmp_path, "test")


def test_files_without_partner(tmp_path: Path) -> None:
    root = write_face_video(tmp_path, "a")
    (root / "train" / "a.npz").rename(root / "train" / "b.npz")
    with pytest.raises(UserError, match="b.npz: there is no b.mp4"):
        find_videos(root, "train")
    (root / "train" / "b.npz").unlink()
    with pytest.raises(UserError, match="a.mp4: has no landmarks beside it; make a.npz"):
        find_videos(root, "train")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"landmarks": np.zeros((20, 66, 2))}, r"\(20, 66, 2\), expected \[T, 68, 2\]"),
        ({"found": np.ones(19, bool)}, r"found is \(19,\)"),
        ({"size": None}, "has no array 'size'"),
        ({"landmarks": np.full((20, 68, 2), np.nan)}, "landmarks that are no numbers"),
    ],
)
def test_wrong_landmark_arrays(
    tmp_path: Path, changes: dict[str, np.ndarray | None], message: str
) -> None:
    path = write_face_video(tmp_path, "a") / "train" / "a.npz"
    with np.load(path) as old:
        arrays = {**old, **changes}
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    with pytest.raises(UserError, match=f"a.npz.*{message}"):
        find_videos(path.parent.parent, "train")


def test_landmarks_of_another_video(tmp_path: Path) -> None:
    root = write_face_video(tmp_path, "long", frames=24)
    write_face_video(tmp_path, "short", frames=12)
    folder = root / "train"
    (folder / "short.mp4").replace(folder / "long.mp4")
    (folder / "short.npz").unlink()
    with pytest.raises(BrokenImageError, match="long.mp4: has 12 frames, its landmarks .* have 24"):
        find_videos(root, "train")[0].read([0])
    with np.load(folder / "long.npz") as old:
        arrays = {"landmarks": old["landmarks"][:12], "found": old["found"][:12]}
    np.savez(folder / "long.npz", **arrays, size=np.array([32, 32]))
    with pytest.raises(BrokenImageError, match=r"\(64, 64\) .H, W., its landmarks .*\(32, 32\)"):
        find_videos(root, "train")[0].read([0])
    (folder / "long.mp4").write_bytes(b"no video")
    with pytest.raises(BrokenImageError, match="long.mp4") as caught:
        find_videos(root, "train")[0].read([0])
    assert caught.value.path == str(folder / "long.mp4")


def test_wrong_frame_folders(tmp_path: Path) -> None:
    root = write_folders(tmp_path)
    frames, texts = root / "train_data" / "a", root / "train_keypoints" / "a"
    (texts / "002.txt").write_text("1,2\n" * 66)
    (video,) = find_videos(root, "train")
    with pytest.raises(BrokenImageError, match=r"002.txt: holds landmarks \(66, 2\), expected 68"):
        video.read([2])
    (texts / "002.txt").write_text("x;y\n")
    with pytest.raises(BrokenImageError, match="002.txt: the landmarks cannot be read"):
        video.read([2])
    Image.new("RGB", (32, 32)).save(frames / "001.png")
    with pytest.raises(BrokenImageError, match=r"001.png: is \(32, 32\)"):
        video.read([0, 1])
    (frames / "003.png").unlink()
    with pytest.raises(UserError, match="003.txt: 1 landmark files have no frame"):
        find_videos(root, "train")
    for path in texts.iterdir():
        path.unlink()
    with pytest.raises(UserError, match="holds no landmark file"):
        find_videos(root, "train")
    texts.rmdir()
    with pytest.raises(UserError, match="the landmarks of a are not there"):
        find_videos(root, "train")
    for path in frames.iterdir():
        path.unlink()
    with pytest.raises(UserError, match="holds no frame"):
        find_videos(root, "train")
