"""What all metrics share: sums over samples, in memory that does not grow with their number."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmengine.dist import all_gather_object, get_dist_info
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor
from torch.utils._pytree import tree_map_only

from gfla_video.evaluation.clips import clip_lengths, is_clip_batch
from gfla_video.utils.errors import UserError

Prediction = dict[str, Any]
_OF_SOURCE = "source_"  # begins the names of such targets
_FRAMES_AT_ONCE = 16  # of a clip: what a metric makes of them (LPIPS's features) stays in bounds


def unit_range(images: Tensor) -> Tensor:
    """Images in [-1, 1] to [0, 1], clamped, float32: the scale of all numbers about pictures."""
    return ((images.float() + 1) / 2).clamp(0, 1)


class StreamingMetric(BaseMetric):
    """A metric whose state is one vector of sums, correct over uneven batches and processes.

    A subclass gives ``sums`` (one row of numbers per picture, added up over pictures) and
    ``finish`` (the totals to named values). ``needs_predictions`` and ``needs_targets`` name what
    it reads. One whose state is something else than a sum overrides ``fold`` and ``join``, too.

    Of a clip (``target_structures`` in the inputs) targets and predictions are ``[T, ...]``. A
    metric of pictures takes its frames as so many pictures and adds them up; one ``of_clips``
    gets each clip whole, and still pictures are not for it. Either way a clip is one sample.

    With several processes MMEngine's sampler repeats samples so that every process gets the same
    count. The repeated ones are the last of a process, so each process holds back its newest
    rows until it is known, in ``evaluate``, how many samples there are and which of them count.

    After ``evaluate``, ``remarks`` holds sentences that belong beside the values, if any.

    Args:
        optional: leave the metric out, with one warning, where the data or the prediction lack what
            it reads. Otherwise this is an error.
        whole_batches: count the pictures of whole batches of so many only, in the order of the
            data, as programs do that drop the incomplete last batch; where there are fewer than one
            batch, all count. A clip's frames are so many pictures, and it may be cut; for a metric
            ``of_clips`` a clip is one. 0: count all.
        collect_device: where MMEngine gathers the sums of several processes, "cpu" or "gpu".
        prefix: put before the names of the values, with a slash.
    """

    default_prefix = ""  # values are named by themselves; no prefix is not an oversight
    needs_predictions: tuple[str, ...] = ("image",)
    needs_targets: tuple[str, ...] = ("image",)
    of_clips = False
    rows_add_up = True  # so that the rows of a clip's frames may be one

    def __init__(
        self,
        optional: bool = False,
        collect_device: str = "cpu",
        prefix: str | None = None,
        whole_batches: int = 0,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.optional = optional
        self.whole_batches = whole_batches
        self.remarks: list[str] = []
        self._reset()

    def _reset(self) -> None:
        self._state: Any = None
        self._held_back: deque[Tensor] = deque()
        self._seen = 0
        self._pictures = 0

    @abstractmethod
    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """Numbers ``[B, K]`` of each picture (or clip), to be added up over all of them.

        Args:
            predictions: B dicts of the predict contract (image, flows, masks); ``[T, ...]`` each
                for a metric ``of_clips``.
            targets: collated targets, each ``[B, ...]``, or ``[B, T, ...]`` for such a metric.
        """

    @abstractmethod
    def finish(self, totals: Any) -> dict[str, float]:
        """Named values from the totals ``[K]`` (float64). What is not defined is NaN."""

    def fold(self, state: Any, samples: list[Tensor]) -> Any:
        """Take samples into the state.

        Args:
            state: what an earlier call gave, None at the beginning; may be changed in place.
            samples: the rows ``[n, K]`` of each, on the CPU, in order; n is 1, or the number of a
                clip's frames where ``rows_add_up`` is False or batches are counted.
        """
        rows = torch.cat(samples).double().sum(0)
        return rows if state is None else state.add_(rows)

    def join(self, states: list[Any]) -> Any:
        """What ``finish`` takes, from the states of the processes that have one, in their order."""
        return torch.stack(states).sum(0)

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
            data_batch: collated sample with ``targets``; of clips also ``inputs`` and perhaps
                ``meta["frames"]``, see :func:`clip_lengths`.
            data_samples: one prediction dict per sample.

        Raises:
            UserError: the data or the prediction lack something that is read, unless ``optional``.
        """
        targets, predictions = data_batch["targets"], list(data_samples)
        clips = is_clip_batch(data_batch)
        absent = self.missing(predictions, targets)
        if self.of_clips and not clips:
            absent.append("input 'target_structures' (clips)")
        if absent:
            self._say_missing(absent)
            return
        device = _device_of(predictions)
        moved = {key: targets[key].to(device) for key in self.needs_targets}
        if clips:
            samples = self._clip_rows(predictions, moved, clip_lengths(data_batch))
        else:
            samples = iter(self.sums(predictions, moved).split(1))
        for rows in samples:
            self._held_back.append(rows.detach().cpu())
            self._seen += 1
            self._pictures += len(rows)
        self._fold(len(self._held_back) - self._uncertain())

    def _clip_rows(
        self, predictions: list[Prediction], targets: dict[str, Tensor], lengths: list[int]
    ) -> Iterator[Tensor]:
        """Rows ``[n, K]`` of each clip, over its own frames."""
        for index, (prediction, length) in enumerate(zip(predictions, lengths, strict=True)):
            clip = {
                # what belongs to the source is there once, and the same for every frame
                key: value[index].expand(length, *value.shape[1:])
                if key.startswith(_OF_SOURCE)
                else value[index, :length]
                for key, value in targets.items()
            }
            made = _selected(prediction, slice(0, length))
            if self.of_clips:
                yield self.sums([made], {key: value[None] for key, value in clip.items()})
                continue
            parts = [
                self.sums(
                    [_selected(made, frame) for frame in range(start, stop)],
                    {key: value[start:stop] for key, value in clip.items()},
                )
                for start in range(0, length, _FRAMES_AT_ONCE)
                for stop in [min(start + _FRAMES_AT_ONCE, length)]
            ]
            rows = torch.cat(parts)
            one_row = self.rows_add_up and not self.whole_batches
            yield rows.double().sum(0, keepdim=True) if one_row else rows

    def evaluate(self, size: int) -> dict[str, float]:
        """Values over all samples of all processes.

        Args:
            size: number of different samples, over all processes.
        """
        rank, processes = get_dist_info()
        # Sample i of MMEngine's interleaved order is number i // processes of process i % processes
        own = max(0, -(-(size - rank) // processes))
        while self._seen > own and self._held_back:
            self._pictures -= len(self._held_back.pop())
            self._seen -= 1
        if self.whole_batches:
            self._drop_incomplete(size)
        self._fold(len(self._held_back))
        self.results = [self._state]
        self.remarks = []
        self._reset()
        return super().evaluate(processes)

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Join the states of the processes and turn them into values."""
        found = [state for state in results if state is not None]
        if found:
            return self.finish(self.join(found))
        if self.optional:
            return {}
        raise UserError(f"{type(self).__name__}: no sample was evaluated; is the test list empty?")

    def _uncertain(self) -> int:
        """How many of the newest samples may not count: one that is a repetition, and before it as
        many as may hold the pictures of an incomplete batch."""
        samples, pictures = 1, 0
        while samples < len(self._held_back) and pictures < self.whole_batches - 1:
            samples += 1
            pictures += len(self._held_back[-samples])
        return samples

    def _drop_incomplete(self, size: int) -> None:
        """Take the pictures after the last whole batch of all processes away."""
        rank, processes = get_dist_info()
        held = [len(rows) for rows in self._held_back]
        every = all_gather_object((self._pictures, held))
        total = sum(pictures for pictures, _ in every)
        surplus = total % self.whole_batches if total >= self.whole_batches else 0
        for index in range(size - 1, -1, -1):  # from the last sample of the data on
            place = index % processes
            lengths = every[place][1]
            if not surplus or not lengths:
                return
            cut = min(surplus, lengths.pop())
            surplus -= cut
            if place == rank:
                rows = self._held_back.pop()
                if cut < len(rows):
                    self._held_back.append(rows[: len(rows) - cut])

    def _fold(self, count: int) -> None:
        if count > 0:
            samples = [self._held_back.popleft() for _ in range(count)]
            self._state = self.fold(self._state, samples)

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


def _selected(prediction: Prediction, frames: int | slice) -> Prediction:
    """Some frames, or one, of a clip's prediction."""
    chosen: Prediction = tree_map_only(Tensor, lambda maps: maps[frames], prediction)
    return chosen


def _device_of(predictions: list[Prediction]) -> torch.device:
    for value in predictions[0].values():
        while isinstance(value, (list, tuple)) and value:
            value = value[0]
        if isinstance(value, Tensor):
            return value.device
    return torch.empty(0).device
