"""Devices are proved to be there."""

from __future__ import annotations

import pytest
import torch

from gfla_video.apis.device import choose_device
from gfla_video.utils.errors import UserError


def test_a_named_device_must_be_there() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    with pytest.raises(UserError, match="--device quantum: cannot be used"):
        choose_device("quantum")
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="--device cuda: .*try cpu"):
            choose_device("cuda")


def test_only_some_names_may_be_served() -> None:
    with pytest.raises(UserError, match="--device mps: choose cpu or cuda"):
        choose_device("mps", among=("cpu", "cuda"))


def test_without_a_name_the_accelerator_is_taken_if_it_is_served() -> None:
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    assert choose_device() == (accelerator or torch.device("cpu"))
    assert choose_device(among=("cpu",)) == torch.device("cpu")


def test_a_wrong_backend_setting_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GFLA_BACKEND", "quick")
    with pytest.raises(UserError, match="GFLA_BACKEND=quick: choose auto, reference, native"):
        choose_device("cpu")
