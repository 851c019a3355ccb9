"""Poses of a simple 3-D skeleton, its forward kinematics, and its 18 OpenPose joints.

World axes as in `shapes`; at yaw 0 the person faces the viewer, so the person's right is at -X.
Angles are degrees; positive swing = forwards, positive abduction = away from the body.
"""

from dataclasses import dataclass, field

import numpy as np

from data_prep.people.shapes import Array, Frame

_R = ("Rsho", "Relb", "Rwri"), ("Rhip", "Rkne", "Rank")
_L = ("Lsho", "Lelb", "Lwri"), ("Lhip", "Lkne", "Lank")
JOINTS = ("nose", "neck", *_R[0], *_L[0], *_R[1], *_L[1], "REye", "LEye", "REar", "LEar")
FACE = {"nose": 0, "REye": 14, "LEye": 15, "REar": 16, "LEar": 17}
SIDES = {"R": -1.0, "L": 1.0}


@dataclass(frozen=True)
class Proportions:
    """Lengths and half widths in body heights."""

    shoulder: float = 0.115
    hip: float = 0.058
    spine: float = 0.275
    upper_arm: float = 0.16
    forearm: float = 0.14
    thigh: float = 0.235
    shin: float = 0.225
    girth: float = 1.0  # scale of all half widths
    waist: float = 0.078
    chest: float = 0.094
    hips: float = 0.088
    head: float = 1.0
    height: float = 1.0  # of this person against the others
    step: float = 1.0  # how far the legs swing (a skirt holds them)


@dataclass
class Limb:
    """Swing, abduction and twist of the upper part, bend of elbow or knee, pitch of the foot."""

    swing: float = 0.0
    abduct: float = 4.0
    twist: float = 0.0
    bend: float = 6.0
    foot: float = 0.0


@dataclass
class Pose:
    """All angles of a body, in degrees; yaw 90 = the person looks to the right of the picture."""

    yaw: float = 0.0
    lean: float = 0.0
    side: float = 0.0
    twist: float = 0.0
    head_yaw: float = 0.0
    nod: float = 0.0
    arms: dict[str, Limb] = field(default_factory=lambda: {"R": Limb(), "L": Limb()})
    legs: dict[str, Limb] = field(default_factory=lambda: {"R": Limb(), "L": Limb()})


def turn(axis: str, degrees: float) -> Array:
    """Rotation matrix [3,3] about x, y or z (right-handed)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix


def place(body: Proportions, pose: Pose, pitch: float = 7.0) -> dict[str, Frame]:
    """Frames of all bones, soles on the ground (Y = 0 below the pelvis before the camera's pitch).

    Args:
        body: lengths in body heights.
        pose: the angles.
        pitch: how far the camera looks down, degrees.

    Returns:
        Bone name to frame: pelvis, torso, head, and {arm, fore, thigh, shin, foot} + side.
    """
    root = turn("y", pose.yaw)
    frames = {"pelvis": Frame(root, np.zeros(3))}
    torso = root @ turn("y", pose.twist) @ turn("x", pose.lean) @ turn("z", pose.side)
    frames["torso"] = Frame(torso, root @ np.array([0.0, 0.045, 0.0]))
    neck = frames["torso"].world(np.array([[0.0, body.spine + 0.035, 0.0]]))[0]
    head = torso @ turn("y", pose.head_yaw) @ turn("x", pose.nod)
    frames["head"] = Frame(head, neck + head @ np.array([0.0, 0.06 * body.head, 0.008]))
    for side, sign in SIDES.items():
        start = frames["torso"].world(np.array([[sign * body.shoulder, body.spine - 0.056, 0.0]]))[
            0
        ]
        _chain(frames, torso, pose.arms[side], start, sign, ("arm", body.upper_arm, "fore", 1.0))
        start = root @ np.array([sign * body.hip, -0.03, 0.0])
        names = ("thigh", body.thigh, "shin", -1.0)
        _chain(frames, root, pose.legs[side], start, sign, names, body.step)
        shin = frames["shin" + side]
        ankle = shin.world(np.array([[0.0, -body.shin, 0.0]]))[0]
        outward = turn("y", sign * 8.0)
        foot = shin.rotation @ outward @ turn("x", -pose.legs[side].foot * body.step)
        frames["foot" + side] = Frame(foot, ankle)
    soles = np.array([[0.0, -0.042, -0.02], [0.0, -0.042, 0.1]])
    low = min(frames["foot" + side].world(soles)[:, 1].min() for side in SIDES)
    view, lift = turn("x", pitch), np.array([0.0, -low, 0.0])
    return {k: Frame(view @ f.rotation, view @ (f.place + lift)) for k, f in frames.items()}


def _chain(
    frames: dict[str, Frame],
    parent: Array,
    limb: Limb,
    start: Array,
    sign: float,
    names: tuple[str, float, str, float],
    step: float = 1.0,
) -> None:
    """Add the two bones of one arm or leg; `sign` is the side, the last of `names` the bend's."""
    upper, length, lower, bends = names
    swing, bend = limb.swing * step, limb.bend * step
    side = "L" if sign > 0 else "R"
    rotation = parent @ turn("z", sign * limb.abduct) @ turn("x", -swing)
    rotation = rotation @ turn("y", -sign * limb.twist)
    frames[upper + side] = Frame(rotation, start)
    end = start + rotation @ np.array([0.0, -length, 0.0])
    frames[lower + side] = Frame(rotation @ turn("x", -bends * bend), end)


def anchors(body: Proportions) -> list[tuple[str, tuple[float, float, float]]]:
    """Bone and local position of the 18 OpenPose joints (18 pairs, in `JOINTS`' order)."""
    h = body.head
    found: dict[str, tuple[str, tuple[float, float, float]]] = {
        "nose": ("head", (0.0, -0.008 * h, 0.068 * h)),
        "neck": ("torso", (0.0, body.spine - 0.015, 0.0)),
    }
    for side, sign in SIDES.items():
        found[side + "sho"] = ("arm" + side, (0.0, 0.0, 0.0))
        found[side + "elb"] = ("fore" + side, (0.0, 0.0, 0.0))
        found[side + "wri"] = ("fore" + side, (0.0, -body.forearm, 0.0))
        found[side + "hip"] = ("thigh" + side, (0.0, 0.0, 0.0))
        found[side + "kne"] = ("shin" + side, (0.0, 0.0, 0.0))
        found[side + "ank"] = ("foot" + side, (0.0, 0.0, 0.0))
        found[side + "Eye"] = ("head", (sign * 0.023 * h, 0.008 * h, 0.056 * h))
        found[side + "Ear"] = ("head", (sign * 0.055 * h, -0.004 * h, -0.004 * h))
    return [found[name] for name in JOINTS]


def joints(body: Proportions, frames: dict[str, Frame]) -> Array:
    """World positions [18,3] of the joints."""
    return np.stack([frames[b].world(np.array([p]))[0] for b, p in anchors(body)])


def face_shown(frames: dict[str, Frame]) -> dict[str, bool]:
    """Which face joints a detector would report, by the direction that the head looks to."""
    towards = frames["head"].rotation[2]  # local directions' components along the view
    faces = {
        "nose": (0.0, 0.0, 1.0, -0.12),
        "REye": (-0.45, 0.0, 0.89, 0.05),
        "LEye": (0.45, 0.0, 0.89, 0.05),
        "REar": (-0.97, 0.0, -0.2, -0.35),
        "LEar": (0.97, 0.0, -0.2, -0.35),
    }
    return {k: bool(towards @ np.array(v[:3]) > v[3]) for k, v in faces.items()}
