"""A prepared network gives what the plain one gives."""

from __future__ import annotations

import copy
from argparse import ArgumentParser
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from gfla_video.apis import inference
from gfla_video.apis.inference import (
    InferenceOptions,
    PreparedGenerator,
    add_inference_arguments,
    fold_parametrizations,
    take_inference_options,
)
from gfla_video.registry import MODELS
from gfla_video.utils.errors import UserError
from gfla_video.utils.notice import say_once


def build(width: int = 8) -> Any:
    """A tiny generator with one-channel structures, attention at one level."""
    small = {"base_channels": width, "max_channels": 2 * width}
    attention = {"type": "LocalAttention", "channels": 2 * width, "kernel_size": 3, "hidden": 8}
    return MODELS.build(
        {
            "type": "TransferGenerator",
            "source_encoder": {"type": "PyramidEncoder", "levels": 2, **small},
            "flow_estimator": {
                "type": "FlowEstimator",
                "structure_channels": 1,
                "flow_levels": (2,),
                "gain": 1.0,
                **small,
            },
            "renderer": {
                "type": "TextureRenderer",
                "structure_channels": 1,
                "attention_levels": (2,),
                "levels": 2,
                "attentions": [attention],
                **small,
            },
            "gain": 1.0,
        }
    )


def inputs(batch: int = 2) -> dict[str, Any]:
    """Random pictures and structures, one source for all targets."""
    return {
        "sources": [torch.rand(1, 3, 64, 96) * 2 - 1],
        "source_structures": [torch.rand(1, 1, 64, 96)],
        "target_structure": torch.rand(batch, 1, 64, 96),
    }


def everything(output: Any) -> list[Tensor]:
    return [output.image, *output.flows[0], *output.masks[0]]


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("cached", [False, True])
def test_float32_equals_the_plain_network(channels_last: bool, cached: bool) -> None:
    network, given = build(), inputs()
    with torch.no_grad():
        expected = copy.deepcopy(network).eval()(**given)
    prepared = PreparedGenerator(network, "cpu", InferenceOptions(channels_last=channels_last))
    encoded = prepared.encode_sources(given["sources"]) if cached else None
    made = prepared(**given, encoded=encoded)
    tolerance = 1e-4 if channels_last else 0.0
    torch.testing.assert_close(
        everything(made), everything(expected), rtol=tolerance, atol=tolerance
    )
    weight = network.source_encoder.blocks[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last) == channels_last
    assert made.image.shape == (2, 3, 64, 96)
    assert not made.image.requires_grad
    assert type(made) is type(expected)


def test_bfloat16_is_near_and_comes_back_as_float32() -> None:
    network, given = build(16), inputs()
    exact = PreparedGenerator(copy.deepcopy(network))(**given)
    prepared = PreparedGenerator(network, "cpu", InferenceOptions("bfloat16"))
    encoded = prepared.encode_sources(given["sources"])
    assert encoded[0][0].values.dtype == torch.bfloat16
    rough = prepared(**given, encoded=encoded)
    assert all(tensor.dtype == torch.float32 for tensor in everything(rough))
    assert all(p.dtype == torch.float32 for p in network.parameters())
    assert 0 < (rough.image - exact.image).abs().mean() < 2 / 255  # a level of eight bits
    assert (rough.flows[0][0] - exact.flows[0][0]).abs().mean() < 0.02


def test_the_network_can_be_trained_on() -> None:
    network, given = build(), inputs()
    PreparedGenerator(network)(**given)
    assert not any(p.requires_grad for p in network.parameters()) and not network.training
    network.train().requires_grad_(True)
    network(**given).image.square().sum().backward()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    before = network.source_encoder.blocks[0].conv1.weight.detach().clone()
    optimizer.step()
    assert not torch.equal(before, network.source_encoder.blocks[0].conv1.weight)


def test_spectral_norms_are_folded_into_plain_weights() -> None:
    network = nn.Sequential(
        spectral_norm(nn.Conv2d(3, 8, 3)), nn.LeakyReLU(), spectral_norm(nn.Conv2d(8, 4, 3))
    )
    x = torch.rand(2, 3, 9, 9)
    network(x)  # a step of power iteration
    with torch.no_grad():
        expected = network.eval()(x)
    raw = network[0].parametrizations.weight.original.detach().clone()
    network.train()  # folding must not iterate once more
    assert fold_parametrizations(network) == 2
    assert not any(parametrize.is_parametrized(module) for module in network.modules())
    torch.testing.assert_close(network(x), expected, rtol=0, atol=0)
    assert set(network.state_dict()) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert not torch.equal(network[0].weight, raw)
    assert fold_parametrizations(network) == 0


def test_a_prepared_network_has_no_spectral_norm_left() -> None:
    network, given = build(), inputs()
    spectral_norm(network.source_encoder.blocks[0].conv1)
    with torch.no_grad():
        expected = copy.deepcopy(network).eval()(**given)
    prepared = PreparedGenerator(network, "cpu", InferenceOptions(channels_last=False))
    assert not any(parametrize.is_parametrized(module) for module in network.modules())
    torch.testing.assert_close(everything(prepared(**given)), everything(expected))
    assert not any(p.requires_grad for p in network.parameters())


def test_what_a_device_cannot_do_is_one_sentence() -> None:
    network = nn.Conv2d(3, 3, 1)
    for options, match in [
        (InferenceOptions("float16"), "--precision float16: the CPU has no fast float16"),
        (InferenceOptions("float8"), "--precision float8: choose float32, bfloat16, float16"),
        (InferenceOptions(cuda_graphs=True), "--cuda-graphs: needs a CUDA device"),
    ]:
        with pytest.raises(UserError, match=match) as error:
            PreparedGenerator(network, "cpu", options)
        assert "\n" not in str(error.value)


def test_slow_bfloat16_is_said_once(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    say_once.cache_clear()
    cpu = torch.device("cpu")
    monkeypatch.setattr(inference, "_fast_bfloat16", lambda: False)
    for _ in range(2):
        InferenceOptions("bfloat16").on(cpu)
    assert capsys.readouterr().err.count("bfloat16 is slow on this CPU") == 1
    say_once.cache_clear()
    monkeypatch.setattr(inference, "_fast_bfloat16", lambda: True)
    InferenceOptions("bfloat16").on(cpu)
    assert capsys.readouterr().err == ""


def test_the_layout_is_the_devices_best_unless_it_is_said() -> None:
    for kind, best in [("cpu", True), ("cuda", True), ("mps", False)]:
        device = torch.device(kind)
        assert InferenceOptions().on(device).channels_last is best
        assert InferenceOptions(channels_last=not best).on(device).channels_last is not best


def test_a_compiler_that_fails_is_said_once_and_the_network_serves(
    monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    from torch._dynamo.exc import TorchDynamoException

    def refusing(network: nn.Module, **options: Any) -> Any:
        def run(*arguments: Any, **more: Any) -> Any:
            raise TorchDynamoException("no compiler here\ndetails")

        return run

    say_once.cache_clear()
    network, given = build(), inputs()
    expected = PreparedGenerator(copy.deepcopy(network))(**given)
    monkeypatch.setattr(torch, "compile", refusing)
    prepared = PreparedGenerator(network, "cpu", InferenceOptions(compile=True))
    for _ in range(2):
        torch.testing.assert_close(everything(prepared(**given)), everything(expected))
    said = capsys.readouterr().err
    assert said.count("runs without it: no compiler here\n") == 1
    assert "details" not in said


def test_an_error_of_the_network_is_no_fault_of_the_compiler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(network: nn.Module, **options: Any) -> Any:
        def run(*arguments: Any, **more: Any) -> Any:
            raise RuntimeError("shapes do not fit")

        return run

    monkeypatch.setattr(torch, "compile", broken)
    prepared = PreparedGenerator(build(), "cpu", InferenceOptions(compile=True))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        prepared(**inputs())


@pytest.mark.slow
def test_a_compiled_network_gives_the_same() -> None:
    network, given = build(), inputs(3)
    plain = PreparedGenerator(copy.deepcopy(network))
    prepared = PreparedGenerator(network, "cpu", InferenceOptions(compile=True))
    assert prepared._compiled is not None
    for batch in (3, 3, 2):
        given["target_structure"] = torch.rand(batch, 1, 64, 96)
        encoded = prepared.encode_sources(given["sources"])
        # the last one is filled up: no second compilation
        with torch.compiler.set_stance("default" if batch == 3 else "fail_on_recompile"):
            made = prepared(**given, encoded=encoded)
        torch.testing.assert_close(
            everything(made), everything(plain(**given)), rtol=1e-3, atol=1e-3
        )
    assert prepared._compiled is not None  # it did not fall back


def test_a_flow_estimator_alone_is_prepared_too() -> None:
    network, given = build().flow_estimator, inputs(1)
    with torch.no_grad():
        expected = copy.deepcopy(network).eval()(**given)
    made = PreparedGenerator(network, "cpu", InferenceOptions(channels_last=False))(**given)
    torch.testing.assert_close(made, expected)


def test_arguments_become_options() -> None:
    parser = ArgumentParser()
    parser.add_argument("--other")
    add_inference_arguments(parser)
    parsed = parser.parse_args([])
    assert take_inference_options(parsed) == InferenceOptions()
    assert vars(parsed) == {"other": None}  # taken out
    given = ["--precision", "bfloat16", "--no-channels-last", "--compile", "--cuda-graphs"]
    taken = take_inference_options(parser.parse_args(given))
    assert taken == InferenceOptions("bfloat16", False, True, True)
    assert take_inference_options(parser.parse_args(["--channels-last"])).channels_last is True


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_graphs_and_half_precision_on_cuda(precision: str) -> None:
    network, given = build(16), inputs(4)
    exact = PreparedGenerator(copy.deepcopy(network))(**given)
    options = InferenceOptions(precision, cuda_graphs=True)
    prepared = PreparedGenerator(network, "cuda", options)
    encoded = prepared.encode_sources(given["sources"])
    for batch in (4, 4, 1):
        rows = {**given, "target_structure": given["target_structure"][:batch]}
        made = prepared(**rows, encoded=encoded)
        assert (made.image.cpu() - exact.image[:batch]).abs().mean() < 0.01
    assert prepared._call._capture is not None  # it did not fall back
