"""Landmarks to edges, distances and parts: the golden maps, a plain reference, the pictures."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from gfla_video.registry import STRUCTURES
from gfla_video.tasks.face.annotation import (
    FaceAnnotation,
    flip_landmarks,
    scale_landmarks,
)
from gfla_video.tasks.face.curves import CURVES, curve_pixels, part_labels, with_forehead
from gfla_video.tasks.face.structure import FaceStructure, canny_edges
from gfla_video.testing.made_faces import made_landmarks
from gfla_video.utils.errors import UserError

SQUARE = np.ones((3, 3), bool)


def annotation(size: tuple[int, int] = (64, 64), picture: bool = False) -> FaceAnnotation:
    points = scale_landmarks(made_landmarks(), (64, 64), size)
    noise = np.random.default_rng(3).integers(0, 256, (*size, 3)).astype(np.uint8)
    return FaceAnnotation(points, size, noise if picture else None)


def test_the_edges_of_a_still_picture_are_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    structure, seen = FaceStructure(), []
    monkeypatch.setattr(
        "gfla_video.tasks.face.structure.canny_edges",
        lambda picture, size: seen.append(size) or canny_edges(picture, size),
    )
    still, other = annotation(picture=True), annotation((96, 96), picture=True)
    assert still.picture is not None and other.picture is not None
    first = structure.encode(still, (64, 64))
    still.picture.flags.writeable = other.picture.flags.writeable = False
    for _ in range(5):
        assert torch.equal(structure.encode(still, (64, 64)), first)
    assert len(seen) == 2  # not kept while the picture could change
    moved = still._replace(landmarks=still.landmarks + 3)
    fresh = FaceStructure().encode(moved, (64, 64))
    seen.clear()
    assert torch.equal(structure.encode(moved, (64, 64)), fresh) and not seen
    jobs = [(still, (64, 64)), (other, (96, 96)), (other, (64, 64))] * 8
    alone = [FaceStructure().encode(*job) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda job: structure.encode(*job), jobs))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_the_registry_knows_it() -> None:
    structure = STRUCTURES.build({"type": "FaceStructure", "background_edges": False})
    assert isinstance(structure, FaceStructure)
    assert structure.channels == 16
    assert not structure.background_edges


@pytest.mark.parametrize("name", ["face_a", "face_b"])
def test_golden_maps(name: str, golden: Callable[[str], Any]) -> None:
    found = golden("maps_face")
    tolerance = found.case["tolerance"]
    case = next(case for case in found.case["cases"] if case["name"] == name)
    values = {k.split(".")[1]: v for k, v in found.arrays.items() if k.startswith(f"{name}.")}
    picture, landmarks = values["image"], values["landmarks"].astype(np.float32)
    size, wanted = picture.shape[:2], (case["load_size"],) * 2
    points = with_forehead(landmarks)
    assert np.abs(points - values["keypoints83"]).max() <= tolerance["keypoints83"]
    labels = part_labels(points, size)
    assert (labels != values["part_labels"]).sum() <= tolerance["part_labels"]
    canny = canny_edges(picture, wanted)
    assert (canny == values["canny"]).mean() >= tolerance["canny_fraction_equal"]

    frame = FaceAnnotation(landmarks, size, picture)
    maps = FaceStructure().encode(frame, wanted).numpy()
    eight = np.rint(maps[:15] * 255).astype(int)
    np.testing.assert_array_equal(maps[:15], eight.astype(np.float32) / np.float32(255))
    expected = values["channels0_14_u8"].astype(int)
    face_only = FaceStructure(background_edges=False).encode(frame, wanted).numpy()[0]
    for ours, theirs in ((eight[0], expected[0]), (face_only, values["edges_face_only"])):
        ours, theirs = ours > 0, theirs > 0
        assert (ours & theirs).sum() >= tolerance["edge_pixels_equal_fraction"] * theirs.sum()
        assert not (theirs & ~ndimage.binary_dilation(ours, SQUARE)).any()  # the rest: one pixel
    assert (eight[0] == 254).sum() == case["values_254_in_edge_map"]
    distances = np.abs(eight[1:] - expected[1:]).mean(axis=(1, 2))
    assert distances.max() <= tolerance["dist_mean_abs_u8"]
    differs = (maps[15] != values["channel15_label"]).sum()
    assert differs <= tolerance["channel15_label"]


def reference_curves(points: np.ndarray, size: tuple[int, int]) -> list[set[tuple[int, int]]]:
    """The steps of golden maps_face, piece by piece, with a polynomial fit of numpy's."""
    whole = np.trunc(points).astype(int)
    drawn: list[set[tuple[int, int]]] = []
    for curve in CURVES:
        pixels: set[tuple[int, int]] = set()
        for i in range(0, max(1, len(curve) - 1), 2):
            x, y = whole[list(curve[i : i + 3])].T
            swap = np.abs(np.diff(x)).max() < np.abs(np.diff(y)).max()
            x, y = (y, x) if swap else (x, y)
            if len(set(x)) < len(x):
                x, y = x[[0, -1]], y[[0, -1]]
            if x[0] == x[-1]:
                continue
            fit = np.polyfit(x - x[0], y, len(x) - 1)
            if len(x) == 3 and abs(fit[0]) > 1:
                continue
            low, high = sorted((x[0], x[-1]))
            along = np.linspace(low, high, high - low)
            across = np.polyval(fit, along - x[0])
            along, across = np.trunc(along + 1e-6), np.trunc(across + 1e-6)
            columns, rows = (across, along) if swap else (along, across)
            columns = columns.clip(0, size[1] - 1).astype(int)
            rows = rows.clip(0, size[0] - 1).astype(int)
            pixels |= set(zip(rows.tolist(), columns.tolist(), strict=True))
        drawn.append(pixels)
    return drawn


@pytest.mark.parametrize("seed", range(6))
def test_curves_are_those_of_a_fit_per_piece(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = (180, 200)
    points = scale_landmarks(made_landmarks(), (64, 64), size) + rng.normal(0, 3, (68, 2))
    points = with_forehead(points.astype(np.float32))
    curve, y, x = curve_pixels(points, size)
    for number, expected in enumerate(reference_curves(points, size)):
        mine = curve == number
        found = set(zip(y[mine].tolist(), x[mine].tolist(), strict=True))
        assert found == expected


@pytest.mark.parametrize("moved", [(-300.0, 0.0), (90.0, -400.0), (1e7, -1e7)])
def test_a_face_outside_of_the_picture_is_drawn_on_its_border(moved: tuple[float, float]) -> None:
    points = made_landmarks() + np.float32(moved)
    maps = FaceStructure().encode(FaceAnnotation(points, (64, 64)), (64, 64))
    assert torch.isfinite(maps).all()
    assert maps[0, 1:-1, 1:-1].sum() == 0


def test_distances_count_city_blocks_in_thirds() -> None:
    maps = FaceStructure().encode(annotation((200, 160)), (200, 160)).numpy()
    y, x = np.indices((200, 160))
    curve, rows, columns = curve_pixels(with_forehead(annotation((200, 160)).landmarks), (200, 160))
    for number in (0, 4, 13):
        mine = curve == number
        blocks = np.full((200, 160), 10_000)
        for row, column in zip(rows[mine], columns[mine], strict=True):
            blocks = np.minimum(blocks, np.abs(y - row) + np.abs(x - column))
        np.testing.assert_allclose(maps[1 + number], (blocks // 3) / 255, atol=1e-7)


def test_a_curve_without_a_pixel_is_far_from_everywhere() -> None:
    points = made_landmarks()
    points[[*range(36, 42)]] = (22.0, 27.0)
    maps = FaceStructure().encode(FaceAnnotation(points, (64, 64)), (64, 64))
    assert (maps[[7, 8]] == 1).all()
    assert (maps[9] == 0).any()


def test_parts_lie_where_the_landmarks_are() -> None:
    labels = FaceStructure().encode(annotation(), (64, 64))[15]
    assert set(labels.unique().tolist()) == {0, 1, 2, 3, 4, 5, 6}
    assert labels[46, 32] == 6
    assert labels[27, 22] == labels[27, 41] == 4
    assert labels[0, 0] == 0


def test_only_the_background_gets_the_edges_of_the_picture() -> None:
    size = (64, 64)
    plain = FaceStructure().encode(annotation(), size)
    edged = FaceStructure().encode(annotation(picture=True), size)
    without = FaceStructure(background_edges=False).encode(annotation(picture=True), size)
    assert torch.equal(without, plain)
    assert torch.equal(edged[1:], plain[1:])
    added = edged[0] != plain[0]
    assert added.any()
    assert not (added & (plain[15] > 0)).any()
    both = (edged[0] * 255).round() == 254  # 255 + 255 in eight bits, as released
    assert (both <= (plain[0] > 0)).all()


def test_the_edges_of_another_face_in_the_picture_are_no_background() -> None:
    """A still source behind a moved face: its own eyes and mouth must not stand beside it."""
    own = annotation((96, 96), picture=True)
    moved = own._replace(landmarks=own.landmarks + np.float32([20, 0]))
    plain, hidden = (
        FaceStructure().encode(one, (96, 96))
        for one in (moved, moved._replace(shown=own.landmarks))
    )
    face = part_labels(with_forehead(own.landmarks), (96, 96)) > 0
    there = part_labels(with_forehead(moved.landmarks), (96, 96)) > 0
    left = torch.from_numpy(face & ~there)
    curves = FaceStructure(background_edges=False).encode(moved, (96, 96))[0] > 0
    assert int((plain[0] > 0)[left].sum()) > 20
    assert int(((hidden[0] > 0) & ~curves)[left].sum()) == 0
    assert torch.equal(plain[:, ~left], hidden[:, ~left])
    assert torch.equal(plain[1:], hidden[1:])


def test_the_size_of_the_maps_is_free() -> None:
    maps = FaceStructure().encode(annotation((90, 70), picture=True), (128, 96))
    assert maps.shape == (16, 128, 96)
    assert maps.dtype == torch.float32


def test_threads_give_the_same_maps() -> None:
    structure = FaceStructure()
    frames = [annotation((64 + i, 64), picture=True) for i in range(8)] * 3
    alone = [structure.encode(frame, (64, 64)) for frame in frames]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda frame: structure.encode(frame, (64, 64)), frames))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize("wrong", [np.zeros((66, 2)), np.zeros((68, 3)), np.full((68, 2), np.nan)])
def test_wrong_landmarks(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="landmarks"):
        FaceStructure().encode(FaceAnnotation(wrong.astype(np.float32), (64, 64)), (64, 64))


def test_missing_scikit_image_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.feature", None)
    with pytest.raises(UserError, match="pip install scikit-image"):
        FaceStructure().encode(annotation(picture=True), (64, 64))
    FaceStructure().encode(annotation(), (64, 64))


def test_pictures_for_people() -> None:
    structure, size = FaceStructure(), (128, 96)
    drawn = structure.draw(annotation(picture=True), size)
    assert drawn.shape == (*size, 3) and drawn.dtype == np.uint8
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) >= 7
    background = np.full((*size, 3), 77, np.uint8)
    over = structure.draw(annotation(picture=True), size, background)
    assert (background == 77).all()
    changed = (over != 77).any(axis=2)
    assert 0.02 < changed.mean() < 0.2  # lines alone, no edges of the picture
    with pytest.raises(ValueError, match="expected a background"):
        structure.draw(annotation(), size, np.zeros((4, 4, 3), np.uint8))


def test_mirrored_faces() -> None:
    face = made_landmarks()
    mirrored = flip_landmarks(face, 64)
    # The made face is symmetric about x = 32, so it is moved by the mirror and nothing else.
    np.testing.assert_allclose(mirrored, face - [1.0, 0.0], atol=1e-4)
    np.testing.assert_allclose(flip_landmarks(mirrored, 64), face, rtol=1e-6)
    labels = [part_labels(with_forehead(points), (64, 64)) for points in (face, mirrored)]
    assert (labels[0][:, 1:] == labels[1][:, :-1]).mean() > 0.99


def test_maps_are_shown_without_their_landmarks() -> None:
    structure, size = FaceStructure(), (40, 56)
    maps = structure.encode(annotation(picture=True), size)
    shown = structure.show(maps)
    assert shown.shape == (*size, 3) and shown.dtype == np.uint8
    edges, inside = maps[0].numpy() > 0.5, maps[-1].numpy() > 0
    assert (shown[edges] == 255).all()
    assert not shown[~edges & ~inside].any()
    assert 0 < shown[~edges & inside].max() < 255
