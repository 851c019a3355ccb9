"""One face's motion on another face's geometry.

Landmarks are ``[..., 68, 2]`` in iBUG's order (see ``annotation``), in pixels of any picture with
square pixels. Internally a point is a complex number x + iy, so that turning and scaling is one
product.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gfla_video.tasks.face.annotation import Landmarks

Points = npt.NDArray[np.complex128]

# Bridge and base of the nose and the corners of the eyes: what a face's expression moves least.
_RIGID = [27, 28, 29, 30, 31, 33, 35, 36, 39, 42, 45]
_OUTER_CORNERS = (36, 45)
_EYES = (list(range(36, 42)), list(range(42, 48)))
_LIDS = ([(37, 41), (38, 40)], [(43, 47), (44, 46)])  # upper, lower
_LIPS = [(61, 67), (62, 66), (63, 65)]
_BROWS, _CHIN, _JAW_ENDS, _MOUTH_CORNERS = list(range(17, 27)), 8, (0, 16), (48, 54)
_NOSE_TIP = 30
_RATIOS = (0.5, 2.0)  # of the source's to the driver's extents, beyond which none is trusted
_LID_RATIOS = (0.3, 3.0)


def relative_motion(driving: Landmarks, source: Landmarks, anchor: int) -> Landmarks:
    """Put the motion of a clip since its frame ``anchor`` on the source's own face.

    The motion is taken apart: where the head goes (shift, turn in the picture's plane and size,
    fitted to the points that no expression moves), and how the face changes apart from that, in
    axes along the anchor's face and in units of its size. The second is scaled by the ratio of the
    faces' widths and heights (for the lids: of the eyes' openings, so that eyes that close there
    close here) and added to the source's points. At the anchor the result is the source itself;
    the driver's size, place and face do not matter.

    Args:
        driving: ``[T, 68, 2]``, finite.
        source: ``[68, 2]``.
        anchor: frame that the source's expression stands for.

    Returns:
        float32 ``[T, 68, 2]`` in the source's pixels.
    """
    clip, own = _complex(driving), _complex(source)
    still = clip[anchor]
    centre = still[_RIGID].mean()
    centres = clip[:, _RIGID].mean(axis=1)
    shape = still - centre
    turns = (clip[:, _RIGID] - centres[:, None]) @ shape[_RIGID].conj()
    turns = turns / (np.abs(shape[_RIGID]) ** 2).sum()
    axes, own_axes = _face_axes(still), _face_axes(own)
    neutral = (own - own[_RIGID].mean()) / own_axes
    change = ((clip - centres[:, None]) / turns[:, None] - shape) / axes
    moved = _uncrossed(neutral + _fitted(change, shape / axes, neutral))
    size = abs(own_axes) / abs(axes)
    middle = own[_RIGID].mean() + size * (centres - centre)
    return _points(middle[:, None] + turns[:, None] * own_axes * moved)


def neutral_frame(landmarks: Landmarks) -> int:
    """The frame of ``[T, 68, 2]`` with the calmest face.

    Lips closed, looking ahead, and eyes, brows and mouth as they are for most of the time.
    """
    clip = _complex(landmarks)
    level = (clip - clip[:, _RIGID].mean(axis=1)[:, None]) / _face_axes(clip)[:, None]
    lips = np.mean([np.abs(level[:, low] - level[:, up]) for up, low in _LIPS], axis=0)
    eyes = np.mean([_opening(level, lids) for lids in _LIDS], axis=0)
    brows = level[:, _BROWS].imag.mean(axis=1)
    mouth = np.abs(level[:, _MOUTH_CORNERS[1]] - level[:, _MOUTH_CORNERS[0]])
    to_ears = [np.abs(level[:, end] - level[:, _NOSE_TIP]) for end in _JAW_ENDS]
    turned = np.abs(to_ears[0] - to_ears[1]) / (to_ears[0] + to_ears[1])
    unusual = sum(np.abs(value - np.median(value)) for value in (eyes, brows, mouth, turned))
    return int(np.argmin(lips + turned + unusual))


def _fitted(change: Points, driver: Points, source: Points) -> Points:
    """Changes ``[T, 68]`` of the driver's face as large as they are on the source's."""
    wide = _ratio(_width(source), _width(driver), _RATIOS)
    high = _ratio(_height(source), _height(driver), _RATIOS)
    fitted = np.asarray(change.real * wide + 1j * change.imag * high)
    for eye, lids in zip(_EYES, _LIDS, strict=True):
        middle = fitted[:, eye].mean(axis=1, keepdims=True)
        apart = fitted[:, eye] - middle
        open_ = _ratio(_opening(source, lids), _opening(driver, lids), _LID_RATIOS)
        fitted[:, eye] = middle + apart.real + 1j * apart.imag * open_ / high
    return fitted


def _uncrossed(faces: Points) -> Points:
    """Lids and lips that would pass each other meet half-way."""
    for upper, lower in (*_LIDS[0], *_LIDS[1], *_LIPS):
        crossed = faces[:, lower].imag < faces[:, upper].imag
        middle = (faces[:, lower].imag + faces[:, upper].imag) / 2
        for point in (upper, lower):
            faces[crossed, point] = faces[crossed, point].real + 1j * middle[crossed]
    return faces


def _face_axes(face: Points) -> Points:
    """Turn and size of faces ``[..., 68]``: one complex number each.

    The direction is that of the eyes' outer corners, the length the root-mean-square distance of
    the rigid points from their middle.
    """
    rigid = face[..., _RIGID]
    size = np.sqrt((np.abs(rigid - rigid.mean(axis=-1, keepdims=True)) ** 2).mean(axis=-1))
    across = face[..., _OUTER_CORNERS[1]] - face[..., _OUTER_CORNERS[0]]
    return np.asarray(size * across / np.maximum(np.abs(across), 1e-9))


def _opening(face: Points, lids: list[tuple[int, int]]) -> npt.NDArray[np.float64]:
    gaps = [face[..., low].imag - face[..., up].imag for up, low in lids]
    return np.maximum(np.mean(gaps, axis=0), 0)


def _width(face: Points) -> float:
    return float(abs(face[_JAW_ENDS[1]].real - face[_JAW_ENDS[0]].real))


def _height(face: Points) -> float:
    return float(abs(face[_CHIN].imag - face[_BROWS].imag.mean()))


def _ratio(own: float, other: float, bounds: tuple[float, float]) -> float:
    return float(np.clip(own / max(other, 1e-6), *bounds))


def _complex(landmarks: Landmarks) -> Points:
    points = np.asarray(landmarks, dtype=np.float64)
    return np.asarray(points[..., 0] + 1j * points[..., 1])


def _points(face: Points) -> Landmarks:
    return np.stack([face.real, face.imag], axis=-1).astype(np.float32)
