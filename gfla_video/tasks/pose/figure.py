"""Pictures of a body drawn from its joints: a coloured skeleton and a mask."""

from __future__ import annotations

import colorsys
import math

import cv2
import numpy as np
import numpy.typing as npt

from gfla_video.tasks.pose.joints import LIMBS, NUM_JOINTS, Joints, Mask, visible

Picture = npt.NDArray[np.uint8]

_HEAD = (0, 14, 15, 16, 17)
_TRUNK = (2, 5, 11, 8)
# Half-widths and radii in units of the trunk's length (neck to hips, about half a metre).
_BANDS = {
    (2, 3): 0.11,
    (3, 4): 0.08,
    (5, 6): 0.11,
    (6, 7): 0.08,
    (8, 9): 0.19,
    (9, 10): 0.13,
    (11, 12): 0.19,
    (12, 13): 0.13,
    (0, 1): 0.13,
}
_HEAD_RADIUS = 0.27
_TRUNK_MARGIN = 0.11
_HAND_REACH = 0.30  # a hand goes on by this part of the forearm
_FOOT_RADIUS = 0.16
_CLOSING = 0.10
_SUBPIXEL_BITS = 4  # cv2 takes fixed-point coordinates


def draw_body(joints: Joints, size: tuple[int, int], background: Picture | None) -> Picture:
    """Limbs as coloured lines and joints as dots; see ``PoseStructure.draw``."""
    height, width = size
    if background is None:
        base = np.zeros((height, width, 3), dtype=np.uint8)
    else:
        base = np.asarray(background, dtype=np.uint8)
        if base.shape != (height, width, 3):
            raise ValueError(f"expected a background {(height, width, 3)}, got {base.shape}")
    # Small pictures are drawn larger and averaged down, else a limb is one ragged pixel wide.
    factor = max(1, math.ceil(256 / min(size)))
    colour = np.zeros((height * factor, width * factor, 3), dtype=np.uint8)
    cover = np.zeros((height * factor, width * factor), dtype=np.uint8)
    thick = max(2, round(min(size) * factor / 50))
    seen = visible(joints)
    for index, (first, second) in enumerate(LIMBS):
        if seen[first] and seen[second]:
            ends = _fixed(joints[[first, second], :2], size, factor)
            for layer, value in ((colour, _limb_colour(index)), (cover, 255)):
                cv2.line(layer, ends[0], ends[1], value, thick, cv2.LINE_8, _SUBPIXEL_BITS)
    for joint in np.flatnonzero(seen):
        (centre,) = _fixed(joints[joint : joint + 1, :2], size, factor)
        radius = round(thick * 0.8 * 2**_SUBPIXEL_BITS)
        for layer, value in ((colour, _joint_colour(int(joint))), (cover, 255)):
            cv2.circle(layer, centre, radius, value, -1, cv2.LINE_8, _SUBPIXEL_BITS)
    if factor > 1:
        # The colour layer is black where nothing was drawn, so its average is already multiplied by
        # the average of the cover.
        colour = cv2.resize(colour, (width, height), interpolation=cv2.INTER_AREA)
        cover = cv2.resize(cover, (width, height), interpolation=cv2.INTER_AREA)
    rest = 1.0 - cover[:, :, None].astype(np.float32) / 255.0
    return np.clip(np.rint(colour + base * rest), 0, 255).astype(np.uint8)


def draw_body_mask(joints: Joints, size: tuple[int, int]) -> Mask:
    """Bands, hull and discs in proportion to the body; see ``PoseStructure.body_mask``."""
    mask = np.zeros(size, dtype=np.uint8)
    seen = visible(joints)
    if not seen.any():
        return mask.astype(bool)
    unit = body_unit(joints, size)
    points = joints[:, :2]
    for (first, second), half_width in _BANDS.items():
        if seen[first] and seen[second]:
            start, end = points[first], points[second]
            if second in (4, 7):
                end = end + (end - start) * _HAND_REACH
            _band(mask, start, end, half_width * unit)
    trunk = [joint for joint in _TRUNK if seen[joint]]
    if len(trunk) < 4 and seen[1]:
        trunk.append(1)
    if trunk:
        _hull(mask, points[trunk], _TRUNK_MARGIN * unit)
    head = [joint for joint in _HEAD if seen[joint]]
    if head:
        _disc(mask, points[head].mean(axis=0), _HEAD_RADIUS * unit)
    for joint in np.flatnonzero(seen):
        _disc(mask, points[joint], (_FOOT_RADIUS if joint in (10, 13) else 0.08) * unit)
    side = 2 * round(_CLOSING * unit) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    padded = cv2.copyMakeBorder(mask, side, side, side, side, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)
    return closed[side:-side, side:-side].astype(bool)


def body_unit(joints: Joints, size: tuple[int, int]) -> float:
    """Length of the trunk in pixels, or the best guess at it that the visible joints allow."""
    seen = visible(joints)
    # Pairs of joints and their usual distance in trunks; the longest guess wins, since a limb that
    # points at the camera looks shorter, never longer.
    usual = {
        (1, 8): 1.0,
        (1, 11): 1.0,
        (2, 5): 0.75,
        (8, 9): 0.85,
        (11, 12): 0.85,
        (9, 10): 0.8,
        (12, 13): 0.8,
        (2, 3): 0.6,
        (5, 6): 0.6,
        (0, 1): 0.5,
        (16, 17): 0.35,
    }
    guesses = [
        float(np.linalg.norm(joints[first, :2] - joints[second, :2])) / part
        for (first, second), part in usual.items()
        if seen[first] and seen[second]
    ]
    limit = max(size)
    if not guesses:
        return limit / 4.0
    trunk = guesses[: sum(1 for pair in ((1, 8), (1, 11)) if seen[list(pair)].all())]
    best = max(trunk) if trunk and max(trunk) > 0.5 * float(np.median(guesses)) else max(guesses)
    return float(np.clip(best, limit / 20.0, limit))


def _band(mask: Picture, start: np.ndarray, end: np.ndarray, half_width: float) -> None:
    along = end - start
    length = float(np.linalg.norm(along))
    if length > 0:
        side = np.array([-along[1], along[0]]) / length * half_width
        corners = np.array([start + side, end + side, end - side, start - side])
        cv2.fillConvexPoly(mask, _polygon(corners, mask.shape), 1, cv2.LINE_8, _SUBPIXEL_BITS)
    _disc(mask, start, half_width)
    _disc(mask, end, half_width)


def _hull(mask: Picture, points: np.ndarray, margin: float) -> None:
    turns = np.linspace(0, 2 * math.pi, 16, endpoint=False)
    circle = np.stack([np.cos(turns), np.sin(turns)], axis=1) * margin
    grown = (points[:, None, :] + circle[None, :, :]).reshape(-1, 2).astype(np.float32)
    hull = cv2.convexHull(grown).reshape(-1, 2)
    cv2.fillConvexPoly(mask, _polygon(hull, mask.shape), 1, cv2.LINE_8, _SUBPIXEL_BITS)


def _disc(mask: Picture, centre: np.ndarray, radius: float) -> None:
    ((x, y),) = _polygon(np.asarray(centre)[None], mask.shape)
    fixed = round(radius * 2**_SUBPIXEL_BITS)
    cv2.circle(mask, (int(x), int(y)), fixed, 1, -1, cv2.LINE_8, _SUBPIXEL_BITS)


def _polygon(points: np.ndarray, size: tuple[int, ...]) -> npt.NDArray[np.int32]:
    # Far outside is as good as a few pictures away, and keeps the fixed-point numbers small.
    limit = 4.0 * max(size[:2])
    return np.rint(np.clip(points, -limit, limit) * 2**_SUBPIXEL_BITS).astype(np.int32)


def _fixed(points: np.ndarray, size: tuple[int, int], factor: int) -> list[tuple[int, int]]:
    enlarged = (points + 0.5) * factor - 0.5
    scaled = _polygon(enlarged, (size[0] * factor, size[1] * factor))
    return [(int(x), int(y)) for x, y in scaled]


def _limb_colour(index: int) -> tuple[int, int, int]:
    return _hue(index / len(LIMBS), 0.75)


def _joint_colour(index: int) -> tuple[int, int, int]:
    return _hue(index / NUM_JOINTS, 1.0)


def _hue(part: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(part * 0.9, 1.0, value)
    return round(red * 255), round(green * 255), round(blue * 255)
