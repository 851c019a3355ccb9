"""How a video is cut into scenes, and how they are called."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.face_clips import Recipe, clip_names, find_scenes, prepare_video
from data_prep.face_layouts import VideoLayout
from data_prep.face_video import clip_writer

FIRST = np.random.default_rng(0).uniform(-16, 16, (68, 2)).astype(np.float32) + [30, 50]
SECOND = (FIRST - [30, 50]) * 0.8 + [95, 50]


class Scripted:
    """A detector that sees what it is told, frame by frame."""

    def __init__(self, seen: list[list[np.ndarray]]) -> None:
        self.seen = iter(seen)

    def detect(self, image: np.ndarray) -> np.ndarray:
        return np.array(next(self.seen), np.float32).reshape(-1, 68, 2)


def prepared(
    folder: Path, seen: list[list[np.ndarray]], part: float = 1, **recipe: Any
) -> dict[str, Any]:
    """The report on a plain video, or its first part, of which a detector sees ``seen``."""
    path = folder / "raw.mp4"
    with clip_writer(path, Fraction(25), (96, 128)) as writer:
        for _ in seen:
            writer.write(np.full((96, 128, 3), 90, np.uint8))
    content = path.read_bytes()
    path.write_bytes(content[: round(len(content) * part)])
    chosen = Recipe(size=48, smoothing=0, **recipe)
    return prepare_video(path, "ann", folder / "out", "train", chosen, Scripted(seen))


def test_another_person_is_not_taken_for_one_that_is_missed_once(tmp_path: Path) -> None:
    both = [FIRST, SECOND]
    report = prepared(tmp_path, [both] * 10 + [[SECOND]] + [both] * 10)
    assert [(clip["name"], clip["frames"]) for clip in report["clips"]] == [("ann", 21)]
    with np.load(VideoLayout(tmp_path / "out", "train").files("ann")[1]) as held:
        assert held["found"].tolist() == [True] * 10 + [False] + [True] * 10
        whole = (held["landmarks"] + 0.5) * held["crop"][2] / 48 + held["crop"][:2] - 0.5
    assert np.abs(whole - FIRST).max() < 0.01


def test_another_person_gets_no_clip_under_the_name_of_the_first(tmp_path: Path) -> None:
    seen = [[FIRST, SECOND]] * 15 + [[SECOND]] * 45
    report = prepared(tmp_path, seen)
    assert [(clip["name"], clip["frames"]) for clip in report["clips"]] == [("ann", 15)]
    assert report["after_jumps"] == 1
    assert report["notes"] == [
        "15 of 60 frames show several faces, the one that is largest in frame 0 is followed",
        "25 of 60 frames show other faces than the one that is followed (15-39)",
        "the largest face is followed anew from frame 40 on, after a cut or more than 25 frames "
        "without the one before: it may be another person",
        "frames 40-59 come after a cut, a jump or a loss of the face and may show another person, "
        "left out (--keep-after-jumps takes them)",
    ]
    report = prepared(tmp_path, seen, keep_after_jumps=True)
    assert [(clip["name"], clip["start"]) for clip in report["clips"]] == [
        ("ann__1", 0),
        ("ann__2", 40),
    ]
    assert report["after_jumps"] == 0
    report = prepared(tmp_path, seen, min_frames=16)
    assert report["skipped"] == (
        "no scene before the first cut or jump is long enough and shows the face"
    )


def test_scenes_by_hand() -> None:
    points = np.zeros((30, 68, 2), np.float32)
    points[:, 0] = 40  # boxes of 40 pixels
    points[10:14] = np.nan
    points[20:] += 200
    recipe = Recipe(min_frames=5, min_found=0.7)
    scenes, notes = find_scenes(points, [0.0] * 30, 25, recipe)
    assert [(scene.start, scene.stop) for scene in scenes] == [(0, 20), (20, 30)] and not notes
    assert [scene.is_first for scene in scenes] == [True, False]
    changes = [0.0] * 30
    changes[4] = 0.5  # the picture changes, the face stays: a cut all the same
    scenes, notes = find_scenes(points, changes, 3, Recipe(min_frames=5, min_found=0.7))
    assert [(scene.start, scene.stop) for scene in scenes] == [(4, 10), (14, 20), (20, 30)]
    assert not any(scene.is_first for scene in scenes)  # that one was too short
    assert notes == ["frames 0-3 are too few for a clip, left out"]
    _, notes = find_scenes(points, [0.0] * 30, 25, Recipe(min_frames=5, min_found=0.9))
    assert notes == ["frames 0-19 show the face in 16 frames only, left out"]


def test_names_of_scenes_keep_who_it_is() -> None:
    assert clip_names("ann__a", 1) == ["ann__a"]
    assert clip_names("ann__a", 2) == ["ann__a-1", "ann__a-2"]
    assert clip_names("ann", 2) == ["ann__1", "ann__2"]


def test_a_video_that_breaks_off_is_used_up_to_there_and_it_is_said(tmp_path: Path) -> None:
    report = prepared(tmp_path, [[FIRST]] * 40, part=0.9)
    pictures, landmarks, _ = VideoLayout(tmp_path / "out", "train").read("ann")
    assert 10 < len(pictures) == len(landmarks) == report["frames"] < 40
    assert any(note.startswith("the file breaks off (") for note in report["notes"])
