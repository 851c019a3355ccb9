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
import json
import multiprocessing
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from data_prep.common import atomic_file, fail, progress
from data_prep.face_check import check, find_layouts, preview
from data_prep.face_clips import Recipe, prepare_video
from data_prep.face_layouts import LAYOUTS, remove_clip
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
    old = _read_report(report_path(out, phase, job.name))
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
    old = _read_report(path)
    path.unlink(missing_ok=True)
    for clip in old.get("clips", ()):
        remove_clip(LAYOUTS[old["recipe"]["layout"]](out, phase), clip["name"])


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON, whole or not at all."""
    with atomic_file(path) as part:
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def run_jobs(
    jobs: list[Job], out: Path, phase: str, recipe: Recipe, workers: int
) -> Iterator[dict[str, Any]]:
    """Do the videos, several at a time, and yield their reports as they come."""
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            yield run_job(job, out, phase, recipe)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the processes share the machine by videos
    context = multiprocessing.get_context("spawn")
    over = context.Event()
    with ProcessPoolExecutor(
        min(workers, len(jobs)), mp_context=context, initializer=_start_process, initargs=(over,)
    ) as pool:
        # Ctrl-C goes to all processes: this one heeds it and tells the others, once they started.
        heeded = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            waiting = [pool.submit(run_job, job, out, phase, recipe) for job in jobs]
        finally:
            signal.signal(signal.SIGINT, heeded)
        try:
            for done in as_completed(waiting):
                yield done.result()
        except BaseException:
            over.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start_process(over: Event) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _OVER.append(over)


def _is_over() -> bool:
    return any(over.is_set() for over in _OVER)


def collect(out: Path, phase: str) -> dict[str, Any]:
    """Write `OUT/report-<phase>.json` from the reports of all videos there are, and return it."""
    reports = [_read_report(path) for path in sorted((out / "reports" / phase).glob("*.json"))]
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


def _read_report(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def prepare(options: argparse.Namespace, recipe: Recipe) -> None:
    """Do what is left to do of this shard."""
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
    except KeyboardInterrupt:
        fail("interrupted, run this again to go on")
    total = collect(options.out, options.phase)
    print(
        f"{total['clips']} clips of {total['clip_frames']} frames from {total['videos']} videos, "
        f"{total['frames_without_face']} of {total['frames']} frames without a face, "
        f"{total['scenes_left_out_after_jumps']} scenes after jumps left out, "
        f"{len(total['skipped'])} videos skipped: {options.out / f'report-{options.phase}.json'}"
    )


def inspect(options: argparse.Namespace) -> int:
    """Check or show a prepared data set; returns the exit code."""
    layouts = find_layouts(options.out, options.phase)
    wrong: list[str] = []
    if options.check:
        wrong = check(layouts)
        if options.raw:
            phases = sorted({layout.phase for layout in layouts})
            wrong += [
                f"{job.path}: has not been done"
                for job in find_jobs(options.raw, options.names)
                if not any(report_path(options.out, p, job.name).is_file() for p in phases)
            ]
        for sentence in wrong:
            print(sentence)
        print(f"{len(wrong)} things are missing or odd" if wrong else "complete")
    if options.preview:
        preview(layouts, options.preview)
    return 1 if wrong else 0


def _shard(text: str) -> tuple[int, int]:
    """`2/8` as (2, 8), counted from 0."""
    number, shards = (int(part) for part in text.split("/"))
    if not 0 <= number < shards:
        raise ValueError(text)
    return number, shards


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    own = Recipe()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    add = parser.add_argument
    add("--raw", type=Path, help="folder of the raw videos")
    add("--out", type=Path, required=True, help="where to make the data set")
    add("--phase", help="part of the data set (train; all of them with --check and --preview)")
    add("--names", type=Path, metavar="FILE", help="only these: lines of 'FILE [NAME]'")
    add("--size", type=int, default=own.size, help=f"side of the clips, even ({own.size})")
    add(
        "--layout",
        choices=sorted(LAYOUTS),
        default=own.layout,
        help="mp4 + npz, or pictures + texts",
    )
    add("--detector", default=own.detector, help=f"registered face detector ({own.detector})")
    add("--detector-weights", nargs="+", default=[], metavar="FILE", help="its model files")
    add(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="import this first, where it registers the detector",
    )
    add("--device", default=own.device, help="where it runs (cpu)")
    add("--batch", type=int, default=own.batch, help="frames per call of the detector")
    add("--workers", type=int, default=1, help="processes, one video each at a time (1)")
    add(
        "--shard", type=_shard, default=(0, 1), metavar="I/N", help="every N-th video from I = 0 on"
    )
    add("--margin", type=float, default=own.margin, help="around the face, in parts of it")
    add("--smooth", type=float, default=own.smoothing, help="of landmarks, in frames; 0 = off")
    add("--min-found", type=float, default=own.min_found, help="least part of frames with a face")
    add("--min-frames", type=int, default=own.min_frames, help="least length of a clip")
    add("--max-frames", type=int, default=0, help="read so many frames of a video (0 = all)")
    add(
        "--keep-after-jumps",
        action="store_true",
        help="also make clips behind cuts and jumps: only where each video shows one person",
    )
    add("--check", action="store_true", help="only say what of OUT is missing or odd (exit code 1)")
    add("--preview", type=Path, metavar="PNG", help="draw clips of OUT with their landmarks")
    options = parser.parse_args(argv)
    options.inspects = options.check or (options.preview and not options.raw)
    if not options.inspects and not options.raw:
        parser.error("pass --raw, --check or --preview")
    if not options.inspects:
        options.phase = options.phase or "train"
    return options


def recipe_of(options: argparse.Namespace) -> Recipe:
    """The recipe that the command line asks for."""
    if options.size < 2 or options.size % 2:
        fail(f"--size {options.size}: an H.264 picture has even sides, pass an even number")
    return Recipe(
        size=options.size,
        layout=options.layout,
        detector=options.detector,
        weights=tuple(options.detector_weights),
        modules=tuple(options.modules),
        device=options.device,
        batch=options.batch,
        margin=options.margin,
        smoothing=options.smooth,
        min_found=options.min_found,
        min_frames=options.min_frames,
        max_frames=options.max_frames,
        keep_after_jumps=options.keep_after_jumps,
    )


def main(argv: list[str] | None = None) -> int:
    """Prepare, check or show; returns the exit code."""
    options = parse(argv)
    if options.raw and not options.raw.is_dir():
        fail(f"{options.raw}: there is no such folder; correct the path")
    if options.inspects:
        return inspect(options)
    prepare(options, recipe_of(options))
    if options.preview:
        preview(find_layouts(options.out, options.phase), options.preview)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
