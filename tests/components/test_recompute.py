"""Activation checkpointing: the same bits, less kept for the backward pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gfla_video.components.attention import LocalAttention
from gfla_video.components.discriminator import ResidualDiscriminator
from gfla_video.components.encoder import PyramidEncoder
from gfla_video.components.features import SqueezeNetFeatures, VGG19Features
from gfla_video.components.features.base import SequentialFeatures
from gfla_video.components.flow_estimator import FlowEstimator
from gfla_video.components.recompute import run, set_checkpointing
from gfla_video.components.renderer import TextureRenderer
from gfla_video.models import TransferGenerator

SMALL = {"base_channels": 8, "max_channels": 16}


def generator(checkpointing: bool = False) -> TransferGenerator:
    torch.manual_seed(0)
    return TransferGenerator(
        PyramidEncoder(**SMALL),
        FlowEstimator(structure_channels=2, gain=1.0, **SMALL),
        TextureRenderer(
            [LocalAttention(16, 3, hidden=8), LocalAttention(16, 5, hidden=8)],
            structure_channels=2,
            **SMALL,
        ),
        gain=1.0,
        checkpointing=checkpointing,
    )


def kept_bytes(network: nn.Module, function: Callable[[], Tensor]) -> tuple[int, Tensor]:
    """Bytes that a forward pass keeps for its backward pass beside the weights; its result."""
    weights = {t.untyped_storage().data_ptr() for t in (*network.parameters(), *network.buffers())}
    storages: dict[int, tuple[int, Tensor]] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = function()
    return sum(size for place, (size, _) in storages.items() if place not in weights), result


@pytest.mark.parametrize("half", [False, True], ids=["float32", "autocast"])
def test_a_generator_gives_the_same_bits_from_less_memory(half: bool) -> None:
    source, structures = torch.rand(1, 3, 64, 64), torch.rand(2, 1, 2, 64, 64)
    found = []
    for checkpointing in (False, True):
        network = generator(checkpointing)

        def picture(network: nn.Module = network) -> Tensor:
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                return network([source], [structures[0]], structures[1]).image  # type: ignore[no-any-return]

        kept, image = kept_bytes(network, picture)
        assert image.dtype == torch.float32
        image.square().sum().backward()
        gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
        found.append((kept, image, gradients))
    (plain, image, gradients), (less, again, same) = found
    assert torch.equal(image, again)
    assert gradients.keys() == same.keys()
    assert len(gradients) > 40
    for name, gradient in gradients.items():
        assert gradient.dtype == torch.float32
        assert torch.equal(gradient, same[name]), name
    assert less < 0.6 * plain


@pytest.mark.parametrize("kind", [VGG19Features, SqueezeNetFeatures])
def test_an_extractor_gives_the_same_bits_from_less_memory(kind: type[SequentialFeatures]) -> None:
    extractor = kind(weights=None)  # type: ignore[call-arg]
    layers = extractor.layers_of(["content", "style"])
    picture = torch.rand(1, 3, 64, 64)
    found = []
    for checkpointing in (False, True):
        extractor.checkpointing = checkpointing
        leaf = picture.clone().requires_grad_()

        def total(leaf: Tensor = leaf) -> Tensor:
            maps = extractor(leaf, layers)
            return torch.stack([maps[name].mean() for name in sorted(layers)]).sum()

        kept, value = kept_bytes(extractor, total)
        value.backward()
        found.append((kept, value.detach(), leaf.grad))
    (plain, value, gradient), (less, again, same) = found
    assert torch.equal(value, again)
    assert torch.equal(gradient, same)  # type: ignore[arg-type]
    assert float(gradient.abs().sum()) > 0  # type: ignore[union-attr]
    assert less < 0.7 * plain


def test_without_gradient_nothing_runs_twice() -> None:
    calls: list[int] = []

    def block(x: Tensor) -> Tensor:
        calls.append(1)
        return x.square()  # keeps x

    x = torch.ones(1, requires_grad=True)
    with torch.no_grad():
        run(block, x, checkpointing=True)
    assert len(calls) == 1
    run(block, x, checkpointing=True).backward()
    assert len(calls) == 3
    run(block, x, checkpointing=False).backward()
    assert len(calls) == 4


def test_which_parts_are_switched() -> None:
    names = set_checkpointing(generator())
    assert names == ["source_encoder", "flow_estimator.encoder", "renderer", "renderer.encoder"]
    # a second run of a spectral norm would change its state
    assert set_checkpointing(ResidualDiscriminator()) == []
