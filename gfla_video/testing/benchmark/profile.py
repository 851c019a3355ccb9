"""Where the time of a frame goes: the share of the attention blocks, and the heaviest operators."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, record_function

from gfla_video.components.attention import LocalAttention
from gfla_video.components.fusion import SumFusion
from gfla_video.testing.literal import MaterialisedAttention

FRAME, ATTENTION, FUSION = "frame", "attention block", "fusion"
_CONVOLUTIONS = ("aten::conv2d", "aten::convolution", "aten::conv_transpose2d")
_TOP = 12


def profile_frame(
    run: Callable[[], object], network: nn.Module, device: torch.device, runs: int = 5
) -> dict[str, Any]:
    """Profile ``run``, which calls ``network`` once per frame.

    The profiler itself costs time at every operator, so the shares of many small ones come out too
    large rather than too small.

    Args:
        run: warm already.
        network: its attention blocks are marked.
        device: on CUDA the time is that of the kernels, else that of the operators on the CPU.
        runs: frames that are averaged.

    Returns:
        Milliseconds per frame: ``frame``, ``attention`` (all blocks), its ``convolutions``, and
        ``outside_convolutions`` with its ``share`` of the frame; ``fusion``; ``top`` operators.
    """
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with _marked(network), profile(activities=activities) as found:
        for _ in range(runs):
            with record_function(FRAME):
                run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    kernels = device.type == "cuda"
    events = [event for event in found.events() if event.device_type == DeviceType.CPU]

    def total(name: str) -> float:
        return sum(_time(event, kernels) for event in events if event.name == name) / runs / 1e3

    inside = sum(_convolutions([e], kernels) for e in events if e.name == ATTENTION) / runs / 1e3
    frame, attention = total(FRAME), total(ATTENTION)
    return {
        "frame_ms": frame,
        "attention_ms": attention,
        "attention_convolutions_ms": inside,
        "attention_outside_convolutions_ms": attention - inside,
        "attention_outside_convolutions_share": (attention - inside) / frame,
        "fusion_ms": total(FUSION),
        "top": _top(found, kernels, runs),
    }


def _time(event: Any, kernels: bool) -> float:
    """Microseconds of an event with all that it calls."""
    return float(event.device_time_total if kernels else event.cpu_time_total)


def _convolutions(events: Iterable[Any], kernels: bool) -> float:
    """Microseconds of the convolutions among events and what they call, each counted once."""
    found = 0.0
    for event in events:
        if event.name in _CONVOLUTIONS:
            found += _time(event, kernels)
        else:
            found += _convolutions(event.cpu_children, kernels)
    return found


def _top(found: profile, kernels: bool, runs: int) -> list[dict[str, Any]]:
    """The operators with the most time of their own."""

    def own(entry: Any) -> float:
        return float(entry.self_device_time_total if kernels else entry.self_cpu_time_total)

    marks = (FRAME, ATTENTION, FUSION)
    entries = [entry for entry in found.key_averages() if entry.key not in marks]
    whole = sum(own(entry) for entry in entries) or 1.0
    return [
        {
            "operator": entry.key,
            "calls": entry.count / runs,
            "ms": own(entry) / runs / 1e3,
            "share": own(entry) / whole,
        }
        for entry in sorted(entries, key=own, reverse=True)[:_TOP]
    ]


@contextmanager
def _marked(network: nn.Module) -> Iterator[None]:
    """Name the attention blocks and the fusion in the profile, while it lasts."""
    marks: list[tuple[nn.Module, str, str]] = []
    for module in network.modules():
        if isinstance(module, (LocalAttention, MaterialisedAttention)):
            marks += [(module, "forward", ATTENTION), (module, "encode_source", ATTENTION)]
        elif isinstance(module, SumFusion):
            marks.append((module, "forward", FUSION))
    for module, method, label in marks:
        setattr(module, method, _recorded(getattr(module, method), label))
    try:
        yield
    finally:
        for module, method, _ in marks:
            delattr(module, method)  # the class's own shows again


def _recorded(function: Callable[..., Any], label: str) -> Callable[..., Any]:
    def recorded(*args: Any, **kwargs: Any) -> Any:
        with record_function(label):
            return function(*args, **kwargs)

    return recorded
