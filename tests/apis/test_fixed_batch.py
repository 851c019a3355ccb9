"""Calls of one shape: filling up, cutting, captures and their fallback (by a stand-in here)."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_unflatten

from gfla_video.apis.fixed_batch import FixedBatch, capture_graph
from gfla_video.utils.notice import say_once


class Pair(NamedTuple):
    """Like the encoded sources: tensors in a named tuple."""

    values: Tensor
    keys: Tensor


class Mixing:
    """Rows depend on the target and on a source that may be one for all; counts shapes."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def __call__(self, sources: list[Tensor], target: Tensor, encoded: Any = None) -> Pair:
        self.seen.append((len(sources[0]), len(target)))
        whole = sources[0] + 10 * target
        if encoded is not None:
            whole = whole + encoded[0].keys * encoded[0].values
        return Pair(whole, whole.sum((1, 2, 3)))


def row(batch: int) -> Tensor:
    return torch.rand(batch, 3, 4, 5).contiguous(memory_format=torch.channels_last)


def recorded(function, leaves, layout):
    """Stands in for a CUDA graph: own input buffers, and results in the same memory every time."""
    buffers = [leaf.clone() for leaf in leaves]
    memory = function(*tree_unflatten(buffers, layout))

    def replay(fresh):
        for buffer, leaf in zip(buffers, fresh, strict=True):
            assert buffer.shape == leaf.shape and buffer.stride() == leaf.stride()
            buffer.copy_(leaf)
        for kept, made in zip(memory, function(*tree_unflatten(buffers, layout)), strict=True):
            kept.copy_(made)
        return memory

    return replay


@pytest.mark.parametrize("capture", [None, recorded])
@pytest.mark.parametrize("shared", [True, False], ids=["one source", "a source each"])
def test_a_smaller_batch_is_filled_up_and_cut(capture, shared: bool) -> None:
    plain, counted = Mixing(), Mixing()
    fixed = FixedBatch(counted, capture)
    kept = []
    for batch in (4, 4, 3, 1):
        sources, target = [row(1 if shared else batch)], row(batch)
        encoded = [Pair(row(1), row(1))] if shared else None
        inputs = (sources, target) if encoded is None else (sources, target, encoded)
        made, expected = fixed(*inputs), plain(*inputs)
        assert isinstance(made, Pair)
        torch.testing.assert_close(made, expected, rtol=0, atol=0)
        kept.append((made, expected))
    assert set(counted.seen) == {(1 if shared else 4, 4)}
    for made, expected in kept:  # later calls leave earlier results alone
        torch.testing.assert_close(made, expected, rtol=0, atol=0)


def test_other_shapes_get_a_plan_of_their_own() -> None:
    counted = Mixing()
    fixed = FixedBatch(counted, recorded)
    for sources, target in [(4, 4), (1, 4), (2, 2), (8, 8), (1, 2), (1, 1)]:
        inputs = [row(sources)], row(target)
        torch.testing.assert_close(fixed(*inputs), Mixing()(*inputs), rtol=0, atol=0)
    assert set(counted.seen) == {(4, 4), (1, 4), (8, 8)}
    wide = [torch.rand(4, 3, 4, 9)], torch.rand(4, 3, 4, 9)
    torch.testing.assert_close(fixed(*wide), Mixing()(*wide))
    double = [row(4).double()], row(4).double()
    assert fixed(*double).values.dtype == torch.float64


def test_a_capture_that_fails_is_said_once_and_the_function_serves(capsys) -> None:
    say_once.cache_clear()
    tried = []

    def refusing(*arguments):
        tried.append(1)
        raise RuntimeError("operation not permitted when stream is capturing\nmore\n")

    fixed = FixedBatch(Mixing(), refusing)
    for batch in (4, 2, 6):
        inputs = [row(1)], row(batch)
        torch.testing.assert_close(fixed(*inputs), Mixing()(*inputs), rtol=0, atol=0)
    assert len(tried) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "without them: operation not permitted when stream is capturing" in said


def test_too_little_memory_is_no_reason_to_go_on() -> None:
    def full(*arguments):
        raise torch.OutOfMemoryError("full")

    with pytest.raises(torch.OutOfMemoryError):
        FixedBatch(Mixing(), full)([row(1)], row(2))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_graph_repeats_the_work() -> None:
    fixed = FixedBatch(Mixing(), capture_graph)
    with torch.inference_mode():
        for batch in (4, 4, 2):
            inputs = [row(1).to("cuda")], row(batch).to("cuda")
            torch.testing.assert_close(fixed(*inputs), Mixing()(*inputs), rtol=0, atol=0)
