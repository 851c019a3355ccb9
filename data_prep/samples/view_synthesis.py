"""Sample data of the task `view_synthesis`: painted cars and chairs, all sides, with exact flow.

    train/car00001/020_10.png     azimuth and elevation; chair00001, ...; test/ has its own objects
    cameras.json                  the lens, and which azimuths and elevations there are
    pairs-test.csv                object,from,to: one source view of each test object, to all sides
    test_truth/OBJECT/FROM_2_TO.npz   flow [2,H,W], visible, foreground, source_foreground
    train_points/OBJECT.npz       names [V] of its views, points [V,N,3] (x, y, visible), size

An object and its pictures depend on the options, the seed, the split and the object alone, so the
folder is the same whatever the number of processes, and one of more objects begins like one of
fewer. The source view of the i-th test object is the i-th azimuth, as in the published test.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from data_prep.common import progress, write_json
from data_prep.meshes.cameras import Camera, Lens, view_name
from data_prep.meshes.model import Model
from data_prep.meshes.points import write_points
from data_prep.meshes.render import Scene, set_threads
from data_prep.meshes.truth import pair_truth
from data_prep.objects.car import make_car
from data_prep.objects.chair import make_chair
from data_prep.samples._shared import run_jobs, size_option, whole_option
from data_prep.shapenet_jobs import Recipe, released_pairs

VERSION = 1
SPLITS = {"train": 0, "test": 1}
FIRST_ID = {"train": 1, "test": 90001}  # objects never share a number
KINDS: dict[str, Callable[[np.random.Generator], Model]] = {"car": make_car, "chair": make_chair}


@dataclass(frozen=True)
class Job:
    """One object to draw, and the pairs (from, to) whose flow is written."""

    split: str
    kind: str
    number: int
    recipe: Recipe
    truths: tuple[tuple[Camera, Camera], ...]
    points: int
    seed: int
    out: str

    @property
    def name(self) -> str:
        """The object's name, e.g. car00001."""
        return f"{self.kind}{FIRST_ID[self.split] + self.number:05d}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this task's own options."""
    add, count, views = parser.add_argument, whole_option(1, 9000), whole_option(2, 360)
    tilt, size = whole_option(0, 80), size_option("64x64")
    kinds = list(KINDS)
    add("--size", type=size, default=(64, 64), metavar="HxW", help="picture size (64x64)")
    add("--kinds", nargs="+", choices=kinds, default=kinds, help="of object (car chair)")
    add("--train-objects", type=count, default=60, metavar="N", help="to train on (60)")
    add("--test-objects", type=count, default=10, metavar="M", help="others, to test (10)")
    add("--azimuths", type=views, default=18, metavar="A", help="views round an object (18)")
    help_points = "surface points of each training object, marked in all of its views (128)"
    add("--points", type=whole_option(0, 4096), default=128, metavar="N", help=help_points)
    help_elevations = "degrees above the horizon (0 10 20)"
    add(
        "--elevations", type=tilt, nargs="+", default=[0, 10, 20], metavar="E", help=help_elevations
    )
    add("--pairs", type=views, metavar="P", help="test pairs per object (one per azimuth)")
    squares = [n * n for n in range(1, 9)]
    add("--samples", type=int, choices=squares, default=9, help="rays per pixel, a square (9)")


def make(out: Path, args: argparse.Namespace) -> None:
    """Write the whole data set into the empty folder `out` (layout: at the top of this file).

    Args:
        out: an existing folder.
        args: the options of `add_arguments`, `seed` and `workers`.
    """
    recipe = Recipe(
        lens=lens_of(args.size),
        background=(255, 255, 255),
        azimuths=tuple(360.0 * i / args.azimuths for i in range(args.azimuths)),
        elevations=tuple(sorted({float(e) for e in args.elevations})),
        samples=args.samples,
    )
    jobs: list[Job] = []
    for split, objects in (("train", args.train_objects), ("test", args.test_objects)):
        kinds = sorted(set(args.kinds))
        named = sorted((kinds[i % len(kinds)], i // len(kinds)) for i in range(objects))
        for index, (kind, number) in enumerate(named):
            truths = pairs_of(index, recipe, args.pairs) if split == "test" else ()
            points = args.points if split == "train" else 0
            jobs.append(Job(split, kind, number, recipe, truths, points, args.seed, str(out)))
    for _ in progress(run_jobs(draw_object, jobs, args.workers), "objects", len(jobs)):
        pass
    write_json(out / "cameras.json", recipe.record())
    rows = [f"{job.name},{view_name(a)},{view_name(b)}" for job in jobs for a, b in job.truths]
    text = "\n".join(["object,from,to", *rows, ""])
    (out / "pairs-test.csv").write_text(text, encoding="utf-8")


def summary(out: Path) -> str:
    """One line on what `out` holds."""
    counts = {split: len(list((out / split).iterdir())) for split in SPLITS}
    truths = len(list((out / "test_truth").rglob("*.npz")))
    views = len(list((out / "train").rglob("*.png"))) // counts["train"]
    return (
        f"{counts['train']} training and {counts['test']} test objects, {views} views each, "
        f"{truths} exact flows"
    )


def lens_of(size: tuple[int, int]) -> Lens:
    """The usual lens; in pictures that are higher than wide a wider one, so that nothing is cut."""
    lens = Lens(size)
    if size[0] <= size[1]:
        return lens
    half = np.tan(np.radians(lens.fov) / 2) * size[0] / size[1]
    return replace(lens, fov=float(np.degrees(2 * np.arctan(half))))


def pairs_of(index: int, recipe: Recipe, most: int | None) -> tuple[tuple[Camera, Camera], ...]:
    """The published pairs of the test object `index`, or `most` of them, spread all round."""
    every = released_pairs(index, recipe)
    count = len(every)
    most = min(most or count, count)
    turns = [(2 * k + 1) * count // (2 * most) for k in range(most)]
    return tuple(every[i] for i in sorted((index + turn) % count for turn in turns))


def model_of(job: Job) -> Model:
    """The object of a job."""
    kind = sorted(KINDS).index(job.kind)
    return KINDS[job.kind](np.random.default_rng([job.seed, SPLITS[job.split], kind, job.number]))


def draw_object(job: Job) -> None:
    """Write one object's pictures and truths."""
    set_threads(1)
    out = Path(job.out)
    recipe = job.recipe
    scene = Scene(model_of(job), recipe.lens, recipe.background, recipe.samples)
    folder = out / job.split / job.name
    folder.mkdir(parents=True)
    for camera in recipe.cameras:
        Image.fromarray(scene.render(camera).image).save(folder / f"{view_name(camera)}.png")
    if job.points:
        rng = np.random.default_rng([job.seed, SPLITS[job.split], job.number, 1])
        marked = out / f"{job.split}_points" / f"{job.name}.npz"
        write_points(marked, scene, recipe.cameras, job.points, rng)
    for first, second in job.truths:
        path = out / f"{job.split}_truth" / job.name
        path.mkdir(parents=True, exist_ok=True)
        stem = f"{view_name(first)}_2_{view_name(second)}"
        np.savez_compressed(path / f"{stem}.npz", **pair_truth(scene, first, second))
