"""What all metrics share: sums over samples, in memory that does not grow with their number."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import get_dist_info
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor

from gfla_video.utils.errors import UserError

Prediction = dict[str, Any]


def unit_range(images: Tensor) -> Tensor:
    """Images in [-1, 1] to [0, 1], clamped, float32: the scale of all numbers about pictures."""
    return ((images.float() + 1) / 2).clamp(0, 1)


class StreamingMetric(BaseMetric):
    """A metric whose state is one vector of sums, correct over uneven batches and processes.

    A subclass gives ``sums`` (one row of numbers per sample, added up over samples) and ``finish``
    (the totals to named values). ``needs_predictions`` and ``needs_targets`` name what it reads.

    With several processes MMEngine's sampler repeats samples so that every process gets the same
    count. The repeated ones are the last of a process, so each process holds back its newest
    row until it is known, in ``evaluate``, whether that sample was a repetition.

    Args:
        optional: leave the metric out, with one warning, where the data or the prediction lack what
            it reads. Otherwise this is an error.
        collect_device: where MMEngine gathers the sums of several processes, "cpu" or "gpu".
        prefix: put before the names of the values, with a slash.
    """

    default_prefix = ""  # values are named by themselves; no prefix is not an oversight
    needs_predictions: tuple[str, ...] = ("image",)
    needs_targets: tuple[str, ...] = ("image",)

    def __init__(
        self, optional: bool = False, collect_device: str = "cpu", prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.optional = optional
        self._reset()

    def _reset(self) -> None:
        self._totals: Tensor | None = None
        self._held_back: Tensor | None = None
        self._seen = 0

    @abstractmethod
    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """Numbers ``[B, K]`` of each sample, to be added up over all samples.

        Args:
            predictions: B dicts of the predict contract (image, flows, masks).
            targets: collated targets, each ``[B, ...]``.
        """

    @abstractmethod
    def finish(self, totals: Tensor) -> dict[str, float]:
        """Named values from the totals ``[K]`` (float64). What is not defined is NaN."""

    def missing(self, predictions: Sequence[Prediction], targets: dict[str, Any]) -> list[str]:
        """Names of what this metric reads and does not find."""
        absent = [
            f"prediction '{key}'"
            for key in self.needs_predictions
            if any(key not in one for one in predictions)
        ]
        return absent + [f"target '{key}'" for key in self.needs_targets if key not in targets]

    def process(self, data_batch: dict[str, Any], data_samples: Sequence[Prediction]) -> None:
        """Add one batch.

        Args:
            data_batch: collated sample with ``targets``.
            data_samples: one prediction dict per sample.

        Raises:
            UserError: the data or the prediction lack something that is read, unless ``optional``.
        """
        targets, predictions = data_batch["targets"], list(data_samples)
        absent = self.missing(predictions, targets)
        if absent:
            self._say_missing(absent)
            return
        device = _device_of(predictions)
        moved = {key: targets[key].to(device) for key in self.needs_targets}
        for row in self.sums(predictions, moved).detach().cpu().double():
            self._add(self._held_back)
            self._held_back = row
            self._seen += 1

    def evaluate(self, size: int) -> dict[str, float]:
        """Values over all samples of all processes.

        Args:
            size: number of different samples, over all processes.
        """
        rank, processes = get_dist_info()
        newest = (self._seen - 1) * processes + rank  # index in MMEngine's interleaved order
        if newest < size:
            self._add(self._held_back)
        self.results = [self._totals]
        self._reset()
        return super().evaluate(processes)

    def compute_metrics(self, results: list[Tensor | None]) -> dict[str, float]:
        """Join the sums of the processes and turn them into values."""
        found = [totals for totals in results if totals is not None]
        if found:
            return self.finish(torch.stack(found).sum(0))
        if self.optional:
            return {}
        raise UserError(f"{type(self).__name__}: no sample was evaluated; is the test list empty?")

    def _add(self, row: Tensor | None) -> None:
        if row is not None:
            self._totals = row.clone() if self._totals is None else self._totals.add_(row)

    def _say_missing(self, absent: list[str]) -> None:
        name, what = type(self).__name__, " and ".join(absent)
        if not self.optional:
            raise UserError(
                f"{name} needs the {what}, which these samples have not; take {name} out of "
                "test_metrics, or give it optional=True to leave it out where data lack it"
            )
        if not getattr(self, "_said", False):
            self._said = True
            print_log(f"{name} is left out: no {what}", logger="current", level=logging.WARNING)


def ratio(numerator: Tensor, denominator: Tensor) -> float:
    """Quotient of two scalars, NaN where the denominator is 0."""
    return float(numerator / denominator) if float(denominator) != 0 else float("nan")


def stacked(predictions: list[Prediction], key: str) -> Tensor:
    """Predicted ``[B, ...]``; of flows and masks the finest scale of the first reference."""
    values = [one[key] for one in predictions]
    return torch.stack([v if isinstance(v, Tensor) else v[0][-1] for v in values]).float()


def _device_of(predictions: list[Prediction]) -> torch.device:
    for value in predictions[0].values():
        while isinstance(value, (list, tuple)) and value:
            value = value[0]
        if isinstance(value, Tensor):
            return value.device
    return torch.empty(0).device
