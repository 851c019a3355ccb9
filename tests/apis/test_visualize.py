"""Pictures of how a network works: real networks, untrained, on the sample data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from gfla_video.apis.config import load_config
from gfla_video.apis.visualize import parse_position, visualize
from gfla_video.engine.checkpoint import write_checkpoint
from gfla_video.engine.stages import expand_stages
from gfla_video.registry import MODELS
from gfla_video.utils.errors import UserError
from gfla_video.utils.video import read_video

ROOT = Path(__file__).resolve().parents[2]


def smoke(task: str, data: Path) -> Config:
    """The task's smallest config over sample data."""
    options = {f"{part}_dataloader.dataset.data_root": str(data) for part in ("train", "test")}
    return load_config(ROOT / "configs" / "_smoke" / f"{task}.py", options)


def untrained(config: Config, path: Path, stage: int = -1) -> Path:
    """A checkpoint of one stage with the initial weights."""
    meta = expand_stages(config, "")[stage].meta()
    name = "generator" if "generator" in meta else "flow_estimator"
    network = MODELS.build(meta[name])
    state = {f"{name}.{key}": value for key, value in network.state_dict().items()}
    write_checkpoint({"meta": meta, "state_dict": state}, path)
    return path


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_still_pictures(sample_data: Path, tmp_path: Path) -> None:
    config = smoke("pose", sample_data)
    checkpoint = untrained(config, tmp_path / "model.pth")
    out = tmp_path / "out"
    written = visualize(
        config, checkpoint, out, samples=["1", "0"], positions=[(20, 20), (63, 0)], device="cpu"
    )
    assert sorted(out.iterdir()) == sorted(written)
    assert written[0].name == "grid.png"
    names = [path.name for path in written[1:]]
    assert [name.rsplit("_", 1)[1] for name in names] == ["panels.png", "attention.png"] * 2
    # a row for each position; the result and both levels side by side, 64 px enlarged three times
    attention = next(path for path in written if path.name.endswith("attention.png"))
    width, height = size_of(attention)
    assert width == 3 * 192 + 2 * 2
    assert height > 2 * 192
    grid_width, grid_height = size_of(written[0])
    assert grid_width == 8 * 192 + 7 * 2  # with warped source and legend
    assert 2 * 192 < grid_height < 2 * 192 + 60


def test_samples_by_name_and_a_flow_estimator_alone(sample_data: Path, tmp_path: Path) -> None:
    config = smoke("pose", sample_data)
    checkpoint = untrained(config, tmp_path / "flow.pth", stage=0)
    everything = visualize(config, checkpoint, tmp_path / "all", device="cpu")
    assert not [path for path in everything if "attention" in path.name]
    name = everything[-1].name.removesuffix("_panels.png")
    with pytest.raises(UserError, match="--positions: this network has no attention blocks"):
        visualize(config, checkpoint, tmp_path / "none", positions=[(3, 3)], device="cpu")
    again = visualize(config, checkpoint, tmp_path / "one", samples=[name], device="cpu")
    assert [path.name for path in again] == ["grid.png", f"{name}_panels.png"]
    one, other = (np.asarray(Image.open(path)) for path in (everything[-1], again[-1]))
    assert np.array_equal(one, other)


def test_clips(face_samples: Path, tmp_path: Path) -> None:
    config = smoke("face", face_samples)
    checkpoint = untrained(config, tmp_path / "model.pth")
    out = tmp_path / "out"
    written = visualize(config, checkpoint, out, samples=["0"], frames=[0, 3], fps=5, device="cpu")
    clip = next(path for path in written if path.suffix == ".mp4")
    assert len(list(read_video(clip))) == 4
    assert read_video(clip).fps == 5
    attention = [path for path in written if path.name.endswith("attention.png")]
    assert [path.name[-len("00000_attention.png") :][:5] for path in attention] == [
        "00000",
        "00003",
    ]
    # the result, then three levels of the source and of the previous frame
    assert size_of(attention[1])[0] == 7 * 192 + 6 * 2


@pytest.mark.parametrize("fps", ["0", "1/0", "-3", "many"])
def test_a_bad_frame_rate_is_said_before_anything_is_drawn(
    fps: str, face_samples: Path, tmp_path: Path
) -> None:
    config = smoke("face", face_samples)
    checkpoint = untrained(config, tmp_path / "model.pth")
    with pytest.raises(UserError, match="--fps: "):
        visualize(config, checkpoint, tmp_path / "out", fps=fps, device="cpu")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"samples": ["nobody"]}, "--samples nobody: is neither a number below"),
        ({"samples": ["999"]}, "--samples 999"),
        ({"positions": [(64.0, 3.0)]}, "--positions 64,3: lies outside of the picture"),
        ({"frames": [0]}, "--frames: is for clips, and .* is a single picture"),
        ({"fps": 25}, "--fps: is for clips, and"),
    ],
)
def test_what_is_not_there_is_said(
    asked: dict[str, Any], message: str, sample_data: Path, tmp_path: Path
) -> None:
    config = smoke("pose", sample_data)
    checkpoint = untrained(config, tmp_path / "model.pth")
    with pytest.raises(UserError, match=message):
        visualize(config, checkpoint, tmp_path / "out", device="cpu", **asked)


def test_a_frame_that_is_not_there(face_samples: Path, tmp_path: Path) -> None:
    config = smoke("face", face_samples)
    checkpoint = untrained(config, tmp_path / "model.pth")
    with pytest.raises(UserError, match="--frames 4: .* has the frames 0 to 3"):
        visualize(config, checkpoint, tmp_path / "out", samples=["0"], frames=[4], device="cpu")


def test_positions_are_pairs() -> None:
    assert parse_position("12,40.5") == (12.0, 40.5)
    for text in ("12", "1,2,3", "a,b"):
        with pytest.raises(UserError, match="--positions .*give x,y"):
            parse_position(text)


def test_the_tool_says_bad_input_in_one_sentence(
    run_tool: Callable[..., Any], tmp_path: Path
) -> None:
    done = run_tool(
        *("tools/visualize.py", "nowhere.py", "no.pth", "--out", tmp_path / "out"),
        *("--positions", "3;4"),
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.strip() == "error: --positions 3;4: give x,y in pixels, such as 32,48"
