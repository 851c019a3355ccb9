"""One raw video to face clips: landmarks, scenes, one steady crop per scene."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from data_prep.face_layouts import LAYOUTS, Clip, Layout
from data_prep.face_video import RawVideo, VideoError, open_raw
from gfla_video.detectors import (
    FaceDetector,
    crop_around,
    detect_faces,
    fill_missing,
    find_jumps,
    follow_one_face,
    found_frames,
    smooth,
)

VERSION = 2  # of the way the clips are made
_THUMB = 32
_CUT = 0.15  # mean change of a thumbnail from one frame to the next, of the range of grey


@dataclass(frozen=True)
class Recipe:
    """What decides how the clips come out.

    Attributes:
        size: side of the clips in pixels, even.
        layout: ``videos`` (mp4 + npz) or ``frames`` (pictures + text files, as released).
        detector: registered name.
        weights: its files.
        modules: imported first, where the detector is registered by one of the user's.
        device: where it runs.
        batch: frames per detector call.
        margin: around forehead and points, in parts of their box.
        smoothing: standard deviation in frames, 0 = as detected.
        min_found: least part of a scene's frames that must show the face.
        min_frames: least length of a scene.
        max_frames: read so many frames of each video, 0 = all.
        keep_after_jumps: take the scenes, too, behind a cut, a jump or a loss of the face, of which
            nobody knows whether they show the same person.
    """

    size: int = 256
    layout: str = "videos"
    detector: str = "FaceAlignmentDetector"
    weights: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    device: str = "cpu"
    batch: int = 8
    margin: float = 0.25
    smoothing: float = 1.0
    min_found: float = 0.9
    min_frames: int = 10
    max_frames: int = 0
    keep_after_jumps: bool = False

    def record(self) -> dict[str, Any]:
        """What of it changes the files, as it stands in JSON."""
        fields = asdict(self)
        for name in ("modules", "device", "batch"):
            fields.pop(name)
        fields["weights"] = [Path(path).name for path in self.weights]
        return {"version": VERSION, **fields}


@dataclass(frozen=True)
class Scene:
    """Frames ``start`` to ``stop`` (excluded) of a video, which show one face without a cut.

    Attributes:
        start: first frame.
        stop: behind the last one.
        is_first: whether it is the first one with a face, whose person gives the video its name.
    """

    start: int
    stop: int
    is_first: bool


def prepare_video(
    path: Path,
    name: str,
    out: Path,
    phase: str,
    recipe: Recipe,
    detector: FaceDetector,
    is_over: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Make the clips of one video.

    Args:
        path: the raw video.
        name: of the clip; several scenes get a number behind it.
        out: root of the data set.
        phase: part of it.
        recipe: how.
        detector: finds the faces.
        is_over: asked at each frame; True ends it with ``InterruptedReadError``.

    Returns:
        The video's report: numbers of frames, its clips, notes, and why it was skipped if it was.
    """
    report: dict[str, Any] = {"source": path.name, "bytes": path.stat().st_size}
    report |= {"frames": 0, "no_face": 0, "clips": [], "notes": [], "skipped": None}
    report["after_jumps"] = 0
    try:
        video = open_raw(path, is_over)
        changes: list[float] = []
        frames = islice(video.frames(), recipe.max_frames or None)
        found_faces = detect_faces(detector, _watch(frames, changes), recipe.batch)
        hole = max(1, round(video.fps))
        landmarks, notes = follow_one_face(found_faces, hole, lambda index: changes[index] > _CUT)
    except VideoError as error:
        return report | {"skipped": str(error)}
    found = found_frames(landmarks)
    report |= {"frames": len(found), "no_face": int((~found).sum()), "fps": str(video.fps)}
    report["notes"] = notes + ([video.broken] if video.broken else [])
    if not found.any():
        return report | {"skipped": "no face in any frame" if len(found) else "holds no frame"}
    scenes, dropped = find_scenes(landmarks, changes, hole, recipe)
    report["notes"] += dropped
    if not recipe.keep_after_jumps:
        unknown = [scene for scene in scenes if not scene.is_first]
        scenes = [scene for scene in scenes if scene.is_first]
        report["after_jumps"] = len(unknown)
        report["notes"] += [
            f"frames {scene.start}-{scene.stop - 1} come after a cut, a jump or a loss of the face "
            "and may show another person, left out (--keep-after-jumps takes them)"
            for scene in unknown
        ]
    if not scenes:
        return report | {"skipped": _no_scene(report["after_jumps"])}
    layout = LAYOUTS[recipe.layout](out, phase)
    report["clips"] = _write_scenes(video, name, layout, scenes, landmarks, recipe)
    return report


def find_scenes(
    landmarks: np.ndarray, changes: Sequence[float], hole: int, recipe: Recipe
) -> tuple[list[Scene], list[str]]:
    """Cut a track where the picture or the face jumps, and at long holes.

    Args:
        landmarks: ``[T, 68, 2]``, NaN where there is no face.
        changes: per frame, how much the picture differs from the one before (0..1).
        hole: where the face is seen again after more than so many frames, a scene ends.
        recipe: says what is too short or too seldom seen.

    Returns:
        The scenes to use, and sentences about the others.
    """
    seen = np.flatnonzero(found_frames(landmarks))
    cuts = {index for index, change in enumerate(changes) if change > _CUT}
    cuts |= set(find_jumps(landmarks))
    cuts |= {int(now) for before, now in pairwise(seen) if now - before > hole}
    scenes, notes = [], []
    for start, stop in pairwise(sorted({0, *cuts, len(landmarks)})):
        inside = seen[(seen >= start) & (seen < stop)]
        if not len(inside):
            continue
        scene = Scene(int(inside[0]), int(inside[-1]) + 1, bool(inside[0] == seen[0]))
        length = scene.stop - scene.start
        where = f"frames {scene.start}-{scene.stop - 1}"
        if length < recipe.min_frames:
            notes.append(f"{where} are too few for a clip, left out")
        elif len(inside) < recipe.min_found * length:
            notes.append(f"{where} show the face in {len(inside)} frames only, left out")
        else:
            scenes.append(scene)
    return scenes, notes


def _no_scene(after_jumps: int) -> str:
    before = " before the first cut or jump" if after_jumps else ""
    return f"no scene{before} is long enough and shows the face"


def clip_names(name: str, count: int) -> list[str]:
    """Names of a video's clips; what stands before the last ``__`` is who is on it."""
    mark = "-" if "__" in name else "__"
    return [name] if count == 1 else [f"{name}{mark}{number + 1}" for number in range(count)]


def _write_scenes(
    video: RawVideo,
    name: str,
    layout: Layout,
    scenes: list[Scene],
    landmarks: np.ndarray,
    recipe: Recipe,
) -> list[dict[str, Any]]:
    """Read the video once more and write its clips, frame by frame."""
    entries = []
    frames, place = video.frames(), 0
    for scene, clip_name in zip(scenes, clip_names(name, len(scenes)), strict=True):
        pictures = islice(frames, scene.start - place, scene.stop - place)
        place = scene.stop
        first = next(pictures)
        clip = _clip(video, scene, landmarks[scene.start : scene.stop], first.shape[:2], recipe)
        with layout.writing(clip_name, clip) as write:
            write(clip.crop.image(first, recipe.size))
            for picture in pictures:
                write(clip.crop.image(picture, recipe.size))
        entries.append(
            {
                "name": clip_name,
                "start": scene.start,
                "frames": len(clip.found),
                "no_face": int((~clip.found).sum()),
                "crop": clip.crop.describe(),
            }
        )
    return entries


def _clip(
    video: RawVideo, scene: Scene, raw: np.ndarray, size: tuple[int, int], recipe: Recipe
) -> Clip:
    crop = crop_around(raw, recipe.margin, size)
    points = smooth(fill_missing(raw, "interpolate"), recipe.smoothing)
    return Clip(
        landmarks=crop.points(points, recipe.size),
        found=found_frames(raw),
        size=recipe.size,
        fps=video.fps,
        crop=crop,
        source=video.path.name,
        source_size=size,
        source_start=scene.start,
        detector=recipe.detector,
    )


def _watch(frames: Iterable[np.ndarray], changes: list[float]) -> Iterator[np.ndarray]:
    """Pass the frames on and note how much each differs from the one before."""
    before: np.ndarray | None = None
    for frame in frames:
        small = cv2.resize(frame, (_THUMB, _THUMB), interpolation=cv2.INTER_AREA)
        now = small.astype(np.float32).mean(axis=-1) / 255
        changes.append(0.0 if before is None else float(np.abs(now - before).mean()))
        before = now
        yield frame
