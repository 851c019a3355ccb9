"""Make a task's embedded sample data: `python data_prep/make_samples.py --task pose --out DIR`.

A task is a file `data_prep/samples/<task>.py` with `add_arguments(parser)` and `make(out, args)`,
and perhaps `VERSION` (a new one when its files change) and `summary(out)` (one line to print).
"""

import argparse
import importlib
import json
import os
import shlex
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # started as a file: import from the checkout, not from its own folder

from data_prep.common import atomic_folder, fail  # noqa: E402

NOTE = "samples.json"
OWN = ("task", "out", "seed", "workers", "force")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        fail(message)


def task_names() -> list[str]:
    """The tasks found on disk."""
    files = (ROOT / "data_prep" / "samples").glob("*.py")
    return sorted(file.stem for file in files if not file.stem.startswith("_"))


def load_task(name: str) -> ModuleType:
    """The module of a task; an unknown name ends the program with one sentence."""
    if name not in task_names():
        fail(f"--task {name!r} has no sample data, choose one of: {', '.join(task_names())}")
    return importlib.import_module(f"data_prep.samples.{name}")


def parse(argv: list[str] | None) -> tuple[ModuleType | None, argparse.Namespace]:
    """Parse the common options, then those that the task's module declares."""
    first = _Parser(description=__doc__.splitlines()[0], add_help=False, allow_abbrev=False)
    first.add_argument("--task", required=True, help=f"one of: {', '.join(task_names())}")
    if argv is None:
        argv = sys.argv[1:]
    asks_help = bool({"-h", "--help"} & set(argv))
    task = None
    if not asks_help or "--task" in " ".join(argv):
        task = load_task(first.parse_known_args(argv)[0].task)
    parser = _Parser(description=__doc__.splitlines()[0], parents=[first], allow_abbrev=False)
    parser.add_argument("--out", required=True, type=Path, help="folder to make")
    parser.add_argument("--seed", type=int, default=0, help="other seed, other people (0)")
    parser.add_argument("--workers", type=int, default=_processors(), help="processes to use")
    parser.add_argument("--force", action="store_true", help="replace other sample data in --out")
    if task is not None:
        task.add_arguments(parser.add_argument_group(f"options of {task.__name__.split('.')[-1]}"))
    return task, parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Make the sample data, or re-use what the same arguments made; returns the exit code."""
    task, args = parse(argv)
    if task is None or args.seed < 0:
        fail(f"--seed {args.seed} is negative, give a whole number from 0 on")
    note = _note(task, args)
    try:
        if not _reusable(args.out, note, args.force):
            with atomic_folder(args.out) as part:
                task.make(part, args)
                note["files"] = _count(part)
                (part / NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
            print(f"made {args.out}", end="")
        else:
            print(f"re-used {args.out} (same arguments)", end="")
    except OSError as error:
        print(file=sys.stderr)
        fail(f"cannot write {args.out} ({error.strerror or error}), choose another --out")
    print(f": {task.summary(args.out)}" if hasattr(task, "summary") else "")
    return 0


def _note(task: ModuleType, args: argparse.Namespace) -> dict[str, Any]:
    """What decides the files' content, as it stands in JSON."""
    options = {k: v for k, v in sorted(vars(args).items()) if k not in OWN}
    note = {
        "task": args.task,
        "version": getattr(task, "VERSION", 1),
        "seed": args.seed,
        "options": options,
    }
    return json.loads(json.dumps(note, default=str))


def _reusable(out: Path, note: dict[str, Any], force: bool) -> bool:
    """True: `out` holds these very data; False: it may be made. Anything else ends the program."""
    if out.exists() and not out.is_dir():
        fail(f"--out {out} is a file, name a folder")
    if not out.exists() or not any(out.iterdir()):
        return False
    file = out / NOTE
    if not file.is_file():
        fail(f"--out {out} holds files that are no sample data, choose another folder")
    try:
        old = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        old = {}
    whole = isinstance(old, dict) and old.pop("files", -1) == _count(out) - 1
    if old == note and whole and not force:
        return True
    if not force:
        why = "lacks some of its files" if old == note else "was made with other arguments"
        fail(f"--out {shlex.quote(str(out))} {why}, choose another folder or pass --force")
    return False


def _count(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file())


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    raise SystemExit(main())
