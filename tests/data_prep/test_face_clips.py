"""How a video is cut into scenes, and how they are called."""

import numpy as np

from data_prep.face_clips import Recipe, clip_names, find_scenes


def test_scenes_by_hand() -> None:
    points = np.zeros((30, 68, 2), np.float32)
    points[:, 0] = 40  # boxes of 40 pixels
    points[10:14] = np.nan
    points[20:] += 200
    recipe = Recipe(min_frames=5, min_found=0.7)
    scenes, notes = find_scenes(points, [0.0] * 30, 25, recipe)
    assert [(scene.start, scene.stop) for scene in scenes] == [(0, 20), (20, 30)] and not notes
    changes = [0.0] * 30
    changes[4] = 0.5  # the picture changes, the face stays: a cut all the same
    scenes, notes = find_scenes(points, changes, 3, Recipe(min_frames=5, min_found=0.7))
    assert [(scene.start, scene.stop) for scene in scenes] == [(4, 10), (14, 20), (20, 30)]
    assert notes == ["frames 0-3 are too few for a clip, left out"]
    _, notes = find_scenes(points, [0.0] * 30, 25, Recipe(min_frames=5, min_found=0.9))
    assert notes == ["frames 0-19 show the face in 16 frames only, left out"]


def test_names_of_scenes_keep_who_it_is() -> None:
    assert clip_names("ann__a", 1) == ["ann__a"]
    assert clip_names("ann__a", 2) == ["ann__a-1", "ann__a-2"]
    assert clip_names("ann", 2) == ["ann__1", "ann__2"]
