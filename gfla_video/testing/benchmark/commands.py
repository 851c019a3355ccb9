"""The four commands: which cases they have, and the report that holds their results."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gfla_video.testing.benchmark.cases import (
    DTYPES,
    Case,
    Settings,
    measure_case,
    native_problem,
    threads,
)
from gfla_video.testing.benchmark.floors import Rates
from gfla_video.testing.benchmark.machine import describe
from gfla_video.testing.benchmark.op import gather_cases
from gfla_video.utils.cli import keep_freed_memory
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import ensure_writable_folder, write_json

SCHEMA = 1


def benchmark(
    command: str,
    settings: Settings,
    json_file: Path | str | None = None,
    say: Callable[[str], object] = lambda text: print(text, file=sys.stderr, flush=True),
) -> dict[str, Any]:
    """Measure one command's cases.

    Args:
        command: one of ``COMMANDS``.
        settings: of the run.
        json_file: written after every case, so that a run that is stopped leaves what it has.
        say: told what is being measured.

    Returns:
        Plain data: ``command``, ``settings``, ``date``, ``machine``, ``versions``,
        ``native_build``, ``native``, ``rates``, ``cases``, ``left_out`` (and ``profiles``).

    Raises:
        UserError: no such command, or a package is missing that it cannot do without.
    """
    if command not in COMMANDS:
        raise UserError(f"{command}: there are the benchmarks {', '.join(COMMANDS)}")
    usual, cases = COMMANDS[command]
    if json_file is not None:
        ensure_writable_folder(Path(json_file).parent)  # before minutes of measuring
    if settings.keep_memory:
        keep_freed_memory()
    with threads(settings.threads), tempfile.TemporaryDirectory() as folder:
        problem = native_problem(settings.device, DTYPES[settings.dtype])
        rates = Rates(settings.device, settings.quick)
        report: dict[str, Any] = {
            "schema": SCHEMA,
            "command": command,
            "settings": settings.as_dict(),
            **describe(settings.device),
            "native": problem or "available",
            "rates": rates.as_dict(),
            "cases": [],
            "left_out": {},
        }
        for case in _available(command, cases(settings, Path(folder)), report):
            say(f"measuring {case.name}")
            report["cases"].append(measure_case(case, settings, rates, usual))
            report["rates"] = rates.as_dict()
            if json_file is not None:
                write_json(json_file, report)
        if command == "model":
            from gfla_video.testing.benchmark.model import profiles

            say("profiling")
            report["profiles"] = profiles(settings)
        if json_file is not None:
            write_json(json_file, report)
    return report


def _available(command: str, cases: Iterator[Case], report: dict[str, Any]) -> Iterator[Case]:
    """The cases; where a package is missing, the rest is left out and the reason is said."""
    try:
        yield from cases
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("gfla_video"):
            raise
        why = f"{error.name.partition('.')[0]} is not installed here"
        if not report["cases"]:
            raise UserError(f"benchmark {command}: {why}, which it needs") from error
        report["left_out"]["attention block"] = why


def _op(settings: Settings, folder: Path) -> Iterator[Case]:
    yield from gather_cases(settings)
    from gfla_video.testing.benchmark.attention import attention_cases

    yield from attention_cases(settings)


def _model(settings: Settings, folder: Path) -> Iterator[Case]:
    from gfla_video.testing.benchmark.model import model_cases

    yield from model_cases(settings)


def _train(settings: Settings, folder: Path) -> Iterator[Case]:
    from gfla_video.testing.benchmark.train import train_cases

    yield from train_cases(settings)


def _animate(settings: Settings, folder: Path) -> Iterator[Case]:
    from gfla_video.testing.benchmark.animate import animate_cases

    yield from animate_cases(settings, folder)


# the usual number of rounds, and the cases
COMMANDS: dict[str, tuple[int, Callable[[Settings, Path], Iterator[Case]]]] = {
    "op": (15, _op),
    "model": (11, _model),
    "train": (5, _train),
    "animate": (3, _animate),
}
