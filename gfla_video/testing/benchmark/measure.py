"""Time and peak memory of variants of one computation, in one process.

Time: the variants take turns (a b c a b c ...), so that what disturbs the machine for a while
disturbs all of them. A sample is the mean of as many runs as fill a small stretch of time.
Memory: what a run adds to what was there before it. On the CPU that is the process's resident
memory: free pages are given back to the system, the kernel's high-water mark is set back, the
variant runs once and the mark is read (Linux). On CUDA it is the allocator's own peak.
"""

from __future__ import annotations

import ctypes
import gc
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

Run = Callable[[], object]
MIN_SAMPLE_SECONDS = 0.02  # shorter runs are repeated within a sample: clocks and wake-ups vanish
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def interleave(
    runs: Mapping[str, Run],
    repeats: int,
    warmup: int = 1,
    min_sample: float = MIN_SAMPLE_SECONDS,
    clock: Callable[[], float] = time.perf_counter,
    synchronize: Callable[[], object] = lambda: None,
) -> dict[str, list[float]]:
    """Seconds per run, one sample per variant and round.

    Args:
        runs: the variants by name; they take turns in this order.
        repeats: rounds, at least 1.
        warmup: rounds before that are not kept, at least 1; the last one tells how many runs make
            a sample.
        min_sample: seconds that a sample should last at least.
        clock: seconds from any start.
        synchronize: waits until the device has done its work.
    """

    def sample(run: Run, count: int) -> float:
        synchronize()
        started = clock()
        for _ in range(count):
            run()
        synchronize()
        return (clock() - started) / count

    counts = dict.fromkeys(runs, 1)
    for _ in range(max(warmup, 1)):
        for name, run in runs.items():
            seconds = max(sample(run, 1), 1e-7)
            counts[name] = max(1, math.ceil(min_sample / seconds))
    samples: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            samples[name].append(sample(run, counts[name]))
    return samples


@contextmanager
def quiet_collector() -> Iterator[None]:
    """No collection of cyclic garbage by itself: it would fall on whichever variant runs.

    What is there already is set aside, so that the collections between measurements are short.
    """
    enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()


def spread(samples: Sequence[float]) -> dict[str, Any]:
    """Median, quartiles and extremes of at least one sample, and the samples."""
    low, middle, high = (
        statistics.quantiles(samples, n=4, method="inclusive")
        if len(samples) > 1
        else [samples[0]] * 3
    )
    return {
        "median": middle,
        "q1": low,
        "q3": high,
        "min": min(samples),
        "max": max(samples),
        "samples": list(samples),
    }


def ratio(slow: Sequence[float], fast: Sequence[float]) -> dict[str, float]:
    """How many times longer ``slow`` takes: of each round by itself, then median and spread."""
    rounds = [a / b for a, b in zip(slow, fast, strict=True)]
    found = spread(rounds)
    del found["samples"]
    return found


def peak_extra_bytes(run: Run, device: torch.device) -> int | None:
    """Most memory that one run holds beyond what was held before it.

    Args:
        run: the variant, warm already.
        device: where it runs.

    Returns:
        Bytes, None where the system does not tell (other systems than Linux).
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        run()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    if not reset_high_water_mark():
        return None
    before = _status("VmRSS")
    run()
    return max(_status("VmHWM") - before, 0)


def reset_high_water_mark() -> bool:
    """Give free pages back to the system and start the high-water mark anew; False: cannot."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if _CLEAR.exists() else None
    if trim is None:
        return False
    trim(0)
    try:
        _CLEAR.write_text("5")  # 5: reset the peak resident set size, see proc(5)
    except OSError:
        return False
    return True


def _status(key: str) -> int:
    """A line of the process's status in bytes."""
    for line in _STATUS.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0]) * 1024
    raise OSError(f"{_STATUS} has no {key}")
