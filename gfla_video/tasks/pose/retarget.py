"""Moving one body's poses onto another body's place, size and limb lengths; filling short gaps.

Everything here is plain geometry on joints float64 ``[..., 18, 3]`` (x, y, visible) in pixels of
one frame, OpenPose order.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from gfla_video.tasks.pose.joints import FLIP_ORDER, LIMBS, Joints, visible
from gfla_video.utils.errors import UserError

NECK = 1
_SHOULDERS, _HIPS = (2, 5), (8, 11)
# A limb of one picture may be foreshortened (a shoulder seen from the side is almost a point), and
# that says nothing about its length: no limb is scaled by more than this beyond the whole body.
_MOST_STRETCH = 1.6
MAX_GAP = 8


def fit_to_body(driving: Joints, source: Joints) -> Joints:
    """Give a driver's motion the source's place, size and limb lengths.

    Every limb keeps the direction and the relative foreshortening that it has in the frame, and is
    scaled by the ratio of its length in ``source`` to its median length over the driver's frames. A
    limb unseen in one of them takes the ratio of its mirror, else that of the whole body (trunk);
    ratios stay within 1.6 times the body's either way. The neck's median place becomes the source's
    neck, and its motion is scaled like the body.

    Args:
        driving: ``[T, 18, 3]``; any frame, aspect ratio 1.
        source: ``[18, 3]`` in pixels of the frame that the result is for.

    Returns:
        ``[T, 18, 3]``, the driver's missing joints stay missing.

    Raises:
        UserError: the source or all of the driver has neither a neck nor hips, or there is no limb
            that both show.
    """
    driving, source = np.asarray(driving, dtype=np.float64), np.asarray(source, dtype=np.float64)
    scale, ratios = limb_ratios(driving, source)
    offset = _hips_to_neck(driving)
    anchor = _anchor(source[None], offset * scale)[0]
    roots = _anchor(driving, offset)
    if not np.isfinite(anchor).all() or not np.isfinite(roots).any():
        whose = "source" if not np.isfinite(anchor).all() else "driving"
        raise UserError(
            f"--fit body: the {whose} pose shows neither a neck, two shoulders nor hips to place "
            "the body by; use --fit frame"
        )
    home = np.nanmedian(roots, axis=0)
    moved = np.full_like(driving, -1.0)
    moved[..., 2] = 0.0
    for frame, root, result in zip(driving, roots, moved, strict=True):
        if np.isfinite(root).all():
            place_body(frame, root, anchor + scale * (root - home), ratios, scale, result)
        else:  # nothing to hang the limbs on: the same similarity as the body on the whole
            seen = visible(frame)
            result[seen, :2] = anchor + scale * (frame[seen, :2] - home)
            result[seen, 2] = 1.0
    return moved


def limb_ratios(driving: Joints, source: Joints) -> tuple[float, np.ndarray]:
    """Scale of the whole body and of every limb of ``LIMBS``, source over driver.

    Raises:
        UserError: no limb is seen in both.
    """
    lengths = _limb_lengths(driving)
    typical = np.full(len(LIMBS), np.nan)
    seen = np.isfinite(lengths).any(axis=0)
    typical[seen] = np.nanmedian(lengths[:, seen], axis=0)
    wanted = _limb_lengths(source[None])[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = wanted / typical
    ratios[~np.isfinite(ratios) | (ratios <= 0)] = np.nan
    trunk = [index for index, limb in enumerate(LIMBS) if limb in ((1, 8), (1, 11))]
    basis = ratios[trunk] if np.isfinite(ratios[trunk]).any() else ratios
    if not np.isfinite(basis).any():
        raise UserError(
            "--fit body: the source and the driving poses show no limb in common; use --fit frame"
        )
    scale = float(np.nanmedian(basis))
    mirrored = ratios[_mirror_limbs()]
    ratios = np.where(np.isfinite(ratios), ratios, mirrored)
    ratios = np.where(np.isfinite(ratios), ratios, scale)
    return scale, np.clip(ratios, scale / _MOST_STRETCH, scale * _MOST_STRETCH)


def place_body(
    frame: Joints,
    root: np.ndarray,
    place: np.ndarray,
    ratios: np.ndarray,
    scale: float,
    result: Joints,
) -> None:
    """Hang one frame's joints on a neck at ``place``, limb by limb; writes into ``result``.

    A joint whose parent is missing hangs on the nearest ancestor that is there, scaled like the
    whole body.
    """
    old = {NECK: root}
    new = {NECK: place}
    seen = visible(frame)
    if seen[NECK]:
        result[NECK] = (*place, 1.0)
    parents = {child: parent for parent, child in LIMBS}
    for parent, child in _by_depth():
        if not seen[child]:
            continue
        ratio, ancestor = ratios[LIMBS.index((parent, child))], parent
        while ancestor not in new:
            ancestor, ratio = parents[ancestor], scale
        old[child] = frame[child, :2]
        new[child] = new[ancestor] + ratio * (old[child] - old[ancestor])
        result[child] = (*new[child], 1.0)


def interpolate_gaps(joints: Joints, longest: int = MAX_GAP) -> tuple[Joints, int]:
    """Fill gaps of up to ``longest`` frames, joint by joint, along a straight line in time.

    Args:
        joints: ``[T, 18, 3]``.
        longest: frames; longer gaps, and those at the ends, stay.

    Returns:
        The filled joints and how many were filled.
    """
    filled = np.array(joints, dtype=np.float64)
    count = 0
    for joint in range(filled.shape[1]):
        there = np.flatnonzero(visible(filled[:, joint]))
        for start, end in pairwise(there):
            gap = end - start - 1
            if 0 < gap <= longest:
                part = (np.arange(1, gap + 1) / (gap + 1))[:, None]
                ends = filled[[start, end], joint, :2]
                filled[start + 1 : end, joint, :2] = (1 - part) * ends[0] + part * ends[1]
                filled[start + 1 : end, joint, 2] = 1.0
                count += gap
    return filled, count


def _limb_lengths(joints: Joints) -> np.ndarray:
    """``[T, limbs]``, NaN where an end is missing."""
    pairs = np.array(LIMBS)
    seen = visible(joints)
    both = seen[:, pairs[:, 0]] & seen[:, pairs[:, 1]]
    vectors = joints[:, pairs[:, 0], :2] - joints[:, pairs[:, 1], :2]
    return np.where(both, np.linalg.norm(vectors, axis=-1), np.nan)


def _mirror_limbs() -> list[int]:
    return [LIMBS.index((FLIP_ORDER[first], FLIP_ORDER[second])) for first, second in LIMBS]


def _by_depth() -> list[tuple[int, int]]:
    """Limbs so that a parent's own limb comes first (``LIMBS`` need not be so)."""
    ordered: list[tuple[int, int]] = []
    reached = {NECK}
    rest = list(LIMBS)
    while rest:
        ready = [limb for limb in rest if limb[0] in reached]
        ordered += ready
        reached |= {child for _, child in ready}
        rest = [limb for limb in rest if limb not in ready]
    return ordered


def _middle(joints: Joints, pair: tuple[int, int]) -> np.ndarray:
    """Middle of two joints ``[T, 2]``, NaN where one is missing."""
    both = visible(joints)[:, pair].all(axis=1)
    return np.where(both[:, None], joints[:, pair, :2].mean(axis=1), np.nan)


def _neck(joints: Joints) -> np.ndarray:
    own = np.where(visible(joints)[:, NECK, None], joints[:, NECK, :2], np.nan)
    return np.where(np.isfinite(own), own, _middle(joints, _SHOULDERS))


def _hips_to_neck(joints: Joints) -> np.ndarray:
    """Median vector from the middle of the hips to the neck, zero where they are never seen."""
    vectors = _neck(joints) - _middle(joints, _HIPS)
    seen = np.isfinite(vectors).all(axis=1)
    return np.median(vectors[seen], axis=0) if seen.any() else np.zeros(2)


def _anchor(joints: Joints, hips_to_neck: np.ndarray) -> np.ndarray:
    """Where the neck is, ``[T, 2]``: itself, between the shoulders, or above the hips; else NaN."""
    neck = _neck(joints)
    return np.where(np.isfinite(neck), neck, _middle(joints, _HIPS) + hips_to_neck)
