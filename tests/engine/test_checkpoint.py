"""Whole files, plain values, strict names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from gfla_video.engine.checkpoint import (
    last_checkpoint,
    load_strict,
    pack_messages,
    plain_state,
    read_checkpoint,
    to_plain,
    unpack_messages,
    write_checkpoint,
    write_pointer,
)
from gfla_video.utils.errors import UserError


def content(value: float) -> dict:
    return {"meta": {"iter": 1}, "state_dict": {"w": torch.full((1000,), value)}}


def test_a_failed_save_leaves_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "iter_1.pth"
    write_checkpoint(content(1.0), path)

    def half(data: object, target: Path) -> None:
        Path(target).write_bytes(b"PK half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(UserError, match="cannot be written.*No space"):
        write_checkpoint(content(2.0), path)
    assert read_checkpoint(path)["state_dict"]["w"][0] == 1.0
    assert [item.name for item in tmp_path.iterdir()] == ["iter_1.pth"]


@pytest.mark.slow
def test_a_process_killed_while_it_saves_leaves_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "iter_1.pth"
    write_checkpoint(content(1.0), path)
    code = f"""
import os, signal, torch
from pathlib import Path
from gfla_video.engine.checkpoint import write_checkpoint
def half(data, target):
    Path(target).write_bytes(b"PK half of it")
    os.kill(os.getpid(), signal.SIGKILL)
torch.save = half
write_checkpoint({{"meta": {{}}, "state_dict": {{}}}}, {str(path)!r})
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=120, check=False)
    assert done.returncode == -9
    assert read_checkpoint(path)["state_dict"]["w"][0] == 1.0


@pytest.mark.parametrize("damage", ["cut", "text", "pickle", "empty"])
def test_damaged_files_are_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "model.pth"
    write_checkpoint(content(1.0), path)
    whole = path.read_bytes()
    if damage == "pickle":
        torch.save({"meta": {}, "state_dict": {"w": Path("x")}}, path)
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "text": b"hello", "empty": b""}[damage])
    with pytest.raises(UserError, match=r"model\.pth: cannot be read"):
        read_checkpoint(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_checkpoint(tmp_path / "none.pth")
    torch.save({"w": torch.zeros(1)}, tmp_path / "bare.pth")
    with pytest.raises(UserError, match="convert_checkpoint"):
        read_checkpoint(tmp_path / "bare.pth")


def test_pointer_survives_a_moved_folder(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    assert last_checkpoint(old) is None
    write_checkpoint(content(1.0), old / "iter_2.pth")
    write_pointer(old, old / "iter_2.pth")
    old.rename(new)
    assert last_checkpoint(new) == new / "iter_2.pth"
    (new / "iter_2.pth").unlink()
    with pytest.raises(UserError, match=r"names iter_2\.pth, which is gone"):
        last_checkpoint(new)


def test_strict_loading_names_what_does_not_fit() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    state = {name: tensor.detach() + 1 for name, tensor in model.state_dict().items()}
    load_strict(model, state, "x.pth")
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in state.items())
    without = {name: tensor for name, tensor in state.items() if name != "0.bias"}
    with pytest.raises(UserError, match=r"x\.pth: does not fit Sequential, it lacks '0\.bias'"):
        load_strict(model, without, "x.pth")
    with pytest.raises(UserError, match=r"has '2\.weight' which the model does not know"):
        load_strict(model, {**state, "2.weight": torch.zeros(1)}, "x.pth")
    with pytest.raises(UserError, match=r"'0\.weight' is 3x2, the model needs 2x2"):
        load_strict(model, {**state, "0.weight": torch.zeros(3, 2)}, "x.pth")


def test_names_of_wrapped_networks_are_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrapper(nn.Module):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

    inner = nn.ModuleDict({"module": nn.Linear(1, 1, bias=False)})  # a name that is no wrapper's
    model = nn.Module()
    model.generator = Wrapper(inner)
    monkeypatch.setattr(
        "gfla_video.engine.checkpoint.is_model_wrapper", lambda item: isinstance(item, Wrapper)
    )
    assert list(plain_state(model)) == ["generator.module.weight"]
    load_strict(model, {"generator.module.weight": torch.full((1, 1), 3.0)}, "x.pth")
    assert inner["module"].weight.item() == 3.0


def test_plain_values() -> None:
    mixed = {"a": np.float32(1.5), "b": np.arange(3), "c": (1, [Path("x")]), 4: None}
    plain = to_plain(mixed, "top")
    assert type(plain["a"]) is float
    assert torch.equal(plain["b"], torch.arange(3))
    assert plain["c"] == (1, ["x"])
    assert 4 in plain
    with pytest.raises(UserError, match=r"top\.x\.0: a object cannot be stored"):
        to_plain({"x": [object()]}, "top")


def test_logged_scalars_are_packed_and_bounded(tmp_path: Path) -> None:
    hub = MessageHub.get_instance("test_packing")
    for value in range(2500):
        hub.update_scalar("train/loss", float(value))
    hub.update_info("iter", 7)
    hub.update_info("cfg", "text of the run")
    write_checkpoint({**content(0.0), "message_hub": pack_messages(hub)}, tmp_path / "a.pth")
    packed = read_checkpoint(tmp_path / "a.pth")["message_hub"]
    assert len(packed["log_scalars"]["train/loss"]["values"]) == 2000
    assert "cfg" not in packed["runtime_info"]
    other = MessageHub.get_instance("test_unpacking")
    other.load_state_dict(unpack_messages(packed))
    assert other.get_scalar("train/loss").current() == 2499.0
    assert other.get_info("iter") == 7
