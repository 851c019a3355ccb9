"""What the tasks' sample makers share: checks of options, and drawing in several processes."""

import argparse
import multiprocessing
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def size_option(example: str) -> Callable[[str], tuple[int, int]]:
    """Parser of HxW, two multiples of 32; `example` is named to whoever errs."""

    def parse(text: str) -> tuple[int, int]:
        match = re.fullmatch(r"(\d+)x(\d+)", text)
        size = (int(match[1]), int(match[2])) if match else (0, 0)
        if min(size) < 64 or max(size) > 1024 or any(n % 32 for n in size):
            raise argparse.ArgumentTypeError(
                f"{text!r} is no HxW of two multiples of 32 between 64 and 1024, such as {example}"
            )
        return size

    return parse


def whole_option(least: int, most: int) -> Callable[[str], int]:
    """Parser of a whole number within limits."""

    def parse(text: str) -> int:
        if not text.isdigit() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} to {most}")
        return int(text)

    return parse


def real_option(most: float) -> Callable[[str], float]:
    """Parser of a number from 0 to `most`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to {most:g}")
        return value

    return parse


def run_jobs(work: Callable[[Job], Result], jobs: list[Job], workers: int) -> Iterator[Result]:
    """Yield `work(job)` for every job, in order, done in so many processes.

    Args:
        work: a function of a module (it is pickled).
        jobs: what to do.
        workers: processes; few jobs are done in this one.
    """
    if workers <= 1 or len(jobs) < 8:
        yield from map(work, jobs)
        return
    # Spawned, not forked: the same on every system, and safe when a caller has threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context) as pool:
        yield from pool.map(work, jobs, chunksize=2)
