"""A face of 68 points drawn with rulers, for tests that need exact ones."""

from __future__ import annotations

import numpy as np


def face(
    width: float = 1.0,
    height: float = 1.0,
    mouth: float = 0.0,
    eyes: float = 1.0,
    turn: float = 0.0,
    size: float = 1.0,
    shift: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """68 landmarks in iBUG's order, about 100 high around (64, 64).

    Args:
        width: of the whole face, 1 = 80.
        height: of the whole face.
        mouth: opening of the lips, in pixels.
        eyes: opening of the lids, 0 = closed.
        turn: in the picture's plane, radians, clockwise.
        size: of all.
        shift: after all.

    Returns:
        float32 ``[68, 2]``.
    """
    angle = np.linspace(np.pi, 0, 17)
    jaw = np.stack([40 * np.cos(angle), 60 * np.sin(angle)], axis=1)
    jaw[4:13, 1] += mouth * np.sin(np.linspace(0, np.pi, 9))
    brows = [[x, -24 - 3 * np.sin(np.pi * i / 4)] for s in (-1, 1) for i, x in _brow(s)]
    nose = [[0, -12], [0, -4], [0, 4], [0, 12], [-8, 16], [-4, 18], [0, 19], [4, 18], [8, 16]]
    lids = [-9, -4, 4, 9, 4, -4], [0, -3, -3, 0, 3, 3]
    eye = [[[c + x, -12 + eyes * y] for x, y in zip(*lids, strict=True)] for c in (-20, 20)]
    upper = [[x, 34 - 4 * np.cos(np.pi * x / 36)] for x in (-18, -12, -6, 0, 6, 12, 18)]
    lower = [[x, 34 + mouth + 5 * np.cos(np.pi * x / 36)] for x in (12, 6, 0, -6, -12)]
    inner_up = [[x, 34.0] for x in (-14, -6, 0, 6, 14)]
    inner_low = [[x, 34.0 + mouth] for x in (6, 0, -6)]
    rest = [*brows, *nose, *eye[0], *eye[1], *upper, *lower, *inner_up, *inner_low]
    points = np.concatenate([jaw, np.array(rest)]) * (width, height)
    cos, sin = np.cos(turn), np.sin(turn)
    turned = points @ np.array([[cos, sin], [-sin, cos]])
    return (size * turned + 64 + np.array(shift)).astype(np.float32)


def _brow(side: int) -> list[tuple[int, float]]:
    xs = (-34, -27, -20, -13, -8) if side < 0 else (8, 13, 20, 27, 34)
    return list(enumerate(xs))
