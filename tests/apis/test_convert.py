"""Released checkpoints to ours, as a command: what it prints, refuses and leaves behind."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gfla_video.apis.convert import convert_checkpoint
from gfla_video.utils import cli
from gfla_video.utils.errors import UserError

TOOL = "tools/convert_checkpoint.py"
Golden = Callable


@pytest.fixture
def refused(
    repo_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run the command in this process; it must fail with one sentence, which is given."""

    def run(*arguments: str | Path) -> str:
        monkeypatch.chdir(repo_root)
        monkeypatch.setattr(cli, "prepare_process", lambda: None)
        monkeypatch.setattr(sys, "argv", [TOOL, *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(TOOL, run_name="__main__")
        assert stopped.value.code == 2
        said = capsys.readouterr()
        assert said.out == ""
        (line,) = said.err.splitlines()
        return line.removeprefix("error: ")

    return run


def test_the_command(
    golden: Golden, tmp_path: Path, run_tool: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    source = golden("pose_market").folder / "latest_net_G.pth"
    out = tmp_path / "new" / "model.pth"
    done = run_tool(TOOL, "--task", "pose", "--src", source, "--out", out, "--size", "64x128")
    lines = done.stdout.splitlines()
    assert lines[:2] == ["networks: generator", "picture size: 64x128 (--size changes it)"]
    assert lines[-1] == f"wrote {out}"
    left_out = [line for line in lines if line.startswith("left out (")]
    assert any("reaches no output): source.encoder1.model.0.weight, " in line for line in left_out)
    assert any("stored twice): flow_net.jump0.model.2.weight, " in line for line in left_out)
    assert len(lines) == 3 + len(left_out)
    meta = torch.load(out, weights_only=True)["meta"]
    assert (meta["task"], meta["size"]) == ("pose", [64, 128])
    assert meta["structure"] == {"type": "PoseStructure", "sigma": 6.0}


def test_the_pictures_size_is_guessed_from_the_scales(golden: Golden, tmp_path: Path) -> None:
    for name, size in (("pose_market", [128, 64]), ("pose_fashion", [256, 256])):
        source = golden(name).folder / "latest_net_G.pth"
        report = convert_checkpoint("pose", source, tmp_path / "model.pth")
        assert report["meta"]["size"] == size
    flow = golden("poseflownet").folder / "latest_net_G.pth"
    assert "size" not in convert_checkpoint("pose", flow, tmp_path / "flow.pth")["meta"]


def test_every_tensor_is_kept_or_named(golden: Golden, tmp_path: Path) -> None:
    source = golden("pose_market").folder / "latest_net_G.pth"
    report = convert_checkpoint("pose", source, tmp_path / "model.pth")
    theirs = torch.load(source, weights_only=True)
    ours = torch.load(tmp_path / "model.pth", weights_only=True)["state_dict"]
    dropped = [name for names in report["dropped"].values() for name in names]
    kept = sum(tensor.numel() for tensor in ours.values())
    assert kept == sum(t.numel() for name, t in theirs.items() if name not in dropped)
    assert set(dropped) <= set(theirs)
    assert len(dropped) == len(set(dropped))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--src", "no/such.pth"], "no/such.pth: no such weights file"),
        (["--src", "README.md"], "README.md: cannot be read as a file of plain weights"),
        (["--src", "x.pth", "--task", "posse"], "--task posse: no such task has a converter"),
        (["--src", "x.pth", "--size", "256"], "--size 256: give height x width, such as 256x256"),
        (["--src", "x.pth", "--size", "256x-1"], "--size 256x-1: give height x width"),
        (["--src", "x.pth", "--size", "100x64"], "--size 100x64: height and width must be mul"),
        (["--src", "x.pth", "--size", "32x32"], "--size 32x32: height and width must be mul"),
    ],
)
def test_bad_arguments(
    refused: Callable[..., str], tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    out = tmp_path / "out.pth"
    assert refused("--task", "pose", "--out", out, *arguments).startswith(sentence)
    assert not out.exists()


def test_a_failure_leaves_an_older_output_as_it_was(
    refused: Callable[..., str], golden: Golden, tmp_path: Path
) -> None:
    out = tmp_path / "model.pth"
    out.write_text("older")
    face = golden("face").folder / "latest_net_G.pth"
    sentence = refused("--task", "pose", "--src", face, "--out", out)
    assert sentence.startswith(f"{face}: this is a video checkpoint")
    assert [path.name for path in tmp_path.iterdir()] == ["model.pth"]
    assert out.read_text() == "older"


def test_a_folder_that_cannot_be_written(
    refused: Callable[..., str], golden: Golden, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    source = golden("op_local_attention").folder / "k3_attn.pth"
    sentence = refused("--task", "pose", "--src", source, "--out", tmp_path / "file" / "m.pth")
    assert sentence.startswith(f"{tmp_path / 'file'}: the output folder cannot be written")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        ({"source.block0.model.0.weight": None}, "source: no tensor 'block0.model.0.weight'"),
        ({"target.encoder1.model.2.weight": None}, "target: no tensor 'encoder1.model.2.weight'"),
        ({"flow_net.jump1.conv1.bias": None}, "jump1.model.2.bias and its twin conv1 differ"),
        ({"target.attn1.fully_connect_layer.2.bias": None}, "attn1: no tensor 'fully_connect_lay"),
        ({"flow_net.output2.weight": None, "flow_net.output2.bias": None}, "flow_heads.0"),
        ({"source.block0.model.2.weight": ()}, "'block0.model.2.weight' is a number, no released"),
        ({"target.attn1.fully_connect_layer.0.weight": (4,)}, "is 4, no released network"),
        ({"source.block0.model.2.bias": (3,)}, "bias' is 3, the model needs 5"),
        ({"flow_net.extra.weight": (3,)}, "the released layout has no tensor 'extra.weight'"),
    ],
)
def test_a_spoilt_checkpoint_is_said_in_a_sentence(
    golden: Golden, tmp_path: Path, spoil: dict[str, tuple[int, ...] | None], sentence: str
) -> None:
    state = torch.load(golden("pose_market").folder / "latest_net_G.pth", weights_only=True)
    for name, shape in spoil.items():
        if shape is None:
            del state[name]
        else:
            state[name] = torch.zeros(shape)
    torch.save(state, tmp_path / "spoilt.pth")
    with pytest.raises(UserError) as caught:
        convert_checkpoint("pose", tmp_path / "spoilt.pth", tmp_path / "model.pth")
    assert str(caught.value).startswith(f"{tmp_path / 'spoilt.pth'}: ")
    assert sentence in str(caught.value)
    assert not (tmp_path / "model.pth").exists()
