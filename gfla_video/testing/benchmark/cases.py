"""A case compares variants of one computation; measuring it gives plain data for the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from gfla_video.ops import using_backend
from gfla_video.ops.windowed_gather import windowed_gather
from gfla_video.testing.benchmark.floors import Rates, count_flops
from gfla_video.testing.benchmark.measure import (
    MIN_SAMPLE_SECONDS,
    Run,
    interleave,
    peak_extra_bytes,
    quiet_collector,
    ratio,
    spread,
)
from gfla_video.utils.errors import UserError

DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}

MEMORY_NOISE = 2**20  # bytes below which a ratio of peak memory says nothing


@dataclass(frozen=True)
class Settings:
    """What a user can choose; not every command reads everything.

    Attributes:
        device: where to measure.
        repeats: rounds of the interleaved samples; None: the command's own number.
        warmup: rounds before that are not kept.
        quick: tiny sizes and two rounds, to see that everything runs; its figures mean nothing.
        threads: CPU threads, None: torch's own choice.
        batches: batch sizes.
        dtype: type of the op's tensors.
        formats: memory formats.
        compiled: add variants under ``torch.compile``.
        graphs: add variants captured as CUDA graphs (CUDA only).
        frames: length of the animated clip, None: the command's own.
        seed: of weights and inputs.
        keep_memory: all variants in a process that keeps freed memory, as our other tools do, which
            helps the materialised form most; False: as PyTorch finds the system.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    repeats: int | None = None
    warmup: int = 2
    quick: bool = False
    threads: int | None = None
    batches: tuple[int, ...] | None = None
    dtype: str = "float32"
    formats: tuple[str, ...] = ("contiguous", "channels_last")
    compiled: bool = False
    graphs: bool = False
    frames: int | None = None
    seed: int = 0
    keep_memory: bool = False

    def __post_init__(self) -> None:
        for name, least in (("repeats", 1), ("warmup", 1), ("threads", 1), ("frames", 2)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UserError(f"--{name} {value}: at least {least}")
        if self.batches is not None and (not self.batches or min(self.batches) < 1):
            raise UserError(f"--batch {' '.join(map(str, self.batches))}: at least 1")
        if self.dtype not in DTYPES:
            raise UserError(f"--dtype {self.dtype}: choose {', '.join(DTYPES)}")
        for name in self.formats:
            if name not in FORMATS:
                raise UserError(f"--memory-format {name}: choose {', '.join(FORMATS)}")
        if self.graphs and self.device.type != "cuda":
            raise UserError(f"--graphs: needs --device cuda, not {self.device}")

    def as_dict(self) -> dict[str, Any]:
        """Plain data for the file."""
        return {**vars(self), "device": str(self.device)}

    def rounds(self, usual: int) -> int:
        """Rounds to measure: the user's choice, else ``usual``; two where quick."""
        chosen = usual if self.repeats is None else self.repeats
        return min(chosen, 2) if self.quick else chosen

    def synchronize(self) -> None:
        """Wait until the device has done its work."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


@dataclass
class Variant:
    """One way to compute it.

    Attributes:
        run: does it once.
        backend: what ``auto`` means to ``gfla_video.ops`` meanwhile.
        moved: bytes that must be read and written once.
        flops: operations; None: convolutions and products are counted, and ``more_flops`` added.
        more_flops: operations that torch's counter does not see.
        dtype: type of the arithmetic.
        items: frames or samples that one run makes.
        state: bytes held all the time (weights, optimisers), beside the peak; a function is asked
            after the variant has run (an optimiser's moments come with its first step).
        note: what a reader should know, such as the memory format.
    """

    run: Run
    backend: str = "auto"
    moved: int = 0
    flops: int | None = None
    more_flops: int = 0
    dtype: torch.dtype = torch.float32
    items: int = 1
    state: int | Callable[[], int] = 0
    note: str = ""

    def __call__(self) -> object:
        with using_backend(self.backend):
            return self.run()


@dataclass
class Case:
    """Variants of one computation by name, and which of them to set against which."""

    name: str
    settings: dict[str, Any]
    variants: dict[str, Variant]
    ratios: Sequence[tuple[str, str]] = ()
    memory: bool = True
    left_out: dict[str, str] = field(default_factory=dict)


def native_problem(device: torch.device, dtype: torch.dtype) -> str:
    """Why the native op cannot serve here; empty where it can."""
    source = torch.zeros(1, 1, 2, 2, device=device, dtype=dtype)
    base = torch.zeros(1, 2, 2, 2, device=device, dtype=torch.int32)
    try:
        windowed_gather(source, source, base, backend="native")
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return ""


def measure_case(case: Case, settings: Settings, rates: Rates, usual: int = 15) -> dict[str, Any]:
    """Measure all variants of a case; one that cannot run here is left out with its reason.

    Args:
        case: what to measure.
        settings: rounds, warm-up, device.
        rates: what the machine reaches.
        usual: rounds where the user chose none.

    Returns:
        Plain data: ``name``, ``settings``, ``variants``, ``ratios``, ``left_out``.
    """
    left_out = dict(case.left_out)
    usable: dict[str, Variant] = {}
    flops: dict[str, int] = {}
    for name, variant in case.variants.items():
        first = _first_run(variant, settings)
        if isinstance(first, str):
            left_out[name] = first
        else:
            usable[name], flops[name] = variant, first
    with quiet_collector():
        samples = interleave(
            usable,
            settings.rounds(usual),
            settings.warmup,
            0.0 if settings.quick else MIN_SAMPLE_SECONDS,
            synchronize=settings.synchronize,
        )
        found = {
            name: _describe(variant, samples[name], flops[name], case.memory, settings, rates)
            for name, variant in usable.items()
        }
    ratios = {
        f"{slow} / {fast}": _compared(slow, fast, found, samples)
        for slow, fast in case.ratios
        if slow in usable and fast in usable
    }
    return {
        "name": case.name,
        "settings": case.settings,
        "variants": found,
        "ratios": ratios,
        "left_out": left_out,
    }


def _first_run(variant: Variant, settings: Settings) -> int | str:
    """The operations of a variant, counted in its first and untimed run; or why it cannot run."""
    if variant.backend == "native" and (why := native_problem(settings.device, torch.float32)):
        return why
    try:
        if variant.flops is None:
            flops = count_flops(variant) + variant.more_flops
        else:
            variant()
            flops = variant.flops
        settings.synchronize()
    except RuntimeError as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return flops


def _describe(
    variant: Variant,
    samples: list[float],
    flops: int,
    memory: bool,
    settings: Settings,
    rates: Rates,
) -> dict[str, Any]:
    seconds = spread(samples)
    floor = rates.floor(flops, variant.moved, variant.dtype)
    peak = peak_extra_bytes(variant, settings.device) if memory else None
    state = variant.state if isinstance(variant.state, int) else variant.state()
    return {
        "seconds": seconds,
        "items": variant.items,
        "items_per_second": variant.items / seconds["median"],
        "flops": flops,
        "bytes_moved_once": variant.moved,
        "flops_per_second": flops / seconds["median"],
        "bytes_per_second": variant.moved / seconds["median"],
        "floor": floor,
        "fraction_of_floor": floor["seconds"] / seconds["median"],
        "peak_extra_bytes": peak,
        "state_bytes": state,
        "peak_bytes": None if peak is None else peak + state,
        "note": variant.note,
    }


def _compared(
    slow: str, fast: str, found: dict[str, Any], samples: dict[str, list[float]]
) -> dict[str, Any]:
    """Time of ``slow`` over that of ``fast``, per item; the same for the memory."""
    items = found[fast]["items"] / found[slow]["items"]
    compared: dict[str, Any] = {
        "time": {key: value * items for key, value in ratio(samples[slow], samples[fast]).items()}
    }
    for key in ("peak_extra_bytes", "peak_bytes"):
        above, below = found[slow][key], found[fast][key]
        told = above is not None and below is not None and below >= MEMORY_NOISE
        compared[key] = above / below if told else None
    return compared


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Use so many CPU threads inside; None leaves them."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def without_gradients(run: Callable[[], object]) -> Run:
    """The run as inference does it."""

    def inferred() -> object:
        with torch.inference_mode():
            return run()

    return inferred
