"""Raw videos of talking people to face clips with 68 landmarks, for `configs/face`.

    python data_prep/faceforensics.py --raw VIDEOS --out data/faces --phase train --size 256 \
        --detector-weights 2DFAN4.pth s3fd.pth
    python data_prep/faceforensics.py --out data/faces --check

Each video is read, its largest face is followed up to the first cut, and becomes a square clip that
stands still (with --keep-after-jumps every later scene becomes one, too). It can be interrupted
and run again, and be divided among machines by `--shard`.
"""

import argparse
import importlib
import multiprocessing
import shlex
import signal
import sys
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from data_prep.common import fail, in_processes, progress, read_json, write_json
from data_prep.face_check import check, find_layouts, preview
from data_prep.face_clips import Recipe, prepare_video
from data_prep.face_layouts import LAYOUTS, remove_clip
from data_prep.face_options import parse, recipe_of
from gfla_video.detectors import FaceDetector, UserError, build_face_detector

SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")
_DETECTORS: dict[Recipe, FaceDetector] = {}  # one per process
_OVER: list[Event] = []  # in worker processes: set when the program is to end


@dataclass(frozen=True)
class Job:
    """One raw video and the name of what is made of it."""

    path: Path
    name: str


def find_jobs(raw: Path, names: Path | None) -> list[Job]:
    """The raw videos, by name.

    Args:
        raw: folder of videos; of one in a sub-folder, the folder's name and `__` stand in front.
        names: text file with one `FILE [NAME]` per line, in or without which all are taken.
    """
    paths = sorted(path for path in raw.rglob("*") if path.suffix.lower() in SUFFIXES)
    jobs = {
        path.relative_to(raw).as_posix(): Job(
            path, "__".join(path.relative_to(raw).with_suffix("").parts)
        )
        for path in paths
    }
    if names is not None:
        jobs = _chosen(jobs, names)
    if not jobs:
        fail(f"{raw}: holds no video ({', '.join(SUFFIXES)}), pass the folder that does")
    seen: dict[str, Job] = {}
    for job in jobs.values():
        if job.name in seen:
            fail(f"{job.path} and {seen[job.name].path} would both become {job.name}, rename one")
        seen[job.name] = job
    return list(seen.values())


def _chosen(jobs: dict[str, Job], names: Path) -> dict[str, Job]:
    chosen = {}
    try:
        lines = [shlex.split(line, comments=True) for line in names.read_text("utf-8").splitlines()]
    except (OSError, ValueError) as error:
        fail(f"--names {names}: cannot be read ({error}), pass a text of lines 'FILE [NAME]'")
    for number, cells in enumerate(lines, start=1):
        if not cells:
            continue
        job = jobs.get(cells[0])
        if job is None or len(cells) > 2 or "/" in "".join(cells[1:]):
            line = " ".join(cells)
            fail(f"{names} line {number}: expected 'FILE [NAME]' with a video of --raw: {line!r}")
        chosen[cells[0]] = Job(job.path, cells[1] if len(cells) == 2 else job.name)
    return chosen


def report_path(out: Path, phase: str, name: str) -> Path:
    """Where the report of one video lies; written last, it marks the video as finished."""
    return out / "reports" / phase / f"{name}.json"


def is_finished(job: Job, out: Path, phase: str, recipe: Recipe) -> bool:
    """Whether a video was done with the same recipe and its clips are there."""
    old = read_json(report_path(out, phase, job.name))
    if old.get("recipe") != recipe.record() or old.get("bytes") != job.path.stat().st_size:
        return False
    layout = LAYOUTS[recipe.layout](out, phase)
    return all(file.exists() for clip in old["clips"] for file in layout.files(clip["name"]))


def run_job(job: Job, out: Path, phase: str, recipe: Recipe) -> dict[str, Any]:
    """Do one video in this process, and write its report."""
    if recipe not in _DETECTORS:
        _DETECTORS[recipe] = build_detector(recipe)
    path = report_path(out, phase, job.name)
    forget(path, out, phase)
    detector = _DETECTORS[recipe]
    report = prepare_video(job.path, job.name, out, phase, recipe, detector, _is_over)
    report |= {"name": job.name, "recipe": recipe.record()}
    write_json(path, report)
    return report


def build_detector(recipe: Recipe) -> FaceDetector:
    """Build the recipe's detector, after importing what registers it."""
    for module in recipe.modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UserError(f"--import {module}: cannot be imported ({error})") from error
    return build_face_detector(recipe.detector, recipe.weights, recipe.device)


def forget(path: Path, out: Path, phase: str) -> None:
    """Remove a video's report and the clips that it names, as they are to be made anew."""
    old = read_json(path)
    path.unlink(missing_ok=True)
    for clip in old.get("clips", ()):
        remove_clip(LAYOUTS[old["recipe"]["layout"]](out, phase), clip["name"])


def run_jobs(
    jobs: list[Job], out: Path, phase: str, recipe: Recipe, workers: int
) -> Iterator[dict[str, Any]]:
    """Do the videos, several at a time, and yield their reports as they come."""
    over = multiprocessing.get_context("spawn").Event()  # Ctrl-C: this process tells the others
    work = [(job, out, phase, recipe) for job in jobs]
    yield from in_processes(run_job, work, workers, (_start_process, over), over.set)


def _start_process(over: Event) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _OVER.append(over)


def _is_over() -> bool:
    return any(over.is_set() for over in _OVER)


def collect(out: Path, phase: str) -> dict[str, Any]:
    """Write `OUT/report-<phase>.json` from the reports of all videos there are, and return it."""
    reports = [read_json(path) for path in sorted((out / "reports" / phase).glob("*.json"))]
    skipped = {r["source"]: r["skipped"] for r in reports if r["skipped"]}
    total = {
        "videos": len(reports),
        "clips": sum(len(r["clips"]) for r in reports),
        "frames": sum(r["frames"] for r in reports),
        "frames_without_face": sum(r["no_face"] for r in reports),
        "clip_frames": sum(clip["frames"] for r in reports for clip in r["clips"]),
        "scenes_left_out_after_jumps": sum(r.get("after_jumps", 0) for r in reports),
        "skipped": skipped,
        "per_video": {r["name"]: {k: r[k] for k in _SHOWN} for r in reports},
    }
    write_json(out / f"report-{phase}.json", total)
    return total


_SHOWN = ("source", "frames", "no_face", "clips", "notes", "skipped")


def prepare(options: argparse.Namespace, recipe: Recipe) -> int:
    """Do what is left to do of this shard; returns the exit code, 1 where there is no clip."""
    number, shards = options.shard
    jobs = find_jobs(options.raw, options.names)[number::shards]
    left = [job for job in jobs if not is_finished(job, options.out, options.phase, recipe)]
    if len(left) < len(jobs):
        print(f"{len(jobs) - len(left)} of {len(jobs)} videos are finished already")
    try:
        if left:
            build_detector(recipe)  # what is missing is said here, before processes are started
        reports = run_jobs(left, options.out, options.phase, recipe, options.workers)
        for report in progress(reports, "videos", len(left)):
            for note in [*report["notes"], *filter(None, [report["skipped"]])]:
                print(f"{report['source']}: {note}")
    except UserError as error:
        fail(str(error))
    except BrokenProcessPool:
        fail("a process was killed (out of memory?), pass fewer --workers and run this again")
    except OSError as error:
        fail(f"{options.out}: cannot be written ({error}), free some space or choose another --out")
    total = collect(options.out, options.phase)
    report = options.out / f"report-{options.phase}.json"
    print(
        f"{total['clips']} clips of {total['clip_frames']} frames from {total['videos']} videos, "
        f"{total['frames_without_face']} of {total['frames']} frames without a face, "
        f"{total['scenes_left_out_after_jumps']} scenes after jumps left out, "
        f"{len(total['skipped'])} videos skipped: {report}"
    )
    if jobs and not total["clips"]:  # a shard may have no video, that is no fault
        print(f"error: no clip was made, {report} says why of each video", file=sys.stderr)
        return 1
    return 0


def inspect(options: argparse.Namespace) -> int:
    """Check or show a prepared data set; returns the exit code."""
    layouts = find_layouts(options.out, options.phase)
    done = sorted((options.out / "reports").glob(f"{options.phase or '*'}/*.json"))
    if not layouts and not (options.check and done):
        phase = f" of the phase {options.phase}" if options.phase else ""
        fail(f"{options.out}: holds no clip{phase}; prepare it first")
    wrong: list[str] = []
    if options.check:
        wrong = check(layouts)
        if not layouts:
            wrong = [f"{options.out}: holds no clip, though {len(done)} videos were done"]
            wrong += [_why_no_clip(read_json(path), path) for path in done]
        if options.raw:
            names = {path.stem for path in done}
            jobs = find_jobs(options.raw, options.names)
            wrong += [f"{job.path}: has not been done" for job in jobs if job.name not in names]
        for sentence in wrong:
            print(sentence)
        print(f"{len(wrong)} things are missing or odd" if wrong else "complete")
    if options.preview and layouts:
        preview(layouts, options.preview)
    return 1 if wrong else 0


def _why_no_clip(report: dict[str, Any], path: Path) -> str:
    lost = "its clips are no longer there, run the preparation again"
    return f"{report.get('source', path.stem)}: {report.get('skipped') or lost}"


def main(argv: list[str] | None = None) -> int:
    """Prepare, check or show; returns the exit code."""
    options = parse(argv)
    if options.raw and not options.raw.is_dir():
        fail(f"{options.raw}: there is no such folder; correct the path")
    try:
        if options.inspects:
            return inspect(options)
        code = prepare(options, recipe_of(options))
        if options.preview and code == 0:
            preview(find_layouts(options.out, options.phase), options.preview)
        return code
    except KeyboardInterrupt:
        print("error: interrupted, run this again to go on", file=sys.stderr)
        return 130  # as shells say of a program that SIGINT ended


if __name__ == "__main__":
    raise SystemExit(main())
