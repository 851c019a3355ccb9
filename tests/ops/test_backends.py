"""Which backend is chosen, and what is said of it."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gfla_video.ops import backend_for, backends, native, self_check, using_backend, windowed_gather


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing checked, nothing said before, no setting from outside."""
    monkeypatch.setattr(backends, "_refused", {})
    monkeypatch.setattr(backends, "_announced", set())
    monkeypatch.delenv("GFLA_BACKEND", raising=False)
    monkeypatch.delenv("GFLA_SELF_CHECK", raising=False)


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where no compiler was found."""
    monkeypatch.setattr(native, "load", lambda device_type: "no C++ compiler was found")


def wrong(source: Tensor, weights: Tensor, base: Tensor) -> Tensor:
    """Kernels that compute something else."""
    out = source.new_zeros(source.shape[0], source.shape[1], *weights.shape[2:])
    return out + 0 * (source.sum() + weights.sum())


@pytest.mark.usefixtures("native")
def test_native_serves_where_it_is_built() -> None:
    assert backend_for(torch.zeros(1)) == ("native", "the cpu kernels are loaded")


@pytest.mark.usefixtures("absent")
def test_a_fallback_is_announced_once_with_its_reason() -> None:
    with pytest.warns(RuntimeWarning, match="plain torch serves .* no C\\+\\+ compiler was found"):
        choice = backend_for(torch.zeros(1))
    assert choice == ("reference", "no C++ compiler was found")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backend_for(torch.zeros(1))


@pytest.mark.usefixtures("absent")
def test_native_that_is_absent_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="cannot serve cpu: no C\\+\\+ compiler was found"):
        backend_for(torch.zeros(1), "native")


def test_other_devices_and_types_take_the_reference() -> None:
    with pytest.warns(RuntimeWarning, match="no native kernels were built for meta"):
        assert backend_for(torch.zeros(1, device="meta")).name == "reference"


@pytest.mark.usefixtures("native")
def test_types_without_kernels_are_said() -> None:
    with pytest.warns(RuntimeWarning, match="there are no kernels for torch.int64"):
        assert backend_for(torch.zeros(1).long()).name == "reference"


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The innermost wins: argument, then ``using_backend``, then the environment."""
    monkeypatch.setenv("GFLA_BACKEND", "reference")
    assert backend_for(torch.zeros(1)) == ("reference", "GFLA_BACKEND=reference asks for it")
    with using_backend("reference"):
        assert "using_backend('reference')" in backend_for(torch.zeros(1)).reason
    assert backend_for(torch.zeros(1), "reference").reason == "reference asks for it"
    monkeypatch.setenv("GFLA_BACKEND", "quick")
    with pytest.raises(ValueError, match="GFLA_BACKEND=quick: choose auto, reference, native"):
        backend_for(torch.zeros(1))


@pytest.mark.usefixtures("native")
def test_a_wrong_backend_is_refused_at_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also under autocast and inference mode, which must not reach the check."""
    monkeypatch.setattr(self_check, "gather_native", wrong)
    source, weights = torch.ones(1, 2, 3, 3), torch.ones(1, 1, 3, 3)
    base = torch.zeros(1, 2, 3, 3, dtype=torch.int32)
    with (
        torch.inference_mode(),
        torch.autocast("cpu", torch.bfloat16),
        pytest.warns(RuntimeWarning, match="self-check failed in torch.float32: the result is"),
    ):
        out = windowed_gather(source, weights, base)
    assert torch.equal(out, source)
    with pytest.raises(RuntimeError, match="self-check failed"):
        backend_for(source, "native")


@pytest.mark.usefixtures("native")
def test_the_self_check_tries_what_networks_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels for whole vectors of channels are others than those for 19 channels."""

    def wrong_in_vectors(source: Tensor, weights: Tensor, base: Tensor) -> Tensor:
        kernel = native.gather_native if source.shape[1] % 8 else wrong
        return kernel(source, weights, base)

    monkeypatch.setattr(self_check, "gather_native", wrong_in_vectors)
    said = self_check.problem(torch.device("cpu"), torch.float32)
    assert "the result is wrong by" in said


@pytest.mark.usefixtures("native")
def test_the_self_check_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_check, "gather_native", wrong)
    monkeypatch.setenv("GFLA_SELF_CHECK", "0")
    assert backend_for(torch.zeros(1)).name == "native"


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("dtype", list(self_check.TOLERANCES))
def test_the_self_check_passes(dtype: torch.dtype) -> None:
    assert self_check.problem(torch.device("cpu"), dtype) == ""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of libraries and their record; libraries are looked up anew."""
    monkeypatch.setattr(native, "FOLDER", tmp_path)
    monkeypatch.setattr(native, "RECORD", tmp_path / "_native_build.json")
    return tmp_path


def load_anew(device_type: str) -> str:
    """What loading says without the memory of earlier calls."""
    return native._load.__wrapped__(device_type)


def test_why_nothing_is_there(folder: Path) -> None:
    assert load_anew("cpu") == "no native kernels were built for cpu"
    record = {"cpu": {"built": False, "reason": "no C++ compiler was found"}}
    (folder / "_native_build.json").write_text(json.dumps(record), encoding="utf-8")
    assert load_anew("cpu") == "no C++ compiler was found"
    (folder / "_native_build.json").write_text("{", encoding="utf-8")
    assert load_anew("cpu") == "no native kernels were built for cpu"


def test_a_library_of_another_torch_is_not_loaded(folder: Path) -> None:
    (folder / "_native_cpu.so").write_bytes(b"")
    record = {"cpu": {"built": True, "torch": "1.0.0"}}
    (folder / "_native_build.json").write_text(json.dumps(record), encoding="utf-8")
    assert "was built for torch 1.0.0, this is" in load_anew("cpu")


def test_a_broken_library_is_said(folder: Path) -> None:
    (folder / "_native_cpu.so").write_bytes(b"not a library")
    assert "_native_cpu.so could not be loaded" in load_anew("cpu")


def test_a_library_that_is_gone_is_said(folder: Path) -> None:
    record = {"cpu": {"built": True, "torch": torch.__version__}}
    (folder / "_native_build.json").write_text(json.dumps(record), encoding="utf-8")
    assert load_anew("cpu") == (
        "the native kernels for cpu were built, but are gone: install again"
    )
