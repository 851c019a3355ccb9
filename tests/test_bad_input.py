"""Bad input to the commands: one sentence that names the place, exit code not 0, no traceback."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from gfla_video.utils import cli

CONFIG = "configs/_smoke/pose.py"
Tool = Callable[..., str]


@pytest.fixture
def data(sample_data: Path, tmp_path: Path) -> Path:
    """The sample data, to be spoilt."""
    return Path(shutil.copytree(sample_data, tmp_path / "data"))


@pytest.fixture
def refused(
    repo_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tool:
    """Run a tool as a command that must fail; give its sentence."""

    def run(tool: str, *arguments: str | Path) -> str:
        monkeypatch.chdir(repo_root)
        monkeypatch.setattr(cli, "prepare_process", lambda: None)
        monkeypatch.setattr(sys, "argv", [tool, *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(f"tools/{tool}", run_name="__main__")
        assert stopped.value.code == cli.EXIT_BAD_INPUT
        said = capsys.readouterr().err.strip().splitlines()
        assert sum(line.startswith("error: ") for line in said) == 1
        assert said[-1].startswith("error: ")
        return said[-1].removeprefix("error: ")

    return run


def training(data: Path, *changes: str) -> list[str | Path]:
    """Arguments of a training on ``data``, as short as it can be."""
    roots = [f"{part}_dataloader.dataset.data_root={data}" for part in ("train", "test")]
    work = ["--work-dir", data.parent / "run", "--device", "cpu"]
    return ["train.py", CONFIG, *work, "--cfg-options", *roots, *changes]


def save(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def test_a_column_is_missing(refused: Tool, data: Path) -> None:
    table = data / "fashion-annotation-train.csv"
    table.write_text(table.read_text().replace("keypoints_y", "rows", 1))
    expected = f"{table} line 1: has no column 'keypoints_y'"
    assert refused(*training(data)).startswith(expected)


def test_a_row_has_17_joints(refused: Tool, data: Path) -> None:
    table = data / "fashion-annotation-train.csv"
    lines = table.read_text().splitlines()
    name, down, across = lines[2].split(":")
    lines[2] = f"{name}:{json.dumps(json.loads(down)[:17])}:{across}"
    table.write_text("\n".join(lines))
    expected = f"{table} line 3: keypoints_y has 17 joints, expected 18"
    assert refused(*training(data)) == expected


def test_a_pair_names_an_image_that_is_not_there(refused: Tool, data: Path) -> None:
    table = data / "fashion-pairs-train.csv"
    source = table.read_text().splitlines()[1].split(",")[0]
    with table.open("a") as file:
        file.write(f"{source},nobody.png\n")
    assert "image nobody.png is not in" in refused(*training(data))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_truncated_jpeg_is_named(refused: Tool, data: Path, workers: int) -> None:
    for picture in (data / "train").glob("*.png"):
        with Image.open(picture) as whole:
            whole.convert("RGB").save(picture, format="JPEG")  # Pillow goes by the content
        picture.write_bytes(picture.read_bytes()[:800])
    sentence = refused(*training(data, f"train_dataloader.num_workers={workers}"))
    assert "the image cannot be read" in sentence
    assert str(data / "train") in sentence


def test_an_unknown_key_and_a_missing_argument_are_named(
    refused: Tool, data: Path, tmp_path: Path, repo_root: Path
) -> None:
    sentence = refused(*training(data, "stages.1.model.generator.renderer.levelz=3"))
    assert sentence.startswith("stages.1.model.generator.renderer.levelz: unknown key")
    config = tmp_path / "config.py"
    dataset = 'dict(_delete_=True, type="PosePairDataset", size=(64, 64), data_root="x")'
    config.write_text(
        f'_base_ = "{repo_root / CONFIG}"\ntrain_dataloader = dict(dataset={dataset})\n'
    )
    sentence = refused("train.py", config, "--work-dir", tmp_path / "run", "--device", "cpu")
    assert sentence.startswith("train_dataloader.dataset: lacks 'image_dir', 'annotation_size'")


def test_a_value_that_a_network_refuses(refused: Tool, data: Path) -> None:
    sentence = refused(*training(data, "stages.0.model.flow_estimator.flow_levels=(2,3)"))
    assert sentence.startswith("stage 1 (flow): the model cannot be built: flow_levels must go")


@pytest.mark.parametrize("tool", ["test.py", "animate.py"])
def test_checkpoints_that_do_not_fit(
    refused: Tool, sample_data: Path, tmp_path: Path, tool: str
) -> None:
    more: list[str | Path] = []
    if tool == "animate.py":
        more = ["--source", next((sample_data / "test").iterdir())]
        more += ["--driving", sample_data / "drive.npz", "--out", tmp_path / "out.mp4"]
    other = save(tmp_path / "face.pth", {"meta": {"task": "face"}, "state_dict": {}})
    sentence = refused(tool, CONFIG, other, *more, "--device", "cpu")
    assert sentence.startswith(f"{other}: is a checkpoint of the task face, but {CONFIG} is for po")
    released = save(tmp_path / "net_G.pth", {"source.block0.model.0.weight": torch.zeros(1)})
    sentence = refused(tool, CONFIG, released, *more, "--device", "cpu")
    assert "tools/convert_checkpoint.py" in sentence
    text = tmp_path / "text.pth"
    text.write_text("hello\n")
    sentence = refused(tool, CONFIG, text, *more, "--device", "cpu")
    assert sentence.startswith(f"{text}: cannot be read as a file of plain weights")


@pytest.mark.parametrize(
    ("tool", "option"), [("train.py", "--work-dir"), ("test.py", "--out"), ("test.py", "--preview")]
)
def test_an_output_folder_that_cannot_be_written(
    refused: Tool, tmp_path: Path, tool: str, option: str
) -> None:
    (tmp_path / "file").write_text("")
    checkpoint = [] if tool == "train.py" else ["none.pth"]
    sentence = refused(tool, CONFIG, *checkpoint, option, tmp_path / "file" / "x" / "y.png")
    assert sentence.startswith(f"{tmp_path / 'file' / 'x'}")
    assert "cannot be written" in sentence


def test_a_stage_and_a_config_that_are_not_there(refused: Tool, tmp_path: Path) -> None:
    work = ["--work-dir", tmp_path / "run", "--device", "cpu"]
    expected = "--stage 3: the config has stages 1 to 2"
    assert refused("train.py", CONFIG, *work, "--stage", "3") == expected
    assert refused("train.py", "no/such.py", *work).startswith("no/such.py: there is no such")
