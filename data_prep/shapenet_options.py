"""The command line of `shapenet.py`: what it takes, and what of it is refused at once."""

import argparse
import re
from pathlib import Path

from data_prep.common import fail
from data_prep.meshes.cameras import Camera, Lens, grid, view_name
from data_prep.shapenet_jobs import Recipe
from data_prep.shapenet_layouts import LAYOUTS

_ABOUT = "Meshes (ShapeNetCore, or any OBJ, GLB and PLY) to views, for `configs/view_synthesis`."
_MOST_VIEWS = 10_000


def angles(text: str, option: str, least: float, most: float) -> tuple[float, ...]:
    """Angles in degrees, from `0,10,20`, `0:360:20` (360 left out) or both.

    Args:
        text: what was passed.
        option: its name, for the sentence to whoever errs.
        least: no angle is less.
        most: no angle is greater.
    """
    found: list[float] = []
    for cell in text.split(","):
        try:
            numbers = [float(number) for number in cell.split(":")]
        except ValueError:
            numbers = []
        if len(numbers) == 3 and numbers[2] > 0:
            start, stop, step = numbers
            count = int(max(0, min((stop - start) / step, _MOST_VIEWS)) + 1 - 1e-9)
            numbers = [start + i * step for i in range(count)]
        elif len(numbers) != 1:
            numbers = []
        if not numbers or not all(least <= number <= most for number in numbers):
            fail(
                f"{option} {text}: {cell!r} is no angle or range FROM:TO:STEP (TO left out) "
                f"from {least:g} to {most:g}"
            )
        found += numbers
    if len(set(found)) < len(found):
        fail(f"{option} {text}: names an angle twice")
    return tuple(found)


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)(?:x(\d+))?", text)
    size = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 16 <= min(size) <= max(size) <= 4096:
        fail(f"--size {text}: pass S or HxW, from 16 to 4096 pixels, such as 256")
    return size


def _background(text: str) -> tuple[int, int, int]:
    cells = text.split(",")
    if len(cells) != 3 or not all(c.isdecimal() and int(c) <= 255 for c in cells):
        fail(f"--background {text}: pass R,G,B from 0 to 255, such as 255,255,255")
    red, green, blue = map(int, cells)
    return red, green, blue


def _shard(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or int(match[1]) >= int(match[2]):
        fail(f"--shard {text}: pass I/N, which is N machines and I from 0 to N-1 (0/2, 1/2)")
    return int(match[1]), int(match[2])


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    lens = Lens((256, 256))
    parser = argparse.ArgumentParser(description=_ABOUT, allow_abbrev=False)
    add = parser.add_argument
    add("--raw", type=Path, nargs="+", help="folders that are searched for meshes")
    add("--out", type=Path, required=True, help="where to make the data set")
    add("--layout", choices=sorted(LAYOUTS), default="folder", help="PNG files, or as released")
    add("--category", help="car, chair, ...: names the file of --layout hdf5")
    add("--size", default="256", help="S or HxW (256)")
    add("--azimuths", default="0:360:20", help="degrees: list and ranges (0:360:20)")
    add("--elevations", default="0,10,20", help="degrees: list and ranges (0,10,20)")
    add("--fov", type=float, default=lens.fov, help=f"vertical field of view ({lens.fov:g})")
    add("--distance", type=float, default=lens.distance, help="of the camera, in diagonals (2)")
    add("--background", default="255,255,255", metavar="R,G,B", help="(255,255,255)")
    add("--samples", type=int, default=16, help="per pixel, a square number (16)")
    add("--up", choices=("y", "z", "auto"), default="auto", help="the axis that points up in them")
    add("--front", default="auto", help="azimuth of their front (auto: 180 ShapeNetCore, else 0)")
    add("--split", default="0.8", help="part to train on, or a file with the test objects' names")
    add("--truth", action="store_true", help="exact flow of the test pairs, too")
    help_points = "mark N surface points of each training object in all of its views (0)"
    add("--points", type=int, default=0, metavar="N", help=help_points)
    add("--workers", type=int, default=1, help="processes, one object each at a time (1)")
    add("--shard", default="0/1", metavar="I/N", help="every N-th object, I = 0 to N-1")
    add("--check", action="store_true", help="only say what of OUT is missing or odd (exit code 1)")
    add("--preview", type=Path, metavar="PNG", help="draw views of OUT's objects on one sheet")
    options = parser.parse_args(argv)
    options.inspects = options.check or (options.preview and not options.raw)
    if not options.inspects and not options.raw:
        parser.error("pass --raw, --check or --preview")
    _refuse(options)
    return options


def _refuse(options: argparse.Namespace) -> None:
    """End the program where a value cannot be meant; turn texts into values."""
    if options.preview and options.preview.suffix.lower() != ".png":
        fail(f"--preview {options.preview}: the sheet is a PNG, give it a name that ends in .png")
    for folder in options.raw or ():
        if not folder.is_dir():
            fail(f"--raw {folder}: there is no such folder; correct the path")
    options.shard = _shard(options.shard)
    if options.points < 0:
        fail(f"--points {options.points}: pass how many points, or 0 for none")
    if options.workers < 1:
        fail(f"--workers {options.workers}: pass a number from 1 on")
    if options.layout == "hdf5" and not re.fullmatch(r"\w+", options.category or ""):
        fail("--layout hdf5: the file is named by the category, pass --category car or another")
    if options.front != "auto":
        options.front = angles(options.front, "--front", -360, 360)[0]


def recipe_of(options: argparse.Namespace) -> Recipe:
    """How the views shall be taken."""
    size = _size(options.size)
    azimuths = angles(options.azimuths, "--azimuths", 0, 359.999)
    elevations = angles(options.elevations, "--elevations", -90, 90)
    cameras = grid(list(azimuths), list(elevations))
    if not 1 <= options.fov <= 120:
        fail(f"--fov {options.fov:g}: pass degrees from 1 to 120")
    if not 0.6 <= options.distance <= 100:
        fail(f"--distance {options.distance:g}: pass 0.6 to 100 diagonals of the object's box")
    if options.samples < 1 or round(options.samples**0.5) ** 2 != options.samples:
        fail(f"--samples {options.samples}: pass a square number such as 4, 9 or 16")
    if len({view_name(camera) for camera in cameras}) < len(cameras):
        fail("--azimuths, --elevations: two views would have one name, angles must differ by more")
    if options.layout == "hdf5":
        _refuse_unreleased(azimuths, elevations)
    return Recipe(
        lens=Lens(size, options.fov, options.distance),
        background=_background(options.background),
        azimuths=azimuths,
        elevations=elevations,
        samples=options.samples,
    )


def _refuse_unreleased(azimuths: tuple[float, ...], elevations: tuple[float, ...]) -> None:
    """End the program at angles that the released file cannot name."""
    odd = [Camera(azimuth, 0) for azimuth in azimuths if azimuth % 10]
    if odd or any(e < 0 or not float(e).is_integer() for e in elevations):
        fail(
            "--layout hdf5: counts azimuths in steps of 10 degrees and whole elevations from 0 on, "
            "pass such angles or --layout folder"
        )
