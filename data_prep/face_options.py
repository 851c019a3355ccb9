"""The command line of `faceforensics.py`: what it takes, and what of it is refused at once."""

import argparse
from pathlib import Path

from data_prep.common import fail
from data_prep.face_clips import Recipe
from data_prep.face_layouts import LAYOUTS

_ABOUT = "Raw videos of talking people to face clips with 68 landmarks, for `configs/face`."
_LEAST = {"batch": 1, "workers": 1, "min_frames": 1, "max_frames": 0, "margin": 0, "smooth": 0}


def _shard(text: str) -> tuple[int, int]:
    """`2/8` as (2, 8), counted from 0."""
    number, _, shards = text.partition("/")
    if not (number.isdecimal() and shards.isdecimal() and int(number) < int(shards)):
        fail(f"--shard {text}: pass I/N, which is N machines and I from 0 to N-1 (0/2, 1/2)")
    return int(number), int(shards)


def _refuse(options: argparse.Namespace) -> None:
    """End the program where a number or name cannot be meant."""
    for name, least in _LEAST.items():
        value = getattr(options, name)
        if not least <= value < float("inf"):  # nan, too
            fail(f"--{name.replace('_', '-')} {value}: pass a number from {least} on")
    if not 0 <= options.min_found <= 1:
        fail(f"--min-found {options.min_found}: is a part of the frames, pass a number from 0 to 1")
    if options.size < 2:
        fail(f"--size {options.size}: is the clips' side in pixels, pass an even number from 2 on")
    if options.size % 2:
        fail(f"--size {options.size}: an H.264 picture has even sides, pass an even number")
    phase = options.phase
    if phase is not None and (phase in ("", "reports") or phase[0] == "." or {*phase} & {*"/\\"}):
        fail(f"--phase {phase!r}: becomes a folder of --out, pass a plain name such as train")


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    own = Recipe()
    parser = argparse.ArgumentParser(description=_ABOUT, allow_abbrev=False)
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
        "--shard",
        type=_shard,
        default=(0, 1),
        metavar="I/N",
        help="every N-th video, I = 0 to N-1",
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
    if not options.inspects and options.phase is None:
        options.phase = "train"
    _refuse(options)
    return options


def recipe_of(options: argparse.Namespace) -> Recipe:
    """The recipe that the command line asks for."""
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
