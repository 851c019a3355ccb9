"""Ground truth files: sizes, values in pixels of the sample, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gfla_video.datasets.truth import read_clip_truth, read_truth
from gfla_video.utils.errors import UserError


def write(path: Path, **changes: np.ndarray | None) -> Path:
    flow = np.zeros((2, 8, 4), np.float32)
    flow[0], flow[1] = 2.0, -4.0
    mask = np.zeros((8, 4), bool)
    mask[:4, :2] = True
    arrays = {"flow": flow, "visible": mask, "foreground": mask, "source_foreground": ~mask}
    arrays.update(changes)
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def test_as_written(tmp_path: Path) -> None:
    truth = read_truth(write(tmp_path / "a.npz"), (8, 4))
    assert set(truth) == {"flow", "visible", "foreground", "source_foreground"}
    assert all(value.dtype == torch.float32 for value in truth.values())
    assert truth["flow"].shape == (2, 8, 4)
    assert truth["flow"][:, 5, 3].tolist() == [2, -4]
    assert truth["visible"].shape == (1, 8, 4)
    assert truth["visible"].sum() == 8
    assert truth["source_foreground"].sum() == 24


def test_another_size_rescales_the_values(tmp_path: Path) -> None:
    truth = read_truth(write(tmp_path / "a.npz"), (4, 8))
    assert truth["flow"].shape == (2, 4, 8)
    assert truth["flow"][:, 0, 0].tolist() == [4, -2]
    assert truth["foreground"][0].tolist() == [[1] * 4 + [0] * 4] * 2 + [[0] * 8] * 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flow": None}, "has no array 'flow'"),
        ({"visible": None}, "has no array 'visible'"),
        ({"flow": np.zeros((8, 4, 2), np.float32)}, r"flow is \(8, 4, 2\), expected \[2, H, W\]"),
        ({"foreground": np.zeros((4, 4), bool)}, r"foreground is \(4, 4\)"),
    ],
)
def test_wrong_content(tmp_path: Path, changes: dict[str, np.ndarray | None], message: str) -> None:
    path = write(tmp_path / "a.npz", **changes)
    with pytest.raises(UserError, match=message):
        read_truth(path, (8, 4))


def test_missing_and_broken(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the ground truth of this pair is not there"):
        read_truth(tmp_path / "none.npz", (8, 4))
    path = write(tmp_path / "a.npz")
    for content in (path.read_bytes()[:90], b"text", b""):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"a\.npz: the ground truth cannot be read"):
            read_truth(path, (8, 4))


def write_clip(path: Path, **changes: np.ndarray | None) -> Path:
    flow = np.arange(3, dtype=np.float16)[:, None, None, None] * np.ones((3, 2, 8, 4), np.float16)
    masks = np.zeros((3, 8, 4), bool)
    masks[1:, :4] = True
    masks[0, :, 2:] = True
    return write(
        path,
        **{
            "flow": flow,
            "visible": masks,
            "foreground": masks,
            "source_foreground": None,
            **changes,
        },
    )


def test_frames_of_a_clip(tmp_path: Path) -> None:
    truth = read_clip_truth(write_clip(tmp_path / "a_truth.npz"), [2, 1, 2], (4, 8))
    assert set(truth) == {"flow", "visible", "foreground", "source_foreground"}
    assert all(value.dtype == torch.float32 for value in truth.values())
    assert truth["flow"].shape == (3, 2, 4, 8)
    assert truth["flow"][:, :, 3, 7].tolist() == [[4, 1], [2, 0.5], [4, 1]]
    assert truth["visible"].shape == truth["foreground"].shape == (3, 1, 4, 8)
    assert truth["visible"][0, 0].tolist() == [[1] * 8] * 2 + [[0] * 8] * 2
    assert truth["source_foreground"][0].tolist() == [[0] * 4 + [1] * 4] * 4


def test_wrong_truth_of_a_clip(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a_truth.npz")
    with pytest.raises(UserError, match="ground truth of 3 frames, frame 3 is wanted"):
        read_clip_truth(path, [0, 3], (8, 4))
    write_clip(path, flow=np.zeros((2, 8, 4)))
    with pytest.raises(UserError, match=r"flow is \(2, 8, 4\), expected \[T, 2, H, W\]"):
        read_clip_truth(path, [0], (8, 4))
    write_clip(path, visible=np.zeros((2, 8, 4), bool))
    with pytest.raises(UserError, match=r"visible is \(2, 8, 4\)"):
        read_clip_truth(path, [0], (8, 4))
    with pytest.raises(UserError, match="the ground truth of this video is not there"):
        read_clip_truth(tmp_path / "b.npz", [0], (8, 4))
