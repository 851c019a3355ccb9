"""A trained network made ready to be run fast: number format, memory layout, compiler, graphs."""

from __future__ import annotations

import platform
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.utils._pytree import tree_map, tree_map_only

from gfla_video.apis.fixed_batch import FixedBatch, capture_graph
from gfla_video.utils.errors import UserError
from gfla_video.utils.notice import say_once

PRECISIONS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
# Measured on the CPU (Fashion, 256x256): a fifth less time in float32, the same in bfloat16. The
# native windowed gather and the half-precision convolutions of a GPU read it as it is.
_CHANNELS_LAST = ("cpu", "cuda")


@dataclass(frozen=True)
class InferenceOptions:
    """How a network is run; none of it changes the result beyond rounding.

    Attributes:
        precision: of the convolutions, a key of ``PRECISIONS``; the two half types by autocast.
        channels_last: channels innermost in memory; None: what is best on the device.
        compile: ``torch.compile``: half a minute or more before the first frame, then faster.
        cuda_graphs: record the work of a batch once and replay it; it spares small batches the
            time between kernels.
    """

    precision: str = "float32"
    channels_last: bool | None = None
    compile: bool = False
    cuda_graphs: bool = False

    def on(self, device: torch.device) -> InferenceOptions:
        """The options with nothing left open, checked for a device.

        Raises:
            UserError: the device cannot do what is asked.
        """
        if self.precision not in PRECISIONS:
            raise UserError(f"--precision {self.precision}: choose {', '.join(PRECISIONS)}")
        if self.precision == "float16" and device.type == "cpu":
            raise UserError("--precision float16: the CPU has no fast float16, choose bfloat16")
        if self.cuda_graphs and device.type != "cuda":
            raise UserError(f"--cuda-graphs: needs a CUDA device, the network runs on {device}")
        if self.precision == "bfloat16" and device.type == "cpu" and not _fast_bfloat16():
            say_once("bfloat16 is slow on this CPU (no AVX512-BF16 or AMX), float32 is faster")
        if self.channels_last is None:
            return replace(self, channels_last=device.type in _CHANNELS_LAST)
        return self


class PreparedGenerator:
    """A generator (or a flow estimator) made ready for inference, called like the network itself.

    The network given is used, not copied: it is moved to the device, put in eval mode, its
    parameters get no gradients, its layout may become channels-last, and spectral norms become
    plain weights. Values stay exact, so ``network.train().requires_grad_(True)`` trains on, but
    without the spectral norms: prepare a ``copy.deepcopy`` of a network that is to be trained on.

    Args:
        network: called as ``network(sources, source_structures, target_structure)``, and with
            ``encoded=`` where it has ``encode_sources``.
        device: where it runs.
        options: how it runs.

    Raises:
        UserError: the device cannot do what is asked.
    """

    def __init__(
        self,
        network: nn.Module,
        device: str | torch.device = "cpu",
        options: InferenceOptions | None = None,
    ) -> None:
        self.device = torch.device(device)
        self.options = (options or InferenceOptions()).on(self.device)
        self.network = _made_ready(network, self.device, bool(self.options.channels_last))
        self._compiled = None
        self._call: Any = self._run
        if self.options.compile:
            self._compiled = torch.compile(self.network, dynamic=False)
            say_once("compiling: the first frames take a minute or so")
        if self.options.cuda_graphs:
            self._call = FixedBatch(self._run, capture_graph)
        elif self.options.compile:
            self._call = FixedBatch(self._run)

    def place(self, tensor: Tensor) -> Tensor:
        """An input on the device and in the layout; from pinned memory without waiting."""
        wants_last = self.options.channels_last and tensor.ndim == 4
        layout = torch.channels_last if wants_last else torch.preserve_format
        waits_not = tensor.device.type == "cpu" and tensor.is_pinned()
        return tensor.to(self.device, non_blocking=waits_not, memory_format=layout)

    @property
    def previous(self) -> int:
        """How many previous frames the network takes as references; 0 for still images."""
        return int(getattr(self.network, "previous", 0))

    def encode_sources(self, sources: Sequence[Tensor], first: int = 0) -> Any:
        """What depends on the sources alone, for the calls that follow; runs once per source.

        Args:
            sources: pictures ``[B, 3, H, W]`` in [-1, 1].
            first: number of the first of them among the references; 1 for previous frames alone.
        """
        placed = [self.place(source) for source in sources]
        with self._no_gradients(), self._autocast():
            if not first:  # a network for still images need not know of further references
                return self.network.encode_sources(placed)  # type: ignore[operator]
            return self.network.encode_sources(placed, first)  # type: ignore[operator]

    def __call__(
        self,
        sources: Sequence[Tensor],
        source_structures: Sequence[Tensor],
        target_structure: Tensor,
        encoded: Any = None,
    ) -> Any:
        """The network's result in float32, without gradients; its contract is the network's.

        Args:
            sources: R pictures ``[B, 3, H, W]`` in [-1, 1]; a batch of 1 serves every target.
            source_structures: R maps ``[B, C, H, W]``.
            target_structure: ``[B, C, H, W]``.
            encoded: of :meth:`encode_sources`.
        """
        inputs = tree_map(self.place, [list(sources), list(source_structures), target_structure])
        with self._no_gradients():
            output = self._call(*inputs) if encoded is None else self._call(*inputs, encoded)
            return tree_map_only(Tensor, Tensor.float, output)

    def _run(self, *inputs: Any) -> Any:
        with self._autocast():
            if self._compiled is not None:
                try:
                    return _called(self._compiled, inputs)
                except RuntimeError as error:
                    if not _of_the_compiler(error):
                        raise
                    self._compiled = None
                    reason = str(error).strip().splitlines()[0]
                    say_once(f"torch.compile is not used, the network runs without it: {reason}")
            return _called(self.network, inputs)

    def _no_gradients(self) -> AbstractContextManager[Any]:
        # Tensors made in inference mode are of another kind than those given, which would make the
        # compiler start again for the last, filled-up batch.
        return torch.no_grad() if self.options.compile else torch.inference_mode()

    def _autocast(self) -> AbstractContextManager[Any]:
        dtype = PRECISIONS[self.options.precision]
        return nullcontext() if dtype == torch.float32 else torch.autocast(self.device.type, dtype)


def add_inference_arguments(parser: ArgumentParser) -> None:
    """Add the options of :class:`InferenceOptions` to a command's parser."""
    add = parser.add_argument_group("speed", "how the network is run").add_argument
    add(
        "--precision",
        choices=tuple(PRECISIONS),
        default=InferenceOptions.precision,
        help="of the network (default: float32; float16 on accelerators only)",
    )
    add(
        "--channels-last",
        action=BooleanOptionalAction,
        help="memory layout (default: what is best on the device)",
    )
    add("--compile", action="store_true", help="torch.compile: slow to start, then faster")
    add("--cuda-graphs", action="store_true", help="record a batch's work once and replay it")


def take_inference_options(arguments: Namespace) -> InferenceOptions:
    """Take the values of :func:`add_inference_arguments` out of the parsed arguments."""
    names = [item.name for item in fields(InferenceOptions)]
    taken = InferenceOptions(**{name: getattr(arguments, name) for name in names})
    for name in names:
        delattr(arguments, name)
    return taken


def fold_parametrizations(network: nn.Module) -> int:
    """Make every parametrised tensor, such as a weight under spectral norm, a plain one in place.

    Its value is that of eval mode (no further power iteration). Gives how many there were.
    """
    network.eval()
    folded = 0
    for module in network.modules():
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
                folded += 1
    return folded


def _made_ready(network: nn.Module, device: torch.device, channels_last: bool) -> nn.Module:
    fold_parametrizations(network)
    network.eval().requires_grad_(False).to(device)
    if channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _called(network: Any, inputs: Sequence[Any]) -> Any:
    return network(*inputs[:3], encoded=inputs[3]) if len(inputs) > 3 else network(*inputs)


def _of_the_compiler(error: RuntimeError) -> bool:
    from torch._dynamo.exc import TorchDynamoException  # slow to import, and loaded by now

    return isinstance(error, TorchDynamoException)


def _fast_bfloat16() -> bool:
    """Whether the CPU has instructions for it; taken for granted where torch does not tell."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    answers = [getattr(torch.cpu, name)() for name in asked if hasattr(torch.cpu, name)]
    return any(answers) or not answers
