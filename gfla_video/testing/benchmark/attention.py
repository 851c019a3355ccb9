"""The attention block (kernel prediction and gather) beside its own convolutions alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gfla_video.components.attention import LocalAttention
from gfla_video.testing.benchmark.cases import (
    DTYPES,
    FORMATS,
    Case,
    Settings,
    Variant,
    without_gradients,
)
from gfla_video.testing.benchmark.floors import gather_flops, nbytes
from gfla_video.testing.benchmark.op import Size, random_flow, sizes
from gfla_video.testing.literal import MaterialisedAttention


class _Inputs:
    """Source, target and flow of one size, in one memory format."""

    def __init__(self, batch: int, size: Size, settings: Settings) -> None:
        dtype, device = DTYPES[settings.dtype], settings.device
        shape = (batch, size.channels, size.height, size.width)
        self.source = torch.randn(shape, device=device).to(dtype)
        self.target = torch.randn(shape, device=device).to(dtype)
        # positions need float32, as the flow heads give them under autocast
        flow = random_flow(batch, size, settings)
        self.flow = flow.double() if dtype == torch.float64 else flow

    def to(self, layout: str) -> _Inputs:
        """The same values in another memory format."""
        moved = copy.copy(self)
        moved.source = self.source.to(memory_format=FORMATS[layout])
        moved.target = self.target.to(memory_format=FORMATS[layout])
        return moved


class Convolutions(nn.Module):
    """The convolutions that a block cannot do without, and nothing else: padded inputs are given.

    Args:
        block: the attention whose convolutions are used.
    """

    def __init__(self, block: LocalAttention) -> None:
        super().__init__()
        self.source_conv, self.target_conv = block.source_conv, block.target_conv
        self.to_kernel = block.to_kernel

    def forward(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """The source's map and the kernel's logits.

        Args:
            source: padded on every side by k - 1.
            target: padded to keep its size.
        """
        logits: Tensor = self.to_kernel(self.target_conv(target))
        return self.source_conv(source), logits


def attention_cases(settings: Settings) -> Iterator[Case]:
    """Forward, and forward with backward, for every size and batch."""
    for batch in settings.batches or (1,):
        for size in sizes(settings):
            for backward in (False, True):
                yield _case(size, batch, backward, settings)


def _case(size: Size, batch: int, backward: bool, settings: Settings) -> Case:
    torch.manual_seed(settings.seed)
    block = LocalAttention(size.channels, size.kernel)
    block = block.to(settings.device, DTYPES[settings.dtype]).train(backward)
    inputs = _Inputs(batch, size, settings)
    build = _Builder(size, backward, settings)
    variants = {"materialised": build.block(MaterialisedAttention(block), inputs, "reference")}
    ratios = []
    for layout in settings.formats:
        own = copy.deepcopy(block).to(memory_format=FORMATS[layout])
        given = inputs.to(layout)
        plain, native, floor = f"plain {layout}", f"native {layout}", f"convolutions {layout}"
        variants[plain] = build.block(own, given, "reference")
        variants[native] = build.block(own, given, "native")
        variants[floor] = build.convolutions(own, given, layout)
        ratios += [("materialised", plain), ("materialised", native), (plain, native)]
        ratios += [(native, floor), (plain, floor)]
        if not backward:
            cached = f"native {layout}, source encoded before"
            variants[cached] = build.cached(own, given, "native")
            ratios.append((native, cached))
    return Case(
        f"attention block {size} batch {batch} {'forward+backward' if backward else 'forward'}",
        {"batch": batch, "dtype": settings.dtype, "backward": backward, **size._asdict()},
        variants,
        ratios,
    )


class _Builder:
    """Variants of one size, forward or with backward."""

    def __init__(self, size: Size, backward: bool, settings: Settings) -> None:
        self.backward, self.dtype = backward, DTYPES[settings.dtype]
        self.taps = (size.kernel + 1) ** 2 + 4 * (128 / size.channels)  # the gather and the keys'

    def block(self, block: nn.Module, given: _Inputs, backend: str) -> Variant:
        """Kernel prediction and gather, the source's convolution included."""

        def run(source: Tensor, target: Tensor, flow: Tensor) -> Tensor:
            found: Tensor = block(block.encode_source(source), target, flow)  # type: ignore[operator]
            return found

        literal = isinstance(block, MaterialisedAttention)
        note = "NCHW, patches by grid_sample" if literal else ""
        extra = 0 if literal else self._gather(given)
        tensors = (given.source, given.target, given.flow)
        return self._variant(run, block, tensors, given.target, backend, extra, note)

    def cached(self, block: LocalAttention, given: _Inputs, backend: str) -> Variant:
        """The same with the source encoded before: what every further frame costs."""
        with torch.inference_mode():
            encoded = block.encode_source(given.source)

        def run(target: Tensor, flow: Tensor) -> Tensor:
            return block(encoded, target, flow)  # type: ignore[no-any-return]

        tensors = (given.target, given.flow)
        extra = self._gather(given)
        variant = self._variant(run, block, tensors, given.target, backend, extra, "")
        variant.moved += nbytes(*encoded) - nbytes(block.source_conv.weight)
        return variant

    def convolutions(self, block: LocalAttention, given: _Inputs, layout: str) -> Variant:
        """The three convolutions alone."""
        r, q = block.before, block.after
        source = F.pad(given.source, (r + q, r + q, r + q, r + q), mode="replicate")
        target = F.pad(given.target, (r, q, r, q), mode="replicate")
        tensors = tuple(t.contiguous(memory_format=FORMATS[layout]) for t in (source, target))
        return self._variant(Convolutions(block), block, tensors, None, "reference", 0, "")

    def _gather(self, given: _Inputs) -> int:
        batch, channels, height, width = given.source.shape
        flops = gather_flops(1, channels, batch * height * width) * self.taps
        return int(flops * (3 if self.backward else 1))

    def _variant(
        self,
        run: Callable[..., object],
        block: nn.Module,
        tensors: tuple[Tensor, ...],
        like: Tensor | None,
        backend: str,
        more_flops: int,
        note: str,
    ) -> Variant:
        """Bytes: inputs and weights read once, the result written once, each gradient likewise."""
        weights = list(block.parameters())
        once = nbytes(*tensors, *weights)
        if not self.backward:
            moved = once + nbytes(like)
            chosen = without_gradients(lambda: run(*tensors))
        else:
            leaves = tuple(tensor.detach().clone().requires_grad_() for tensor in tensors)
            moved = 3 * once + 2 * nbytes(like)  # read twice, gradients written; result and its own
            chosen = _with_backward(run, leaves, weights)
        return Variant(chosen, backend, moved, more_flops=more_flops, dtype=self.dtype, note=note)


def _with_backward(
    run: Callable[..., object], leaves: tuple[Tensor, ...], weights: list[nn.Parameter]
) -> Callable[[], object]:
    """Forward, then the gradients of all inputs and weights (none is kept)."""
    upstream: list[Tensor] = []

    def both() -> object:
        out = run(*leaves)
        results = [out] if isinstance(out, Tensor) else list(out)  # type: ignore[call-overload]
        if not upstream:
            upstream.extend(torch.randn_like(result) for result in results)
        torch.autograd.backward(results, upstream)
        for tensor in (*leaves, *weights):
            tensor.grad = None
        return None

    return both
