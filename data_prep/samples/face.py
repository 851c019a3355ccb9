"""Sample data of the task `face`: talking synthetic heads, exact landmarks and flow, with sound.

    train/headNNNNN.mp4       one clip per head, H.264 and AAC; test/ has heads of its own
    train/headNNNNN.npz       landmarks [T,68,2] (x, y; iBUG's order) in pixels, found [T], size
    test/headNNNNN_truth.npz  flow [T,2,H,W] of every frame against the first, visible, foreground
    drive.mp4, drive.npz      a longer clip of one more head
    source.png, source.npz    a portrait of yet another, landmarks [1,68,2]

Every file depends on the options, the split and the head alone, so the folder is the same whatever
the number of processes, and one of more heads begins like one of fewer.
"""

import argparse
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from data_prep.common import progress
from data_prep.heads.film import voice, write_film
from data_prep.heads.looks import make_head
from data_prep.heads.moves import talk
from data_prep.heads.paint import backdrop
from data_prep.heads.render import Actor, Camera, Moment
from data_prep.heads.rig import Face
from data_prep.samples._shared import real_option, run_jobs, size_option, whole_option

VERSION = 1
SPLITS = {"train": 0, "test": 1, "drive": 2, "source": 3}
FIRST_ID = {"train": 1, "test": 9001}  # identities never share a number
FPS = Fraction(25)
JAW_OPEN = 17.0  # degrees at which the voice is loudest


@dataclass(frozen=True)
class Job:
    """One head to film, for the split `train` or `test`, as `drive.mp4`, or as `source.png`."""

    split: str
    number: int
    frames: int
    size: tuple[int, int]
    seed: int
    turn: float
    out: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this task's own options."""
    add, count, frames = parser.add_argument, whole_option(1, 9000), whole_option(2, 10000)
    size, turn = size_option("96x96"), real_option(45.0)
    add("--size", type=size, default=(96, 96), metavar="HxW", help="picture size (96x96)")
    add("--train-heads", type=count, default=48, metavar="N", help="people to train on (48)")
    add("--test-heads", type=count, default=6, metavar="M", help="other people, to test (6)")
    add("--frames", type=frames, default=24, metavar="T", help="frames per clip (24)")
    add("--drive-frames", type=frames, default=50, metavar="T", help="of drive.mp4 (50)")
    add("--turn", type=turn, default=22.0, help="largest turn of the head, degrees (22)")


def make(out: Path, args: argparse.Namespace) -> None:
    """Write the whole data set into the empty folder `out` (layout: at the top of this file).

    Args:
        out: an existing folder.
        args: the options of `add_arguments`, `seed` and `workers`.
    """
    options = (args.size, args.seed, args.turn, str(out))
    jobs = []
    for split, heads in (("train", args.train_heads), ("test", args.test_heads)):
        (out / split).mkdir()
        jobs += [Job(split, number, args.frames, *options) for number in range(heads)]
    jobs += [Job("drive", 1, args.drive_frames, *options), Job("source", 0, 1, *options)]
    for _ in progress(run_jobs(film_head, jobs, args.workers), "heads", len(jobs)):
        pass


def summary(out: Path) -> str:
    """One line on what `out` holds."""
    counts = {split: len(list((out / split).glob("*.mp4"))) for split in ("train", "test")}
    truths = len(list((out / "test").glob("*_truth.npz")))
    return (
        f"{counts['train']} training and {counts['test']} test clips, {truths} with exact flow, "
        "drive.mp4 and source.png"
    )


def clip_name(split: str, number: int) -> str:
    """Name of a clip without its ending, e.g. head00001."""
    return f"head{FIRST_ID[split] + number:05d}"


def film_head(job: Job) -> None:
    """Write the files of one job."""
    actor, faces, pitch = stage(job)
    moments = [actor.pose(face) for face in faces]
    pictures = [actor.draw(moment) for moment in moments]
    out = Path(job.out)
    clip = job.split in FIRST_ID
    stem = f"{job.split}/{clip_name(job.split, job.number)}" if clip else job.split
    np.savez_compressed(
        out / f"{stem}.npz",
        landmarks=np.stack([actor.landmarks(moment) for moment in moments]),
        found=np.ones(len(moments), bool),
        size=np.array(job.size),
    )
    if job.split == "source":
        Image.fromarray(pictures[0]).save(out / f"{stem}.png")
        return
    sound = voice([min(face.jaw / JAW_OPEN, 1.0) for face in faces], FPS, pitch)
    write_film(out / f"{stem}.mp4", pictures, FPS, sound)
    if job.split == "test":
        _write_truth(out / f"{stem}_truth.npz", actor, moments)


def stage(job: Job) -> tuple[Actor, list[Face], float]:
    """A job's head before its camera, its expressions frame by frame, and its voice's pitch."""
    rng = np.random.default_rng([job.seed, SPLITS[job.split], job.number])
    head = make_head(rng)
    height, width = job.size
    least = min(job.size)
    fine = 3 if least < 160 else 2
    scale = least * rng.uniform(0.0315, 0.0355)
    shift = rng.normal(0, 0.015, 2)
    origin = (width * (0.5 + shift[0]) - 0.5, height * (0.455 + shift[1]) - 0.5)
    light = np.array([rng.uniform(-0.7, 0.7), rng.uniform(0.2, 0.7), 0.8])
    room = backdrop(rng, (height * fine, width * fine))
    actor = Actor(head, Camera(job.size, scale, origin), room, fine, light)
    faces = talk(rng, job.frames, float(FPS), job.turn)
    if job.split == "source":  # a portrait: calm, and almost towards the camera
        calm = replace(faces[0], jaw=0.0, apart=0.0, pucker=0.0, lids=(0.0, 0.0), frown=0.0)
        faces = [replace(calm, yaw=0.3 * calm.yaw, pitch=0.3 * calm.pitch, roll=0.3 * calm.roll)]
    actor.camera = actor.camera.framed(np.concatenate([actor.rig.pose(f)[:68] for f in faces]))
    return actor, faces, float(rng.uniform(110, 240))


def _write_truth(path: Path, actor: Actor, moments: list[Moment]) -> None:
    """Flow, visible and foreground of every frame against the first."""
    truths = [actor.truth(moments[0], moment) for moment in moments]
    np.savez_compressed(
        path,
        flow=np.stack([truth.flow for truth in truths]),
        visible=np.stack([truth.visible for truth in truths]),
        foreground=np.stack([truth.foreground for truth in truths]),
    )
