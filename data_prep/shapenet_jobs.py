"""The work of `shapenet.py`: which meshes there are, and the views of one object.

A killed run loses nothing: every view is written whole, into `OUT/parts/<object>/`; when all are
there the report is written, and then the folder is moved to its place at once.
"""

import hashlib
import re
import shutil
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from data_prep.common import atomic_file, atomic_folder, fail, read_json, write_json
from data_prep.meshes.cameras import Camera, Lens, grid, view_name
from data_prep.meshes.load import SUFFIXES, Loaded, MeshError, load
from data_prep.meshes.points import write_points
from data_prep.meshes.render import Scene
from data_prep.meshes.truth import pair_truth
from data_prep.shapenet_layouts import Layout

_SAYS_NOTHING = {"models", "model", "model_normalized"}  # ShapeNetCore's <model>/models/model...


@dataclass(frozen=True)
class Recipe:
    """How views are taken: the same of all objects of a data set."""

    lens: Lens
    background: tuple[int, int, int]
    azimuths: tuple[float, ...]
    elevations: tuple[float, ...]
    samples: int

    @property
    def cameras(self) -> list[Camera]:
        """All cameras, elevation by elevation."""
        return grid(list(self.azimuths), list(self.elevations))

    def record(self) -> dict[str, Any]:
        """What `cameras.json` holds."""
        return {
            "format": "gfla_video cameras",
            "version": 1,
            "size": list(self.lens.size),
            "fov": self.lens.fov,
            "distance": self.lens.distance,
            "background": list(self.background),
            "azimuths": list(self.azimuths),
            "elevations": list(self.elevations),
        }


@dataclass(frozen=True)
class Job:
    """One mesh: its file, what it is called here and in reports, and how it is to be turned."""

    path: Path
    name: str
    source: str
    phase: Literal["train", "test"]
    up: Literal["y", "z", "auto"]
    front: float

    def wanted(self, recipe: Recipe) -> dict[str, Any]:
        """What a report must say for this job to be done."""
        own = {"source": self.source, "bytes": self.path.stat().st_size, "phase": self.phase}
        turn = {"asked_up": self.up, "front": self.front}
        return own | turn | {"samples": recipe.samples, "cameras": recipe.record()}


def find_jobs(raws: list[Path], split: str, up: str, front: float | str) -> list[Job]:
    """The meshes in folders, by name.

    Args:
        raws: searched, sub-folders too.
        split: part to train on, chosen by each name's hash, or a file of the test objects' names.
        up: y, z or auto.
        front: azimuth of the front in degrees; auto: 180 for ShapeNetCore's meshes, else 0.
    """
    found: dict[tuple[str, ...], tuple[Path, str]] = {}
    for raw in raws:
        for path in sorted(raw.rglob("*")):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                source = Path(raw.resolve().name) / path.relative_to(raw)
                first, *cells = source.with_suffix("").parts
                key = (first, *(cell for cell in cells if cell not in _SAYS_NOTHING))
                if key in found:
                    fail(f"{found[key][0]} and {path}: would have one name, rename one of them")
                found[key] = (path, source.as_posix())
    if not found:
        folders = ", ".join(map(str, raws))
        fail(f"{folders}: holds no mesh ({', '.join(SUFFIXES)}), pass the folder that does")
    names = short_names(list(found))
    is_test = _splitter(split, set(names.values()))
    jobs = []
    for key, (path, source) in found.items():
        name, phase = names[key], "test" if is_test(names[key]) else "train"
        turn = (180.0 if path.stem in _SAYS_NOTHING else 0.0) if front == "auto" else float(front)
        jobs.append(Job(path, name, source, phase, up, turn))
    return sorted(jobs, key=lambda job: job.name)


def short_names(keys: list[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """A name for each path: its last part, with folders before it (`__`) where two are alike."""
    depth = dict.fromkeys(keys, 1)
    while True:
        alike = defaultdict(list)
        names = {key: "__".join(map(_plain, key[-depth[key] :])) for key in keys}
        for key, name in names.items():
            alike[name.casefold()].append(key)
        clashing = [key for group in alike.values() if len(group) > 1 for key in group]
        if not any(depth[key] < len(key) for key in clashing):
            if clashing:
                fail(f"{'/'.join(clashing[0])}: another mesh has this name, rename one of them")
            return names
        for key in clashing:
            depth[key] = min(depth[key] + 1, len(key))


def _plain(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text).lstrip(".") or "mesh"


def _splitter(split: str, names: set[str]) -> Any:
    """Whether an object, by its name, is one to test with."""
    try:
        part = float(split)
    except ValueError:
        try:
            tests = set(Path(split).read_text("utf-8").split())
        except (OSError, UnicodeDecodeError) as error:
            fail(f"--split {split}: pass a part such as 0.8 or a text of names ({error})")
        if tests - names:
            fail(f"--split {split}: no mesh is called {min(tests - names)!r}; see OUT/report.json")
        return tests.__contains__
    if not 0 <= part <= 1:
        fail(f"--split {split}: is the part to train on, pass a number from 0 to 1")
    return lambda name: _hash(name) >= part


def _hash(name: str) -> float:
    """A number from 0 to 1 that depends on nothing but a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48


def is_done(report: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a report (or the note on a begun object) is of the same mesh and options."""
    return all(report.get(key) == value for key, value in wanted.items())


def build(job: Job, recipe: Recipe) -> tuple[Loaded, Scene]:
    """Read a job's mesh and put it before the cameras.

    Raises:
        MeshError: nothing can be drawn of it.
    """
    loaded = load(job.path)
    up = job.up
    if up == "auto":  # ShapeNetCore's files are upright whatever they stand on
        up = "y" if job.path.stem in _SAYS_NOTHING else loaded.up
    try:
        model = loaded.model.turned(up, job.front).normalized()
        return loaded, Scene(model, recipe.lens, recipe.background, recipe.samples)
    except (ValueError, RuntimeError) as error:
        raise MeshError(f"cannot be drawn ({' '.join(str(error).split())})") from error


def run_job(job: Job, layout: Layout, recipe: Recipe) -> dict[str, Any]:
    """Take the views of one object that are not there yet, and return its report."""
    start, wanted = time.perf_counter(), job.wanted(recipe)
    begun = layout.parts / job.name
    note = layout.parts / f"{job.name}.json"
    if not is_done(read_json(note), wanted):
        shutil.rmtree(begun, ignore_errors=True)
        layout.forget(job.name)
        write_json(note, wanted)
    begun.mkdir(parents=True, exist_ok=True)
    for broken in begun.glob(".*"):  # a killed run's, beside the whole ones
        broken.unlink()
    cameras = recipe.cameras
    left = [c for c in cameras if not (begun / f"{view_name(c)}.png").exists()]
    report = wanted | {"name": job.name, "broken": None, "notes": [], "rendered": len(left)}
    try:
        loaded, scene = build(job, recipe)
        for camera in left:
            with atomic_file(begun / f"{view_name(camera)}.png") as part:
                Image.fromarray(scene.render(camera).image).save(part)
        known = loaded.up_known or job.path.stem in _SAYS_NOTHING
        guessed = job.up == "auto" and not known
        report |= {"up_guessed": guessed, "textured": loaded.textured}
        report |= {"grey": loaded.grey, "notes": loaded.notes}
    except MeshError as error:
        report |= {"broken": str(error)}
    report["seconds"] = round(time.perf_counter() - start, 2)
    write_json(layout.reports / f"{job.name}.json", report)
    if report["broken"] is None:
        layout.publish(begun, job.name, job.phase, cameras)
    note.unlink(missing_ok=True)
    shutil.rmtree(begun, ignore_errors=True)
    return report


def released_pairs(number: int, recipe: Recipe) -> list[tuple[Camera, Camera]]:
    """The released test rule: one source, by the object's number, to every azimuth of one height.

    Args:
        number: of the object among the test objects, by name, from 0.
        recipe: its azimuths; of its elevations 0, or the first where there is no 0.
    """
    level = 0.0 if 0.0 in recipe.elevations else recipe.elevations[0]
    source = Camera(recipe.azimuths[number % len(recipe.azimuths)], level)
    return [(source, Camera(azimuth, level)) for azimuth in recipe.azimuths]


def run_truth(job: Job, number: int, layout: Layout, recipe: Recipe) -> None:
    """Write the exact flow of an object's test pairs."""
    _, scene = build(job, recipe)
    with atomic_folder(layout.truth(job.name)) as folder:
        for source, target in released_pairs(number, recipe):
            truth = pair_truth(scene, source, target)
            np.savez_compressed(folder / f"{view_name(source)}_2_{view_name(target)}.npz", **truth)


def run_points(job: Job, count: int, layout: Layout, recipe: Recipe) -> None:
    """Mark so many points of a training object's surface in all of its views."""
    _, scene = build(job, recipe)
    rng = np.random.default_rng(list(job.name.encode()))  # the same in every run
    write_points(layout.points(job.name), scene, recipe.cameras, count, rng)
