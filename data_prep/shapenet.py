"""Meshes to views around the objects, for `configs/view_synthesis`.

    python data_prep/shapenet.py --raw ShapeNetCore/02958343 --out data/cars --workers 8
    python data_prep/shapenet.py --raw MESHES --up z --out data/cars --layout hdf5 --category car
    python data_prep/shapenet.py --out data/cars --check

Reads OBJ, GLB and PLY with their colours and textures. It can be interrupted, or killed, and run
again, and be divided among machines by `--shard`.
"""

import argparse
import csv
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NoReturn

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from data_prep.common import atomic_file, fail, in_processes, progress, read_json, write_json
from data_prep.meshes.cameras import view_name
from data_prep.meshes.points import has_points
from data_prep.meshes.render import set_threads
from data_prep.shapenet_check import all_reports, check, preview
from data_prep.shapenet_jobs import (
    Job,
    Recipe,
    find_jobs,
    is_done,
    released_pairs,
    run_job,
    run_points,
    run_truth,
)
from data_prep.shapenet_layouts import LAYOUTS, Layout
from data_prep.shapenet_options import parse, recipe_of

Reports = dict[str, dict[str, Any]]


def _each(work: Any, jobs: list[tuple], workers: int) -> Iterator[Any]:
    set_threads(1)  # the processes share the machine by objects
    return in_processes(work, jobs, workers, (_start_process,))


def _start_process() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # may end at any moment, nothing is lost by it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    set_threads(1)


def _end_with_parent() -> None:
    """A parent that is killed cannot say so; its processes would meet those of the next run."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def prepare(options: argparse.Namespace, recipe: Recipe) -> int:
    """Do what is left to do of this shard; returns the exit code, 1 where there is no object."""
    layout: Layout = LAYOUTS[options.layout](options.out, options.category)
    every = find_jobs(options.raw, options.split, options.up, options.front)
    reports = all_reports(layout)
    _refuse_others(layout, recipe, every, reports)
    if read_json(options.out / "cameras.json") != recipe.record():
        write_json(options.out / "cameras.json", recipe.record())
    number, shards = options.shard
    jobs = every[number::shards]
    left = [job for job in jobs if not is_finished(job, layout, recipe, reports)]
    if len(left) < len(jobs):
        print(f"{len(jobs) - len(left)} of {len(jobs)} objects are finished already")
    work = [(job, layout, recipe) for job in left]
    done = _each(run_job, work, options.workers)
    for report in progress(done, "objects", len(left)):
        for note in [*report["notes"], *filter(None, [report["broken"]])]:
            print(f"{report['source']}: {note}")
    if shards > 1:
        print(f"shard {number}/{shards} is done; after all of them run this without --shard")
        return 0
    return _finish(options, layout, recipe, every)


def is_finished(job: Job, layout: Layout, recipe: Recipe, reports: Reports) -> bool:
    """Whether an object was rendered with the same options, and its views are there."""
    report = reports.get(job.name, {})
    if report.get("broken") or not is_done(report, job.wanted(recipe)):
        return False
    return layout.has(job.name, job.phase, recipe.cameras)


def _refuse_others(layout: Layout, recipe: Recipe, jobs: list[Job], reports: Reports) -> None:
    """End the program before it would mix what does not belong together."""
    out, others = layout.out, layout.others()
    old, new = read_json(out / "cameras.json"), recipe.record()
    changed = [key for key in new if old and old.get(key) != new[key]]
    if changed:
        key = changed[0]
        fail(
            f"{out}: was rendered with {key} {old.get(key)}, not {new[key]}; pass the same options "
            "or another --out"
        )
    for job in jobs:
        if job.name in others:
            fail(
                f"{job.path}: would become {job.name}, a name that an object of the category "
                f"{others[job.name]} in {out} has already; pass another --out"
            )
        source = reports.get(job.name, {}).get("source", job.source)
        if source != job.source:
            fail(
                f"{job.path}: would become {job.name}, which {source} is already; pass both "
                "folders to one --raw, or another --out"
            )


def _finish(options: argparse.Namespace, layout: Layout, recipe: Recipe, jobs: list[Job]) -> int:
    """Put the data set together once all objects are there; returns the exit code."""
    reports = all_reports(layout)
    there = {name: report["phase"] for name, report in reports.items() if not report["broken"]}
    layout.finish(there, recipe.cameras)
    tests = [name for name, phase in sorted(there.items()) if phase == "test"]
    _write_pairs(layout.pairs, tests, recipe)
    by_name = {job.name: job for job in jobs}
    missing: dict[str, list[str]] = {}
    if options.truth:
        missing["--truth"] = _make_truth(options, layout, recipe, by_name, tests)
    if options.points:
        trained = [name for name, phase in there.items() if phase == "train"]
        missing["--points"] = _make_points(options, layout, recipe, by_name, trained)
    layout.tidy(reports)
    total = {
        "objects": len(there),
        "train": len(there) - len(tests),
        "test": len(tests),
        "views": len(there) * len(recipe.cameras),
        "seconds": round(sum(report["seconds"] for report in reports.values()), 1),
        "untextured": sorted(name for name in there if not reports[name]["textured"]),
        "grey": sorted(name for name in there if reports[name]["grey"]),
        "up_guessed": sorted(name for name in there if reports[name]["up_guessed"]),
        "broken": {r["source"]: r["broken"] for r in reports.values() if r["broken"]},
        "notes": {r["source"]: r["notes"] for r in reports.values() if r["notes"]},
    }
    write_json(layout.report, total)
    _say(total, layout.report)
    for option, names in missing.items():
        if names:
            _say_missing(options.out, option, names)
    return 0 if there and not any(missing.values()) else 1


def _say(total: dict[str, Any], path: Path) -> None:
    """Print what came out."""
    counts = {key: len(total[key]) for key in ("untextured", "grey", "up_guessed", "broken")}
    print(
        f"{total['train']} training and {total['test']} test objects, {total['views']} views, "
        f"{counts['untextured']} objects without a texture, {counts['grey']} wholly or partly grey "
        f"for want of a colour, {counts['broken']} meshes left out: {path}"
    )
    if counts["up_guessed"]:
        print(
            f"{counts['up_guessed']} meshes do not show which axis points up, y was taken: look at "
            "--preview, and pass --up z where they lie on their sides"
        )
    if not total["objects"]:
        print(f"error: no view was made, {path} says why of each mesh", file=sys.stderr)


def _say_missing(out: Path, option: str, names: list[str]) -> None:
    """Print which objects lack what was asked for, as their meshes are not at hand."""
    which = f"{len(names)} objects ({', '.join(names[:3])}{', ...' * (len(names) > 3)})"
    what = {"--truth": "exact flow of their pairs", "--points": "points"}[option]
    print(
        f"error: {out}: {which} lack the {what} as their meshes are not in this --raw; pass all "
        f"folders to one --raw, or run the earlier ones once more with {option}",
        file=sys.stderr,
    )


def _write_pairs(path: Path, tests: list[str], recipe: Recipe) -> None:
    with atomic_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["object", "from", "to"])
        for number, name in enumerate(tests):
            for source, target in released_pairs(number, recipe):
                rows.writerow([name, view_name(source), view_name(target)])


def _make_truth(
    options: argparse.Namespace,
    layout: Layout,
    recipe: Recipe,
    jobs: dict[str, Job],
    tests: list[str],
) -> list[str]:
    """Write the exact flow of the test objects that have none, or that of other pairs.

    Returns:
        the objects that would need one, but whose meshes are not in this run.
    """
    lacking = []
    for number, name in enumerate(tests):
        wanted = (f"{view_name(a)}_2_{view_name(b)}" for a, b in released_pairs(number, recipe))
        if not all((layout.truth(name) / f"{stem}.npz").exists() for stem in wanted):
            lacking.append((name, number))
    work = [(jobs[name], number, layout, recipe) for name, number in lacking if name in jobs]
    for _ in progress(_each(run_truth, work, options.workers), "exact flow", len(work)):
        pass
    return [name for name, _ in lacking if name not in jobs]


def _make_points(
    options: argparse.Namespace,
    layout: Layout,
    recipe: Recipe,
    jobs: dict[str, Job],
    trained: list[str],
) -> list[str]:
    """Mark surface points of the training objects that have none, or another number.

    Returns:
        the objects that would need them, but whose meshes are not in this run.
    """
    lacking = [name for name in trained if not has_points(layout.points(name), options.points)]
    work = [(jobs[name], options.points, layout, recipe) for name in lacking if name in jobs]
    for _ in progress(_each(run_points, work, options.workers), "points", len(work)):
        pass
    return [name for name in lacking if name not in jobs]


def inspect(options: argparse.Namespace) -> int:
    """Check or show a rendered data set; returns the exit code."""
    layout: Layout = LAYOUTS[options.layout](options.out, options.category)
    if not all_reports(layout):
        fail(f"{options.out}: holds no object of --layout {options.layout}; render some first")
    wrong: list[str] = []
    if options.check:
        wrong = check(layout)
        for job in find_jobs(options.raw, "1", "auto", "auto") if options.raw else ():
            if not (layout.reports / f"{job.name}.json").exists():
                wrong.append(f"{job.path}: has not been done")
        for sentence in wrong:
            print(sentence)
        print(f"{len(wrong)} things are missing or odd" if wrong else "complete")
    if options.preview:
        preview(layout, options.preview)
    return 1 if wrong else 0


def _give_up(options: argparse.Namespace, error: OSError) -> NoReturn:
    """End the program at a file that cannot be read or written."""
    place = Path(error.filename or options.out)
    raw = any(place.is_relative_to(folder) for folder in options.raw or ())
    if raw and not place.is_relative_to(options.out):
        fail(f"--raw {place}: cannot be read ({error}), make it readable or remove it")
    fail(f"{options.out}: cannot be written ({error}), free some space or choose another --out")


def main(argv: list[str] | None = None) -> int:
    """Render, check or show; returns the exit code."""
    options = parse(argv)
    try:
        if options.inspects:
            return inspect(options)
        code = prepare(options, recipe_of(options))
        if options.preview and code == 0 and options.shard[1] == 1:
            preview(LAYOUTS[options.layout](options.out, options.category), options.preview)
        return code
    except BrokenProcessPool:
        fail("a process was killed (out of memory?), pass fewer --workers and run this again")
    except OSError as error:
        _give_up(options, error)
    except KeyboardInterrupt:
        print("error: interrupted, run this again to go on", file=sys.stderr)
        return 130  # as shells say of a program that SIGINT ended


if __name__ == "__main__":
    raise SystemExit(main())
