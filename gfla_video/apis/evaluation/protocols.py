"""Samples as a protocol measures them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gfla_video.apis.predictors import Batch, Prediction
from gfla_video.evaluation.clips import clip_lengths, is_clip_batch
from gfla_video.evaluation.protocols import Picture, Prepared, Protocol

Points = npt.NDArray[np.float64]
PointsOf = Callable[[str], Points]


@dataclass(frozen=True)
class PreparedSample:
    """One sample: a still picture, or the frames of a clip.

    Attributes:
        reference: uint8 ``[n, H, W, 3]``; n is 1 for a still picture.
        generated: the same by predictor.
        points: ``[n, N, 3]`` (x, y, visible) in pixels of the prepared reference, or None.
        clip: whether it is a clip.
        notes: what the protocol has to say about the pictures' sizes.
    """

    reference: Picture
    generated: dict[str, Picture]
    points: Points | None = None
    clip: bool = False
    notes: tuple[str, ...] = ()


def prepared_samples(
    protocol: Protocol,
    batch: Batch,
    made: Mapping[str, Sequence[Prediction]],
    points_of: PointsOf | None = None,
    fit: str | None = None,
) -> Iterator[PreparedSample]:
    """The samples of a batch as the protocol measures them.

    Args:
        protocol: what is done to the pictures.
        batch: collated stills or clips.
        made: predictions by predictor; one that makes no pictures is left out.
        points_of: points ``[N, 3]`` of a target picture by its name (``meta["target"]``), where the
            targets have no ``points``.
        fit: how the data's pictures came to their size, see :class:`Protocol`.
    """
    clips = is_clip_batch(batch)
    drawn = {name: some for name, some in made.items() if all("image" in one for one in some)}
    images = batch["targets"]["image"]
    lengths = clip_lengths(batch) if clips else [1] * len(images)
    for index, length in enumerate(lengths):
        target = images[index][:length] if clips else images[index : index + 1]
        reference = [protocol.prepare_reference(frame, fit) for frame in target]
        generated = {}
        notes = _notes(reference)
        for name, predictions in drawn.items():
            image = predictions[index]["image"]
            prepared = [
                protocol.prepare_generated(frame, fit=fit)
                for frame in (image[:length] if clips else image[None])
            ]
            generated[name] = _stacked(prepared)
            notes |= _notes(prepared)
        size = (target.shape[-2], target.shape[-1])
        points = _points(batch, index, length, points_of)
        if points is not None:
            points = np.stack([protocol.move_points(one, size, fit) for one in points])
        yield PreparedSample(_stacked(reference), generated, points, clips, tuple(notes))


def metric_batches(
    samples: Sequence[PreparedSample], device: torch.device
) -> Iterator[tuple[Batch, dict[str, list[Prediction]], int]]:
    """Batches as metrics take them: clips one by one, still pictures of one size together.

    Args:
        samples: in the order of the data.
        device: where the metrics compute.

    Yields:
        the batch, predictions by predictor, and the number of samples.
    """
    for (clip, *_), group in groupby(samples, _kind):
        together = list(group)
        for part in [[one] for one in together] if clip else [together]:
            yield _metric_batch(part, device)


@dataclass
class ReferenceDigest:
    """Tells whether two evaluations had the same reference pictures, and in the same order.

    Attributes:
        total: of the digests of the pictures.
        in_order: the same, where a picture counts otherwise at each place.
    """

    total: int = 0
    in_order: int = 0

    def add(self, pictures: Picture) -> None:
        """Pictures uint8 ``[n, H, W, 3]``."""
        for picture in pictures:
            text = repr(picture.shape).encode() + np.ascontiguousarray(picture).tobytes()
            one = int.from_bytes(hashlib.sha256(text).digest(), "big")
            self.total = (self.total + one) % 2**256
            self.in_order = (self.in_order * 3 + one) % 2**256

    def told(self, metrics: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """What a table holds of it: 16 hexadecimal digits, of the order where it matters."""
        found = {"references": f"{self.total:064x}"[:16]}
        if order_matters(metrics):
            found["references_order"] = f"{self.in_order:064x}"[:16]
        return found


def order_matters(metrics: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a number depends on the order of the pictures: parts, subsets, whole batches."""
    return any(
        metric.get("whole_batches") or metric.get("type") in ("InceptionScore", "KID")
        for metric in metrics
    )


def _kind(sample: PreparedSample) -> tuple[Any, ...]:
    points = None if sample.points is None else sample.points.shape[1:]
    return sample.clip, sample.reference.shape[1:], points, tuple(sample.generated)


def _metric_batch(
    part: list[PreparedSample], device: torch.device
) -> tuple[Batch, dict[str, list[Prediction]], int]:
    first = part[0]
    images = _on(np.concatenate([one.reference for one in part]), device)
    targets = {"image": images}
    if first.points is not None:
        points = np.concatenate([one.points for one in part if one.points is not None])
        targets["points"] = torch.from_numpy(points).float()
    made = {
        name: [{"image": image} for image in _on(_all_of(part, name), device)]
        for name in first.generated
    }
    if not first.clip:
        return {"inputs": {}, "targets": targets}, made, len(part)
    inputs = {"target_structures": torch.zeros(1, len(images))}
    clip = {key: value[None] for key, value in targets.items()}
    whole = {
        name: [{"image": torch.stack([one["image"] for one in frames])}]
        for name, frames in made.items()
    }
    return {"inputs": inputs, "targets": clip}, whole, 1


def _all_of(part: list[PreparedSample], name: str) -> Picture:
    return np.concatenate([one.generated[name] for one in part])


def _on(pictures: Picture, device: torch.device) -> Tensor:
    """uint8 ``[n, H, W, 3]`` to float ``[n, 3, H, W]`` in [-1, 1] on the device."""
    return torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def _stacked(prepared: list[Prepared]) -> Picture:
    return np.stack([one.picture for one in prepared])


def _notes(prepared: list[Prepared]) -> dict[str, None]:
    """In the order in which they came, each once."""
    return dict.fromkeys(one.note for one in prepared if one.note)


def _points(batch: Batch, index: int, length: int, points_of: PointsOf | None) -> Points | None:
    """Points ``[n, N, 3]`` of a sample's target, from the targets or by the picture's name."""
    points = batch["targets"].get("points")
    if points is not None:
        own: Points = points[index].double().numpy()
        return own[:length] if own.ndim == 3 else own[None]
    names = batch.get("meta", {}).get("target")
    if points_of is None or names is None:
        return None
    return points_of(names[index])[None]
