"""Where poses come from: a walking cycle, and random standing, striding and gesturing poses."""

import numpy as np

from data_prep.people.skeleton import SIDES, Limb, Pose

VIEWS = {"front": 0.44, "quarter": 0.3, "side": 0.12, "back": 0.14}  # how often each is drawn


def walk(phase: float, yaw: float, stride: float = 1.0) -> Pose:
    """One moment of a walking cycle.

    Args:
        phase: radians, one cycle (two steps) per 2 pi.
        yaw: where the body looks, degrees.
        stride: size of the steps, about 1.
    """
    pose = Pose(yaw=yaw, lean=3.0, side=1.5 * np.sin(phase), nod=2.0)
    pose.twist = 5.0 * stride * np.sin(phase)
    pose.head_yaw = -pose.twist
    for side, offset in (("R", 0.0), ("L", np.pi)):
        s, c = np.sin(phase + offset), np.cos(phase + offset)
        swing, knee = 27.0 * stride * s + 4.0, 8.0 + 46.0 * stride * max(0.0, c) ** 1.5
        pose.legs[side] = Limb(swing, 1.5, 0.0, knee, 0.55 * (knee - swing) - 6.0 * max(0.0, -c))
        pose.arms[side] = Limb(-26.0 * stride * s, 9.0, 8.0, 18.0 + 10.0 * max(0.0, -s))
    return pose


def view_angle(rng: np.random.Generator, view: str) -> float:
    """A yaw in degrees for one of the names in `VIEWS`."""
    low, high = {"front": (0, 22), "quarter": (25, 60), "side": (68, 105), "back": (145, 180)}[view]
    return float(rng.uniform(low, high) * rng.choice([-1.0, 1.0]))


def random_pose(rng: np.random.Generator, view: str, most: float = 180.0) -> Pose:
    """A random pose seen from `view`; yaws are scaled to be at most `most` degrees."""
    yaw = view_angle(rng, view) * most / 180.0
    if rng.random() < 0.4:
        return walk(rng.uniform(0, 2 * np.pi), yaw, rng.uniform(0.7, 1.15))
    pose = Pose(
        yaw=yaw,
        lean=rng.normal(0, 3),
        side=rng.normal(0, 4),
        twist=rng.normal(0, 7),
        head_yaw=float(np.clip(rng.normal(0, 16), -40, 40)),
        nod=rng.normal(0, 5),
    )
    for side in SIDES:
        pose.arms[side] = _arm(rng)
    _stand(rng, pose)
    return pose


def _arm(rng: np.random.Generator) -> Limb:
    kind = rng.choice(
        ["hang", "hip", "bent", "raise", "out", "back"], p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.1]
    )
    n = rng.normal
    table = {
        "hang": Limb(n(0, 8), abs(n(9, 4)) + 3, n(10, 10), abs(n(12, 8)) + 3),
        "hip": Limb(n(-14, 5), n(40, 6), n(78, 8), n(98, 8)),
        "bent": Limb(n(15, 12), abs(n(10, 5)) + 3, n(25, 20), n(80, 22)),
        "raise": Limb(n(20, 20), n(128, 15), n(10, 20), abs(n(40, 25))),
        "out": Limb(n(10, 12), n(55, 12), n(0, 20), abs(n(35, 20))),
        "back": Limb(n(-30, 8), n(10, 4), n(35, 10), abs(n(35, 12))),
    }
    return table[str(kind)]


def _stand(rng: np.random.Generator, pose: Pose) -> None:
    """Set the legs: a plain stand, one bent leg, a wide stand, or one raised knee."""
    kind = rng.choice(["plain", "bent", "wide", "knee"], p=[0.4, 0.3, 0.2, 0.1])
    spread = abs(rng.normal(4, 2)) if kind != "wide" else rng.uniform(9, 16)
    for side in SIDES:
        swing = rng.normal(0, 4)
        pose.legs[side] = Limb(swing, spread, 0.0, 5.0, 5.0 - swing)
    if kind in ("bent", "knee"):
        side = str(rng.choice(list(SIDES)))
        swing = rng.uniform(8, 26) if kind == "bent" else rng.uniform(45, 75)
        bend = swing + rng.uniform(8, 22)
        pose.legs[side] = Limb(swing, spread + 2.0, -8.0, bend, bend - swing)
