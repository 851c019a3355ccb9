"""Weight files of others: read as plain data, loaded strictly, refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from gfla_video.utils.errors import UserError
from gfla_video.utils.weights import load_strict, load_weights


@pytest.mark.parametrize("suffix", [".pth", ".npz", ".safetensors"])
def test_kinds_of_files(tmp_path: Path, suffix: str) -> None:
    path, state = tmp_path / f"w{suffix}", {"a": torch.rand(2, 3)}
    if suffix == ".npz":
        np.savez(path, a=state["a"].numpy())
    elif suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    assert torch.equal(load_weights(path)["a"], state["a"])
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"hello\n", b""):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="cannot be read as a file of plain weights"):
            load_weights(path)


class Harmful:
    """Unpickling it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


def test_no_code_of_a_file_is_run(tmp_path: Path) -> None:
    torch.save({"a": Harmful(tmp_path / "harm")}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"w\.pth: cannot be read"):
        load_weights(tmp_path / "w.pth")
    assert not (tmp_path / "harm").exists()


def test_every_name_and_shape_must_fit() -> None:
    network = nn.Linear(2, 1)
    load_strict(network, {"weight": torch.ones(1, 2), "bias": torch.ones(1)}, "w.pth")
    assert network.weight.tolist() == [[1.0, 1.0]]
    with pytest.raises(UserError, match=r"w\.pth: does not fit Linear, it lacks 'bias'; pass"):
        load_strict(network, {"weight": torch.ones(1, 2)}, "w.pth")
    with pytest.raises(UserError, match=r"'bias' is 3, the model needs 1"):
        load_strict(network, {"weight": torch.ones(1, 2), "bias": torch.ones(3)}, "w.pth")
