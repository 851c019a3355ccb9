"""What stays in float32 under autocast, exact and thrifty."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gfla_video.components.features import FilterBankFeatures
from gfla_video.components.losses import (
    AdversarialLoss,
    LossInputs,
    MaskVisibilityLoss,
    correctness,
)
from gfla_video.components.losses.correctness import best_similarity, sampling_correctness
from gfla_video.components.losses.landmarks import landmark_flow
from gfla_video.components.losses.perceptual import gram_matrix
from gfla_video.components.losses.regularization import affine_regularization
from gfla_video.components.precision import mean_absolute_difference


def autocast() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16)


def test_the_mean_difference_is_that_of_torch_bit_for_bit() -> None:
    one, other = torch.randn(2, 3, 5, 7), torch.randn(2, 3, 5, 7)
    other[0] = one[0]  # no difference: no gradient
    pairs = [[t.clone().requires_grad_() for t in (one, other)] for _ in range(2)]
    ours = mean_absolute_difference(*pairs[0]) * 3
    theirs = (pairs[1][0] - pairs[1][1]).abs().mean() * 3
    assert torch.equal(ours, theirs)
    ours.backward()
    theirs.backward()
    for own, true in zip(*pairs, strict=True):
        assert torch.equal(own.grad, true.grad)  # type: ignore[arg-type]
    doubles = [torch.randn(4, 3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(mean_absolute_difference, doubles)


def test_the_mean_difference_keeps_one_byte_per_number() -> None:
    kept: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    fake = torch.randn(1000, dtype=torch.bfloat16, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        value = mean_absolute_difference(fake, torch.randn(1000))
    assert sum(tensor.nbytes for tensor in kept) == 1000
    assert value.dtype == torch.float32
    value.backward()
    assert fake.grad is not None and fake.grad.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (gram_matrix, [(2, 8, 9, 9)]),
        (sampling_correctness, [(1, 8, 6, 6), (1, 8, 6, 6), (1, 2, 6, 6)]),
        (lambda flow: affine_regularization(flow, 3), [(1, 2, 8, 8)]),
        (landmark_flow, [(1, 2, 4, 4), (1, 3, 8, 8), (1, 3, 8, 8)]),
        (lambda x, y: AdversarialLoss("nsgan").discriminator(x, y), [(2, 1, 4, 4)] * 2),
        (lambda x: AdversarialLoss("lsgan").generator(x), [(2, 1, 4, 4)]),
    ],
)
def test_half_inputs_under_autocast_give_the_float32_value(
    function: Any, shapes: list[tuple[int, ...]]
) -> None:
    given = [torch.rand(shape).to(torch.bfloat16) for shape in shapes]
    true = function(*(tensor.float() for tensor in given))
    with autocast():
        found = function(*given)
        assert torch.is_autocast_enabled("cpu")
    assert found.dtype == torch.float32
    assert torch.equal(found, true)


def test_fixed_filters_under_autocast() -> None:
    extractor, picture = FilterBankFeatures(dimensions=16), torch.rand(1, 3, 32, 32)
    layers = extractor.layers_of(extractor.roles)
    true = extractor(picture, layers)
    with autocast():
        found = extractor(picture, layers)
    assert all(torch.equal(found[name], true[name]) for name in layers)


def test_the_mask_loss_under_autocast() -> None:
    loss = MaskVisibilityLoss()
    pictures, structure = torch.rand(2, 1, 3, 32, 32), torch.rand(1, 2, 32, 32)
    mask = torch.rand(1, 1, 8, 8, requires_grad=True)
    flow = torch.zeros(1, 2, 8, 8)
    inputs = LossInputs(
        pictures[0], [pictures[1]], [structure], structure, [[flow]], [[mask]], (2,)
    )
    true = loss(inputs)
    with autocast():
        found = loss(inputs)
    assert torch.equal(found, true)
    found.backward()
    assert mask.grad is not None and bool(mask.grad.isfinite().all())


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            self.bytes = max(self.bytes, out.numel() * out.element_size())
        return out


@pytest.mark.parametrize("channels_last", [False, True])
def test_similarities_in_blocks(monkeypatch: pytest.MonkeyPatch, channels_last: bool) -> None:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    source = torch.randn(2, 4, 20, 20).to(memory_format=layout)
    target = torch.randn(2, 4, 15, 21).to(memory_format=layout)  # another number of positions
    unit = [torch.nn.functional.normalize(x.flatten(2), dim=1) for x in (source, target)]
    true = torch.einsum("bcn,bcm->bmn", *unit).amax(dim=2)
    torch.testing.assert_close(best_similarity(source, target), true)
    limit = 40_000
    monkeypatch.setattr(correctness, "SCORES", limit)
    with Largest() as largest:
        found = best_similarity(source, target)
    torch.testing.assert_close(found, true)
    assert largest.bytes <= limit  # the whole matrix takes a million
