"""Calls of one fixed shape, for compiled networks and for CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import TreeSpec, tree_flatten, tree_map_only, tree_unflatten

from gfla_video.utils.notice import say_once

Leaves = Sequence[Tensor]
Replay = Callable[[Leaves], Any]
Capture = Callable[[Callable[..., Any], Leaves, TreeSpec], Replay]
_WARM_UPS = 3  # runs before a capture: they choose algorithms, build kernels and fill the caches
_PLANS = 4  # shapes that are kept; a captured one holds the memory of its activations


@dataclass(frozen=True)
class _Plan:
    """The shapes that one way of calling was prepared for.

    Attributes:
        layout: how the tensors lie in lists and tuples.
        like: shape, strides and type of each, on the device that holds no data.
        batch: the largest first dimension.
        replay: the captured call, None where the function itself is called.
    """

    layout: TreeSpec
    like: tuple[Tensor, ...]
    batch: int
    replay: Replay | None

    def serves(self, leaves: Leaves, layout: TreeSpec, batch: int) -> bool:
        """Whether these inputs, filled up where they are fewer, have the plan's shapes."""
        return layout == self.layout and all(
            leaf.dtype == own.dtype
            and leaf.shape[1:] == own.shape[1:]
            and (len(leaf) == len(own) or (len(leaf) == batch < len(own) == self.batch))
            for leaf, own in zip(leaves, self.like, strict=True)
        )

    def filled(self, leaves: Leaves) -> list[Tensor]:
        """The inputs at the plan's batch size; the last row again where there are fewer."""
        return [_filled(leaf, own) for leaf, own in zip(leaves, self.like, strict=True)]


class FixedBatch:
    """Calls a function of batched tensors with few different shapes.

    The batch is the largest first dimension among the inputs; inputs of batch 1 that serve every
    row of a larger batch stay as they are. A smaller batch than one that was seen is filled up to
    it, and what comes out is cut: so the last batch of a clip needs no compilation or capture of
    its own. Rows must not depend on each other.

    Args:
        function: takes tensors in lists, tuples and dicts, gives the same with rows of the batch.
        capture: makes, from the function and inputs of one shape, what repeats it with other
            values, such as :func:`capture_graph`. Its results are copied. Where it fails, the
            function itself serves from then on, and the reason is said once.
    """

    def __init__(self, function: Callable[..., Any], capture: Capture | None = None) -> None:
        self._function = function
        self._capture = capture
        self._plans: list[_Plan] = []

    def __call__(self, *inputs: Any) -> Any:
        """The function's result for these inputs."""
        leaves, layout = tree_flatten(inputs)
        batch = max(len(leaf) for leaf in leaves)
        plan = self._plan(leaves, layout, batch)
        rows = plan.filled(leaves)
        if plan.replay is None:
            made = self._function(*tree_unflatten(rows, layout))
        else:
            made = tree_map_only(Tensor, torch.clone, plan.replay(rows))
        if batch == plan.batch:
            return made
        return tree_map_only(Tensor, lambda tensor: tensor[:batch], made)

    def _plan(self, leaves: Leaves, layout: TreeSpec, batch: int) -> _Plan:
        for plan in self._plans:
            if plan.serves(leaves, layout, batch):
                return plan
        like = tuple(torch.empty_like(leaf, device="meta") for leaf in leaves)
        if len(self._plans) == _PLANS:
            del self._plans[0]
        self._plans.append(_Plan(layout, like, batch, self._captured(leaves, layout)))
        return self._plans[-1]

    def _captured(self, leaves: Leaves, layout: TreeSpec) -> Replay | None:
        if self._capture is None:
            return None
        try:
            return self._capture(self._function, leaves, layout)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self._capture = None
            reason = str(error).strip().splitlines()[0]
            say_once(f"CUDA graphs are not used, the network runs without them: {reason}")
            return None


def capture_graph(function: Callable[..., Any], leaves: Leaves, layout: TreeSpec) -> Replay:
    """Record one call as a CUDA graph with input buffers of its own.

    What it gives writes every result into the same memory. Other threads may use the device
    meanwhile.

    Raises:
        RuntimeError: the function does what cannot be recorded, such as waiting for the device.
    """
    buffers = [leaf.clone() for leaf in leaves]
    inputs = tree_unflatten(buffers, layout)
    with torch.cuda.device(buffers[0].device):
        current, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(current)
        with torch.cuda.stream(side):
            for _ in range(_WARM_UPS):
                function(*inputs)
        current.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
            made = function(*inputs)

    def replay(fresh: Leaves) -> Any:
        for buffer, leaf in zip(buffers, fresh, strict=True):
            buffer.copy_(leaf, non_blocking=True)
        graph.replay()
        return made

    return replay


def _filled(leaf: Tensor, like: Tensor) -> Tensor:
    if len(leaf) == len(like):
        return leaf
    rows = torch.empty_strided(like.shape, like.stride(), dtype=leaf.dtype, device=leaf.device)
    rows[: len(leaf)] = leaf
    rows[len(leaf) :] = leaf[-1]
    return rows
