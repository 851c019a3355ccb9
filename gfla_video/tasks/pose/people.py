"""From lists of people per frame to the joints of one person over time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from gfla_video.detectors import coco_to_openpose
from gfla_video.tasks.pose.joints import NUM_JOINTS, Joints, visible
from gfla_video.utils.errors import UserError

FrameOfPeople = list[Joints]

# OpenPose's BODY_25 has the middle of the hips at 8 and feet from 19 on.
_BODY_25 = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)


def empty_body() -> Joints:
    """18 missing joints, float64 ``[18, 3]``."""
    body = np.full((NUM_JOINTS, 3), -1.0)
    body[:, 2] = 0
    return body


def body_from_numbers(numbers: Any, where: str, min_score: float, coco: bool) -> Joints:
    """Joints from a flat list x, y, score, x, y, score, ...

    Args:
        numbers: the list.
        where: named in the error.
        min_score: joints whose third number is not above this are missing.
        coco: the list is COCO's 17 (Halpe's 26) joints; else OpenPose's 18 or 25.

    Returns:
        float64 ``[18, 3]`` (x, y, visible), OpenPose order.

    Raises:
        UserError: another number of joints, or no numbers.
    """
    expected = (17, 26) if coco else (18, 25)
    try:
        values = np.asarray(numbers, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: keypoints must be a list of numbers") from error
    count = values.size // 3
    if values.ndim != 1 or values.size % 3 or count not in expected:
        kind = "COCO joints are 17" if coco else "OpenPose joints are 18 or 25"
        raise UserError(
            f"{where}: keypoints must be triples x, y, score and {kind}, got {values.size} numbers"
            f" ({values.size / 3:g} joints)"
        )
    triples = values.reshape(count, 3)
    if coco:
        return coco_to_openpose(triples, min_score).astype(np.float64)
    if count == 25:
        triples = triples[list(_BODY_25)]
    found = (triples[:, 2] > min_score) & np.isfinite(triples[:, :2]).all(axis=1)
    # OpenPose writes 0, 0, 0 for a joint that it did not find; converters often put a score of 1.
    found &= (triples[:, :2] != 0).any(axis=1)
    body = empty_body()
    body[found, :2] = triples[found, :2]
    body[:, 2] = found
    return body


def follow_one_person(frames: Iterable[FrameOfPeople]) -> tuple[Joints, list[str]]:
    """Choose one person in every frame: the largest at first, then whoever is nearest to them.

    Returns:
        float64 ``[T, 18, 3]`` and sentences for the user (several people, frames with nobody).
    """
    chosen: list[Joints] = []
    last: Joints | None = None
    crowded = 0
    for people in frames:
        seen = [body for body in people if visible(body).any()]
        crowded += len(seen) > 1
        if not seen:
            chosen.append(empty_body())
            continue
        if last is None:
            last = max(seen, key=_extent)
        else:
            reference = last
            last = min(seen, key=lambda body: _distance(body, reference))
        chosen.append(last)
    joints = np.stack(chosen) if chosen else np.zeros((0, NUM_JOINTS, 3))
    notes = []
    if crowded:
        notes.append(
            f"several people in {crowded} frames: the largest one of the first was followed"
        )
    return joints, notes


def _extent(body: Joints) -> float:
    points = body[visible(body), :2]
    return float(np.prod(np.ptp(points, axis=0) + 1.0)) * len(points)


def _distance(body: Joints, other: Joints) -> float:
    common = visible(body) & visible(other)
    if common.any():
        return float(np.linalg.norm(body[common, :2] - other[common, :2], axis=1).mean())
    centres = [item[visible(item), :2].mean(axis=0) for item in (body, other)]
    return float(np.linalg.norm(centres[0] - centres[1]))
