"""Sample data of the task `pose`: synthetic people in the DeepFashion layout, with exact flow.

Every file depends on the seed, the split, the person and the view alone, so the folder is the same
whatever the number of processes, and a larger one begins like a smaller one.
"""

import argparse
import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from data_prep.common import fail, progress
from data_prep.people.looks import make_person
from data_prep.people.moves import VIEWS, random_pose, walk
from data_prep.people.render import Backdrop, Scene, annotate, draw, make_scene, pair_truth
from data_prep.samples._shared import real_option, run_jobs, size_option, whole_option

VERSION = 1
SPLITS = {"train": 0, "test": 1}
FIRST_ID = {"train": 1, "test": 90001}  # identities never share a number
DRIVE_FRAMES, DRIVE_CYCLE, DRIVE_FPS = 48, 24, "25/1"


@dataclass(frozen=True)
class Job:
    """One person to draw; `truths` are the pairs (from view, to view) whose flow is written."""

    split: str
    number: int
    views: int
    truths: tuple[tuple[int, int], ...]
    size: tuple[int, int]
    seed: int
    shade: float
    turn: float
    framing: float
    out: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this task's own options."""
    add, count, views = parser.add_argument, whole_option(1, 90000), whole_option(2, 100)
    shade, turn, size = real_option(2.0), real_option(180.0), size_option("96x64")
    add("--size", type=size, default=(96, 64), metavar="HxW", help="picture size (96x64)")
    add("--train-people", type=count, default=160, metavar="N", help="people to train on (160)")
    add("--test-people", type=count, default=16, metavar="M", help="other people, to test (16)")
    add("--views", type=views, default=5, metavar="V", help="pictures per training person (5)")
    add("--test-views", type=views, metavar="V", help="per test person (as --views, at most 4)")
    add("--pairs", type=count, metavar="P", help="test pairs (64, or all when there are fewer)")
    add("--train-pairs", type=count, metavar="P", help="training pairs (all ordered pairs)")
    add("--train-truth", action="store_true", help="write the exact flow of training pairs, too")
    add("--shade", type=shade, default=1.0, help="shading from 0 (textures alone) to 2 (1)")
    add("--turn", type=turn, default=60.0, help="largest turn of the body, degrees (60)")
    help_framing = "how much place and distance differ between pictures, 0 to 2 (1)"
    add("--framing", type=shade, default=1.0, help=help_framing)


def make(out: Path, args: argparse.Namespace) -> None:
    """Write the whole data set into the empty folder `out` (layout: docs/conventions.md).

    Args:
        out: an existing folder.
        args: the options of `add_arguments`, `seed` and `workers`.
    """
    jobs: list[Job] = []
    for split in SPLITS:
        train = split == "train"
        people = args.train_people if train else args.test_people
        views = args.views if train else args.test_views or min(args.views, 4)
        pairs = _pairs(split, people, views, args.train_pairs if train else args.pairs)
        _write_pairs(out, split, pairs)
        (out / split).mkdir()
        with_truth = args.train_truth or not train
        if with_truth:
            (out / f"{split}_truth").mkdir()
        for number in range(people):
            truths = tuple((a, b) for n, a, b in pairs if n == number and with_truth)
            options = (args.size, args.seed, args.shade, args.turn, args.framing, str(out))
            jobs.append(Job(split, number, views, truths, *options))
    rows: dict[str, list[str]] = {split: [] for split in SPLITS}
    drawn = progress(run_jobs(draw_person, jobs, args.workers), "people", len(jobs))
    for job, lines in zip(jobs, drawn, strict=True):
        rows[job.split] += lines
    for split, lines in rows.items():
        text = "\n".join(["name:keypoints_y:keypoints_x", *lines, ""])
        (out / f"fashion-annotation-{split}.csv").write_text(text, encoding="utf-8")
    _write_drive(out, args.size, args.seed)


def summary(out: Path) -> str:
    """One line on what `out` holds."""
    counts = {split: len(list((out / split).glob("*.png"))) for split in SPLITS}
    truths = len(list((out / "test_truth").glob("*.npz")))
    return f"{counts['train']} training and {counts['test']} test pictures, {truths} exact flows"


def file_name(split: str, number: int, view: int) -> str:
    """Name of a picture, e.g. person00001v0.png (no `_`: pairs are named `<from>_2_<to>`)."""
    return f"person{FIRST_ID[split] + number:05d}v{view}.png"


def scenes(job: Job) -> list[tuple[Scene, Backdrop, np.random.Generator]]:
    """The views of a job's person: scene, backdrop, generator of what else is random in it."""
    key = [job.seed, SPLITS[job.split], job.number]
    rng = np.random.default_rng(key)
    person = make_person(rng)
    tint = rng.uniform(0.66, 0.96) + rng.normal(0, 0.025, 3)
    found = []
    for index in range(job.views):
        view = np.random.default_rng([*key, 1 + index])
        kind = str(view.choice(list(VIEWS), p=list(VIEWS.values())))
        pose = random_pose(view, kind, job.turn)
        scene = make_scene(person, pose, job.size, *_framing(job, view))
        tops = np.clip(tint + view.normal(0, 0.012) + view.uniform(0, 0.04), 0, 1)
        bottoms = np.clip(tint - view.uniform(0.02, 0.12), 0, 1)
        top, bottom = (tuple(float(v) for v in c) for c in (tops, bottoms))
        found.append((scene, Backdrop(top, bottom), view))
    return found


def _framing(job: Job, rng: np.random.Generator) -> tuple[tuple[float, float], float]:
    """Where and how large a body stands: shift (x, y) in pixels, zoom."""
    height, width = job.size
    x, y = rng.normal(0, 0.02 + 0.08 * job.framing), rng.normal(0, 0.005 + 0.02 * job.framing)
    zoom = rng.uniform(0.95 - 0.2 * job.framing, 1.02 + 0.06 * job.framing)
    return (x * width, y * height), zoom


def draw_person(job: Job) -> list[str]:
    """Write one person's pictures and truths; returns the annotation rows."""
    out, rows = Path(job.out), []
    views = scenes(job)
    for index, (scene, backdrop, rng) in enumerate(views):
        name = file_name(job.split, job.number, index)
        Image.fromarray(draw(scene, backdrop, job.shade)).save(out / job.split / name)
        points, shown = annotate(scene, rng)
        xy = np.where(shown[:, None], np.rint(points), -1).astype(int)
        xy = np.minimum(xy, np.array(job.size)[::-1] - 1)  # x.5 rounds up at the very edge
        rows.append(f"{name}:{json.dumps(xy[:, 1].tolist())}:{json.dumps(xy[:, 0].tolist())}")
    for a, b in job.truths:
        truth = pair_truth(views[a][0], views[b][0])
        first, second = (Path(file_name(job.split, job.number, v)).stem for v in (a, b))
        np.savez_compressed(
            out / f"{job.split}_truth" / f"{first}_2_{second}.npz",
            flow=truth.flow,
            visible=truth.visible,
            foreground=truth.foreground,
            source_foreground=truth.source_foreground,
        )
    return rows


def _pairs(split: str, people: int, views: int, wanted: int | None) -> list[tuple[int, int, int]]:
    """`wanted` ordered pairs (person, from view, to view), spread evenly over people."""
    per_person = list(itertools.permutations(range(views), 2))
    # Step through a person's pairs with a stride so that few pairs still cover many views.
    stride = next(s for s in range(views + 1, 10**6) if np.gcd(s, len(per_person)) == 1)
    turns = range(len(per_person))
    chosen = [
        (n, *per_person[(t * stride + n) % len(per_person)]) for t in turns for n in range(people)
    ]
    if wanted is None:
        return sorted(chosen if split == "train" else chosen[:64])
    if wanted > len(chosen):
        option = "--train-pairs" if split == "train" else "--pairs"
        fail(
            f"{option} {wanted} is more than the {len(chosen)} {split} pairs of {people} people "
            f"with {views} views: ask for fewer pairs or more views"
        )
    return sorted(chosen[:wanted])


def _write_pairs(out: Path, split: str, pairs: list[tuple[int, int, int]]) -> None:
    lines = [f"{file_name(split, n, a)},{file_name(split, n, b)}" for n, a, b in pairs]
    text = "\n".join(["from,to", *lines, ""])
    (out / f"fashion-pairs-{split}.csv").write_text(text, encoding="utf-8")


def _write_drive(out: Path, size: tuple[int, int], seed: int) -> None:
    """A walking, turning body: keypoints [T,18,3] (x, y, visible), (-1, -1, 0) where hidden."""
    person = make_person(np.random.default_rng([seed, len(SPLITS), 0]))
    frames = np.zeros((DRIVE_FRAMES, 18, 3), np.float32)
    for t in range(DRIVE_FRAMES):
        yaw = 40.0 * np.sin(2 * np.pi * t / DRIVE_FRAMES)
        scene = make_scene(person, walk(2 * np.pi * t / DRIVE_CYCLE, yaw), size)
        points, shown = annotate(scene)
        frames[t] = np.concatenate([points, shown[:, None]], axis=1)
        frames[t, ~shown] = (-1.0, -1.0, 0.0)
    np.savez_compressed(out / "drive.npz", keypoints=frames, fps=np.array(DRIVE_FPS))
