"""What the data tools share: one-sentence errors, progress, atomic files, several processes.

The data tools import of the package only its detectors, so these few lines stand here as well.
"""

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


def fail(msg: str) -> NoReturn:
    """End the program with one sentence on stderr and exit code 2.

    Args:
        msg: what is wrong, where, and what to do; no newline.
    """
    print(f"error: {msg}", file=sys.stderr)
    raise SystemExit(2)


def progress(iterable: Iterable[T], label: str, total: int) -> Iterator[T]:
    """Yield the items of `iterable`; show on stderr how many of `total` are done and the time left.

    On a terminal one line is redrawn; elsewhere a plain line comes about every tenth of the way.
    """
    start, drawn, step = time.monotonic(), 0.0, max(1, total // 10)
    live = sys.stderr.isatty()
    for done, item in enumerate(iterable, start=1):
        yield item
        now = time.monotonic()
        if live and (done >= total or now - drawn > 0.1):
            drawn = now
            filled = 24 * min(done, total) // max(1, total)
            left = (now - start) / done * max(0, total - done)
            bar = "#" * filled + "-" * (24 - filled)
            end = "\n" if done == total else ""
            sys.stderr.write(f"\r{label} [{bar}] {done}/{total}, {left:.0f} s left {end}")
            sys.stderr.flush()
        elif not live and (done == total or done % step == 0):
            print(f"{label}: {done}/{total}, {now - start:.0f} s", file=sys.stderr, flush=True)


@contextlib.contextmanager
def atomic_file(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path` (same suffix), renamed to `path` on success.

    When the block raises, the temporary file is removed and an older `path` is left as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(suffix=path.suffix, prefix=f".{path.stem}.", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o666 & ~_umask())  # mkstemp makes private files
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`, renamed to `path` on success.

    An older folder at `path` stays whole until the new one is complete, then is replaced; when the
    block raises, the temporary folder is removed and the older one is left as it was.
    """
    path = Path(os.path.abspath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield part
        part.chmod(0o777 & ~_umask())  # mkdtemp makes private folders
        if path.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
            os.replace(path, old / path.name)
            try:
                os.replace(part, path)
            except BaseException:  # an interrupt too: the older result goes back first
                os.replace(old / path.name, path)
                raise
            finally:
                shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def read_json(path: Path) -> dict[str, Any]:
    """JSON, or nothing where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON, whole or not at all."""
    with atomic_file(path) as part:
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def in_processes(
    work: Callable[..., T],
    jobs: list[tuple],
    workers: int,
    start: tuple[Any, ...],
    stop: Callable[[], object] = lambda: None,
) -> Iterator[T]:
    """Yield `work(*job)` for all jobs, as they come, done in so many processes.

    Args:
        work: a function of a module (it is pickled).
        jobs: its arguments.
        workers: processes; with one, or for one job, all is done in this one.
        start: what each new process calls first: a function, and its arguments. It decides what
            SIGINT does there, as Ctrl-C goes to all processes.
        stop: called in this process when an error or Ctrl-C ends the work, before the running jobs
            are waited for.
    """
    if workers <= 1 or len(jobs) <= 1:
        yield from (work(*job) for job in jobs)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the processes share the machine by jobs
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(workers, len(jobs)), mp_context=context, initializer=start[0], initargs=start[1:]
    ) as pool:
        # A process that is just being started would complain of Ctrl-C.
        heeded = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            waiting = [pool.submit(work, *job) for job in jobs]
        finally:
            signal.signal(signal.SIGINT, heeded)
        try:
            for done in as_completed(waiting):
                yield done.result()
        except BaseException:
            stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
