"""Converted video checkpoints give the released programs' numbers, frame after frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gfla_video.apis.convert import convert_checkpoint
from gfla_video.apis.load import load_generator, load_network
from gfla_video.models.released import Converted, under
from gfla_video.models.released_clips import convert_clip_generator
from gfla_video.models.rollout import ClipRollout
from gfla_video.registry import MODELS
from gfla_video.utils.errors import UserError

OURS_TO_RELEASED = {0: 1, 1: 0}  # source and previous change places in the lists of the golden case


def clip_arrays(arrays: dict[str, np.ndarray], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    return {key: torch.from_numpy(value).to(dtype) for key, value in arrays.items()}


def check_clip(generator: Any, case: dict[str, Any], given: dict[str, torch.Tensor]) -> None:
    """Roll the case out and compare every stored picture, flow and mask of every frame."""
    dtype = given["P_reference"].dtype
    double = dtype == torch.float64
    tolerance = case["tolerance"]["float64_run_abs" if double else "suggested_abs"]
    rollout = ClipRollout(generator, given["P_reference"], given["BP_reference"])
    if "P_previous" in given:
        rollout.images, rollout.structures = [given["P_previous"]], [given["BP_previous"]]
    with torch.no_grad():
        out = rollout(given["BP_frame_step"])
    scales = len(out.flows[0])
    compared = set()
    for t in range(out.images.shape[1]):
        ours = {f"image_t{t}": out.images[:, t]}
        for scale in range(scales):
            for r in range(2):
                place = scale * 2 + OURS_TO_RELEASED[r]
                ours[f"flow_t{t}_{place}"] = out.flows[r][scale][:, t]
                ours[f"mask_t{t}_{place}"] = out.masks[r][scale][:, t]
        for key, value in ours.items():
            torch.testing.assert_close(
                value, given[key], rtol=0, atol=tolerance, msg=lambda m, k=key: f"{k}: {m}"
            )
        compared |= set(ours)
    assert compared == {key for key in given if key.startswith(("image_t", "flow_t", "mask_t"))}


@pytest.mark.parametrize("name", ["face", "face_module_prefix"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_face_generator(golden: Callable, tmp_path: Path, name: str, dtype: torch.dtype) -> None:
    case, arrays, folder = golden(name)
    report = convert_checkpoint("face", folder / "latest_net_G.pth", tmp_path / "model.pth")
    assert report["networks"] == ["generator"]
    assert report["meta"]["size"] == [256, 256]
    generator = load_generator(tmp_path / "model.pth").to(dtype)
    assert generator.previous == 1
    check_clip(generator, case, clip_arrays(arrays, dtype))
    # in training mode nothing is encoded beforehand; the numbers are the same
    check_clip(generator.train(), case, clip_arrays(arrays, dtype))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_dance_generator_has_an_estimator_per_kind(golden: Callable, dtype: torch.dtype) -> None:
    case, arrays, folder = golden("dance")
    state = torch.load(folder / "latest_net_G.pth", weights_only=True)
    made: Converted = convert_clip_generator(state)
    generator = MODELS.build(made.config)
    generator.load_state_dict(made.state)
    check_clip(generator.eval().to(dtype), case, clip_arrays(arrays, dtype))


@pytest.mark.parametrize("name", ["D", "D_V", "D_V_temporal"])
def test_discriminators(golden: Callable, tmp_path: Path, name: str) -> None:
    """Evaluation, two training forwards, the power iteration's vectors, every gradient's norm."""
    case, arrays, folder = golden("discriminator")
    description = next(c for c in case["cases"] if c["name"] == name)
    report = convert_checkpoint("face", folder / description["checkpoint"], tmp_path / "d.pth")
    (part,) = report["networks"]
    assert part == ("discriminator" if name == "D" else "clip_discriminator")
    network = load_network(tmp_path / "d.pth", part)
    given = {k.removeprefix(f"{name}."): torch.from_numpy(v) for k, v in arrays.items()}
    x = as_window(given["x"], name)
    tolerance = case["tolerance"]
    with torch.no_grad():
        assert_near(network(x), given["out_eval"], tolerance["out_eval"])
    network.train()
    assert_near(network(x), given["out_train1"], tolerance["train"])
    out = network(x)
    assert_near(out, given["out_train2"], tolerance["train"])
    out.square().mean().backward()
    vectors = [key for key in given if key.startswith("after2.")]
    assert vectors
    ours = sorted(float(v.grad.norm()) for v in network.parameters() if v.grad is not None)
    true = sorted(float(norm) for norm in arrays[f"{name}.grad_norms"])
    assert ours == pytest.approx(true, abs=tolerance["train"], rel=1e-3)
    buffers = dict(network.named_buffers())
    vector = given["after2.conv.weight_u"]
    assert_near(buffers["to_logit.parametrizations.weight.0._u"], vector, tolerance["train"])


def as_window(x: torch.Tensor, name: str) -> torch.Tensor:
    """The stored input as the frames that our networks take.

    The case of differences stores them, channels (frame 1 - frame 2, frame 2 - frame 3): frames
    with a last one of zeros have these differences.
    """
    if name == "D_V_temporal":
        return x.transpose(1, 2)
    if name == "D":
        return x
    first, second = x.split(3, dim=1)
    return torch.stack([first + second, second, torch.zeros_like(second)], dim=1)


def assert_near(ours: torch.Tensor, true: torch.Tensor, tolerance: float) -> None:
    torch.testing.assert_close(ours, true, rtol=0, atol=tolerance)


def test_still_checkpoints_are_refused(golden: Callable, tmp_path: Path) -> None:
    folder = golden("pose_fashion").folder
    with pytest.raises(UserError, match="still images"):
        convert_checkpoint("face", folder / "latest_net_G.pth", tmp_path / "x.pth")


def test_channels_that_are_no_two_references_are_refused(golden: Callable) -> None:
    state = torch.load(golden("face").folder / "latest_net_G.pth", weights_only=True)
    broken = {k: v[:53] if k == "flow_net.block0.model.0.weight" else v for k, v in state.items()}
    with pytest.raises(UserError, match="flow_net: 53 input channels"):
        convert_clip_generator(broken)
    assert under(state, "flow_net")
