"""Released checkpoints, through the converter, give the released numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gfla_video.apis import load_generator
from gfla_video.apis.convert import convert_checkpoint
from gfla_video.apis.load import load_network
from gfla_video.utils.errors import UserError


def tensors(arrays: dict, dtype: torch.dtype, *names: str) -> list[torch.Tensor]:
    """Arrays of a case as tensors."""
    return [torch.from_numpy(arrays[name]).to(dtype) for name in names]


STILLS = ["pose_fashion", "pose_market", "shapenet", "shapenet_2layers"]


def task_of(case: str) -> str:
    """The task that a case's checkpoint belongs to."""
    return "view_synthesis" if case.startswith("shapenet") else "pose"


def parts_of_image(image: torch.Tensor, names: set[str]) -> dict[str, torch.Tensor]:
    """The picture as a case stores it: whole, or thinned out with two of its corners."""
    if "image" in names:
        return {"image": image}
    return {
        "image_stride3": image[:, :, ::3, ::3],
        "image_tl": image[:, :, :40, :40],
        "image_br": image[:, :, -40:, -40:],
    }


@pytest.mark.parametrize("name", STILLS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_generator(golden: Callable, tmp_path: Path, name: str, dtype: torch.dtype) -> None:
    case, arrays, folder = golden(name)
    out_file = tmp_path / "model.pth"
    report = convert_checkpoint(task_of(name), folder / "latest_net_G.pth", out_file)
    assert report["networks"] == ["generator"]
    generator = load_generator(out_file).to(dtype)
    assert not generator.training
    source, source_b, target_b = tensors(arrays, dtype, "source", "source_B", "target_B")
    with torch.no_grad():
        out = generator([source], [source_b], target_b)
        again = generator([source], [source_b], target_b, generator.encode_sources([source]))
    double = dtype == torch.float64
    tolerance = case["tolerance"]["float64_run_abs" if double else "suggested_abs"]
    compared = parts_of_image(out.image, set(arrays))
    for scale in range(len(out.flows[0])):
        compared |= {f"flow{scale}": out.flows[0][scale], f"mask{scale}": out.masks[0][scale]}
    assert set(compared) == {n for n in arrays if n.startswith(("image", "flow", "mask"))}
    for key, ours in compared.items():
        true = torch.from_numpy(arrays[key]).to(dtype)
        torch.testing.assert_close(ours, true, rtol=0, atol=tolerance, msg=lambda m, k=key: k + m)
    assert again.image.equal(out.image)


def test_market_names_what_is_left_out(golden: Callable, tmp_path: Path) -> None:
    folder = golden("pose_market").folder
    report = convert_checkpoint("pose", folder / "latest_net_G.pth", tmp_path / "m.pth")
    names = [name for group in report["dropped"].values() for name in group]
    assert "source.encoder1.model.2.weight" in names
    assert all(name.startswith(("source.encoder1", "target.outconv", "flow_net")) for name in names)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_flow_estimator(golden: Callable, tmp_path: Path, dtype: torch.dtype) -> None:
    case, arrays, folder = golden("poseflownet")
    convert_checkpoint("pose", folder / "latest_net_G.pth", tmp_path / "flow.pth")
    network = load_network(tmp_path / "flow.pth", "flow_estimator").to(dtype)
    source, source_b, target_b = tensors(arrays, dtype, "source", "source_B", "target_B")
    with torch.no_grad():
        out = network([source], [source_b], target_b)
    double = dtype == torch.float64
    tolerance = case["tolerance"]["float64_run_abs" if double else "suggested_abs"]
    for scale in (0, 1):
        for ours, key in ((out.flows, "flow"), (out.masks, "mask")):
            true = torch.from_numpy(arrays[f"{key}{scale}"]).to(dtype)
            torch.testing.assert_close(ours[0][scale], true, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", ["D", "D_market", "D_V"])
def test_discriminator(golden: Callable, tmp_path: Path, name: str) -> None:
    """Evaluation, two training forwards, the power iteration's vectors, gradient norms."""
    case, arrays, folder = golden("discriminator")
    description = next(c for c in case["cases"] if c["name"] == name)
    convert_checkpoint("pose", folder / description["checkpoint"], tmp_path / "d.pth")
    network = load_network(tmp_path / "d.pth", "discriminator")
    x, out_eval, out1, out2 = tensors(
        arrays,
        torch.float32,
        *(f"{name}.{k}" for k in ("x", "out_eval", "out_train1", "out_train2")),
    )
    with torch.no_grad():
        torch.testing.assert_close(network(x), out_eval, rtol=0, atol=case["tolerance"]["out_eval"])
    network.train()
    tolerance = case["tolerance"]["train"]
    torch.testing.assert_close(network(x), out1, rtol=0, atol=tolerance)
    out = network(x)
    torch.testing.assert_close(out, out2, rtol=0, atol=tolerance)
    out.square().mean().backward()
    vector = torch.from_numpy(arrays[f"{name}.after2.block0.model.1.weight_u"])
    ours = dict(network.named_buffers())["blocks.0.conv1.parametrizations.weight.0._u"]
    torch.testing.assert_close(ours, vector, rtol=0, atol=tolerance)
    norms = {}
    for key, norm in zip(description["param_order"], arrays[f"{name}.grad_norms"], strict=True):
        norms[key] = float(norm)
    weights = dict(network.named_parameters())
    pairs = {
        "block0.model.3.weight_orig": "blocks.0.conv2.parametrizations.weight.original",
        "encoder0.shortcut.1.bias": "blocks.1.shortcut.bias",
        "conv.weight_orig": "to_logit.parametrizations.weight.original",
    }
    for released, ours_name in pairs.items():
        gradient = weights[ours_name].grad
        assert gradient is not None
        assert float(gradient.norm()) == pytest.approx(norms[released], abs=tolerance, rel=1e-3)


def test_another_task_is_refused(golden: Callable, tmp_path: Path) -> None:
    folder = golden("face").folder
    with pytest.raises(UserError, match="video checkpoint"):
        convert_checkpoint("pose", folder / "latest_net_G.pth", tmp_path / "x.pth")
    assert not (tmp_path / "x.pth").exists()


@pytest.mark.parametrize(
    ("name", "task", "said"),
    [("shapenet", "pose", "structures are codes"), ("pose_market", "view_synthesis", "are maps")],
)
def test_other_structures_are_refused(
    golden: Callable, tmp_path: Path, name: str, task: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        convert_checkpoint(task, golden(name).folder / "latest_net_G.pth", tmp_path / "x.pth")


def test_what_else_view_synthesis_needs(golden: Callable, tmp_path: Path) -> None:
    out = tmp_path / "model.pth"
    for name, size in (("shapenet", [256, 256]), ("shapenet_2layers", [128, 128])):
        convert_checkpoint("view_synthesis", golden(name).folder / "latest_net_G.pth", out)
        meta = torch.load(out, weights_only=True)["meta"]
        assert meta["size"] == size and meta["structure"]["type"] == "CameraBins"


def test_a_missing_tensor_is_said(tmp_path: Path, golden: Callable) -> None:
    state = torch.load(golden("pose_fashion").folder / "latest_net_G.pth", weights_only=True)
    state = {f"module.{k}": v for k, v in state.items() if k != "flow_net.jump1.conv1.bias"}
    state = {k: v for k, v in state.items() if not k.startswith("module.flow_net.jump1.model")}
    torch.save(state, tmp_path / "broken.pth")
    with pytest.raises(UserError, match="it lacks 'flow_estimator.skips.1.conv.bias'"):
        convert_checkpoint("pose", tmp_path / "broken.pth", tmp_path / "x.pth")


def test_module_prefix(golden: Callable, tmp_path: Path) -> None:
    state = torch.load(golden("pose_market").folder / "latest_net_G.pth", weights_only=True)
    torch.save({f"module.{k}": v for k, v in state.items()}, tmp_path / "prefixed.pth")
    convert_checkpoint("pose", tmp_path / "prefixed.pth", tmp_path / "ours.pth")
    assert load_generator(tmp_path / "ours.pth").renderer.attention_levels == (2,)
