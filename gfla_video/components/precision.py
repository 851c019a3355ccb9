"""What stays in float32 whatever the networks compute in: losses, and features of fixed filters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from gfla_video.ops.reference import accumulation_type

P = ParamSpec("P")
R = TypeVar("R")


def in_float32(function: Callable[P, R]) -> Callable[P, R]:
    """A function of tensors that computes in float32 also under autocast and on half types.

    Means over a picture, exponentials and Gram matrices lose too much in a half type, and some
    losses are refused by autocast. float64 stays float64; gradients come back in the given types.
    """

    @functools.wraps(function)
    def widened(*args: P.args, **kwargs: P.kwargs) -> R:
        given: list[Any] = [*args, *kwargs.values()]
        device = next(value.device.type for value in given if isinstance(value, Tensor))
        named: Any = {name: _wide(value) for name, value in kwargs.items()}
        positional: Any = [_wide(value) for value in args]
        with torch.autocast(device, enabled=False):
            return function(*positional, **named)

    return widened


def _wide(value: Any) -> Any:
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.to(accumulation_type(value.dtype))
    return value


@in_float32
def mean_absolute_difference(one: Tensor, other: Tensor) -> Tensor:
    """``mean |one - other|``, a scalar.

    For the backward pass the sign of each difference is kept as one byte, not the difference: the
    feature maps of a 256 x 256 picture would take 30 MB.

    Args:
        one: any shape.
        other: the same shape.
    """
    difference: Tensor = _MeanAbsoluteDifference.apply(one, other)
    return difference


class _MeanAbsoluteDifference(torch.autograd.Function):
    """Values and gradients as of ``(one - other).abs().mean()``, bit for bit."""

    @staticmethod
    def forward(ctx: Any, one: Tensor, other: Tensor) -> Tensor:
        difference = one - other
        if any(ctx.needs_input_grad):
            ctx.save_for_backward(difference.sign().to(torch.int8))
        return difference.abs_().mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        (sign,) = ctx.saved_tensors
        towards = sign.to(grad.dtype).mul_(grad / sign.numel())
        needs_one, needs_other = ctx.needs_input_grad
        return towards if needs_one else None, -towards if needs_other else None
