"""The tables of an evaluation while samples go by."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric

from gfla_video.apis.evaluation.data import BrokenFiles
from gfla_video.apis.evaluation.protocols import (
    PointsOf,
    PreparedSample,
    ReferenceDigest,
    metric_batches,
    prepared_samples,
)
from gfla_video.apis.evaluation.real import TRAIN, RealPictures, RealStatistics, broken_real
from gfla_video.apis.evaluation.weights import MetricWeights, how_to_give, label_of
from gfla_video.apis.predictors import Batch, Prediction
from gfla_video.apis.tables import Results
from gfla_video.evaluation import StreamingMetric
from gfla_video.evaluation.clips import clip_lengths, is_clip_batch
from gfla_video.evaluation.protocols import Protocol, to_eight_bits
from gfla_video.registry import METRICS
from gfla_video.utils.errors import UserError

MODEL = "model"  # the row of what is measured; it always has pictures under a protocol
_NOTES = 3  # sizes of pictures that are told one by one
Made = Mapping[str, list[Prediction]]


class MetricTable:
    """Rows of metrics, one for each predictor, that are fed batch by batch.

    Args:
        metrics: config dicts; ``weights:NAME`` in one stands for a file.
        weights: the files; a metric whose file was not given is left out, with a warning.
        lenient: leave a metric out, with a warning, where the data lack what it reads or it refuses
            the pictures. Otherwise that is an error.
        real: statistics for a metric with ``real="train"``; without it such a one is left out.
    """

    def __init__(
        self,
        metrics: Sequence[Mapping[str, Any]],
        weights: MetricWeights,
        lenient: bool,
        real: RealStatistics | None = None,
    ) -> None:
        self.metrics = [dict(metric) for metric in metrics]
        self.lenient = lenient
        self.real: dict[str, dict[str, Any]] = {}  # what each metric read of the training pictures
        self.count = self.clips = self.samples = 0
        self.references = ReferenceDigest()
        self._weights = weights
        self._warnings: dict[str, None] = {}
        self._notes: Counter[str] = Counter()
        filled, lacking = weights.split(self.metrics)
        for metric, names in lacking:
            self.warn(f"{label_of(metric)} is left out: {how_to_give(names)} was not given")
        self._filled = [ready for metric in filled for ready in self._with_real(metric, real)]
        self._rows: dict[str, list[tuple[str, BaseMetric]]] = {}

    def _with_real(
        self, metric: dict[str, Any], real: RealStatistics | None
    ) -> Iterator[dict[str, Any]]:
        if metric.get("real") != TRAIN:
            yield metric
        elif real is None:
            self.warn(f"{label_of(metric)} is left out: no training pictures (--train-images DIR)")
        else:
            found = real(metric)
            self.real[label_of(metric)] = {"count": found.count, "digest": found.digest}
            for sentence in (*broken_real(found.broken), *found.notes):
                self.warn(sentence)
            yield {**metric, "real": found}

    def warn(self, sentence: str) -> None:
        """A warning of the table; each is kept once."""
        self._warnings[sentence] = None

    def note(self, sentence: str) -> None:
        """A warning about a sample's pictures of one size; of many sizes the first few are told."""
        self._notes[sentence] += 1

    def begin(self, name: str) -> None:
        """Give a predictor its row, also where no value will be in it.

        Raises:
            UserError: a metric's values or weights are not good, or two give values of one name.
        """
        if name in self._rows:
            return
        row = [(label_of(metric), _built(metric)) for metric in self._filled]
        seen: dict[str, str] = {}
        for label, metric in row:
            value = _value_name(metric)
            if value in seen:
                raise UserError(
                    f"test metrics: {seen[value]} and {label} give values of one name, and one "
                    "would hide the other; give one of them a name= (or prefix=) of its own"
                )
            seen[value] = label
        self._rows[name] = row

    def process(self, name: str, batch: Batch, predictions: list[Prediction]) -> None:
        """Feed the row of a predictor.

        Raises:
            UserError: a metric cannot read the samples and the table is not lenient.
        """
        self.begin(name)
        kept = []
        for label, metric in self._rows[name]:
            if not _served(metric, predictions):
                continue
            if not self.lenient:
                metric.process(batch, predictions)
            elif not self._fed(label, metric, batch, predictions):
                continue
            kept.append((label, metric))
        self._rows[name] = kept

    def _fed(self, label: str, metric: BaseMetric, batch: Batch, made: list[Prediction]) -> bool:
        lacking = []
        if isinstance(metric, StreamingMetric):
            lacking = metric.missing(made, batch["targets"])
            if metric.of_clips and not is_clip_batch(batch):
                lacking = ["clips"]
        if lacking:
            self.warn(f"{label} is left out: the samples give no {' and no '.join(lacking)}")
            return False
        try:
            metric.process(batch, made)
        except UserError as error:
            self.warn(f"{label} is left out: {error}")
            return False
        return True

    def results(self) -> Results:
        """By predictor, then by name of the value; None for what is not defined (NaN)."""
        return {name: self._values(row) for name, row in self._rows.items()}

    def _values(self, row: list[tuple[str, BaseMetric]]) -> dict[str, float | None]:
        values: dict[str, float | None] = {}
        if self.lenient and not self.samples:
            return values
        for label, metric in row:
            try:
                found = metric.evaluate(self.samples)
            except UserError as error:
                if not self.lenient:
                    raise
                self.warn(f"{label} is left out: {error}")
                continue
            for remark in getattr(metric, "remarks", ()):
                self.warn(remark)
            for key, value in found.items():
                if key in values:
                    self.warn(f"{key} of {label} is left out: another metric gives a value {key}")
                    continue
                values[key] = value if math.isfinite(value) else None
        return values

    def _told_notes(self) -> list[str]:
        notes = [
            note if count == self.samples else f"{note} (in {count} of {self.samples} samples)"
            for note, count in self._notes.items()
        ]
        more = len(notes) - _NOTES
        return notes[:_NOTES] + ([f"so are pictures of {more} other sizes"] if more > 0 else [])

    def report(self, protocol: Protocol | None, broken: BrokenFiles) -> dict[str, Any]:
        """The table as results files hold it."""
        results = self.results()
        expected = None if protocol is None else protocol.expected_count
        told = None
        if protocol is not None:
            told = {**protocol.settings(), "digest": protocol.digest}
        if expected is not None and self.count != expected:
            self.warn(
                f"{self.count:,} pictures, not the protocol's {expected:,}: the numbers do not "
                "compare with those over that list"
            )
        return {
            "protocol": told,
            "count": self.count,
            **({"clips": self.clips} if self.clips else {}),
            "expected_count": expected,
            **self.references.told(self.metrics),
            "broken": broken.listed(),
            "warnings": [*broken.warnings(), *self._told_notes(), *self._warnings],
            "test_metrics": self.metrics,
            "weights": self._weights.used_by(self.metrics),
            **({"real": self.real} if self.real else {}),
            "results": results,
        }


class ConfigTable:
    """The config's own ``test_metrics``, on the pictures as the network and the data give them.

    Args:
        metrics: the config's.
        weights: see :class:`MetricTable`.
        predictors: names of the rows.
        real: see :class:`MetricTable`.
    """

    def __init__(
        self,
        metrics: Sequence[Mapping[str, Any]],
        weights: MetricWeights,
        predictors: Sequence[str],
        real: RealStatistics | None = None,
    ) -> None:
        self.table = MetricTable(metrics, weights, lenient=False, real=real)
        for name in predictors:
            self.table.begin(name)

    def add(self, batch: Batch, made: Made) -> None:
        """Take one batch with what every predictor made of it."""
        lengths = clip_lengths(batch) if is_clip_batch(batch) else None
        images = batch["targets"]["image"]
        self.table.samples += len(images)
        self.table.count += len(images) if lengths is None else sum(lengths)
        self.table.clips += 0 if lengths is None else len(lengths)
        for index, image in enumerate(images):
            frames = image[None] if lengths is None else image[: lengths[index]]
            for frame in frames:
                self.table.references.add(to_eight_bits(frame)[None])
        for name, predictions in made.items():
            self.table.process(name, batch, predictions)

    def report(self, broken: BrokenFiles) -> dict[str, Any]:
        """The table as results files hold it."""
        return self.table.report(None, broken)


class ProtocolTable:
    """What one protocol says of the samples.

    Args:
        protocol: how the pictures are prepared and what is measured.
        weights: see :class:`MetricTable`.
        device: where the metrics compute.
        real: the training pictures, where there are any.
        points_of: see :func:`prepared_samples`.
        fit: how the pictures came to their size, see :class:`Protocol`; None: nobody says.
    """

    def __init__(
        self,
        protocol: Protocol,
        weights: MetricWeights,
        device: torch.device,
        real: RealPictures | None = None,
        points_of: PointsOf | None = None,
        fit: str | None = None,
    ) -> None:
        self.protocol, self.fit = protocol, fit
        statistics = None if real is None else real.under(protocol, fit)
        self.table = MetricTable(protocol.metrics, weights, True, statistics)
        self.table.begin(MODEL)  # finds metrics that cannot be built before anything is measured
        self.device = device
        self.points_of = points_of

    def add(self, batch: Batch, made: Made) -> None:
        """Take one batch with what every predictor made of it.

        Raises:
            UserError: the first predictor makes no pictures.
        """
        if any("image" not in one for one in next(iter(made.values()))):
            raise UserError(
                f"--protocol {self.protocol.name}: this checkpoint holds no generator, only a "
                "flow; measure it without --protocol"
            )
        samples = prepared_samples(self.protocol, batch, made, self.points_of, self.fit)
        self.add_samples(list(samples))

    def add_samples(self, samples: Sequence[PreparedSample]) -> None:
        """Take samples that are prepared already."""
        for sample in samples:
            for note in sample.notes:
                self.table.note(note)
            self.table.references.add(sample.reference)
            self.table.count += len(sample.reference)
            self.table.clips += sample.clip
            for name in sample.generated:
                self.table.begin(name)
        for batch, made, count in metric_batches(samples, self.device):
            self.table.samples += count
            for name, predictions in made.items():
                self.table.process(name, batch, predictions)

    def report(self, broken: BrokenFiles) -> dict[str, Any]:
        """The table as results files hold it."""
        return self.table.report(self.protocol, broken)


def _built(metric: Mapping[str, Any]) -> BaseMetric:
    try:
        return METRICS.build(dict(metric))
    except (KeyError, TypeError) as error:  # an unknown type, or settings that it has not
        why = str(error.args[0]).partition(chr(10))[0]
        raise UserError(
            f"the metric {label_of(metric) or dict(metric)} cannot be built: {why}; correct it in "
            "the protocol or in test_metrics"
        ) from error


def _value_name(metric: BaseMetric) -> str:
    """What a metric's values are called, or its class where it has but one name for them."""
    return f"{metric.prefix or ''}/{getattr(metric, 'name', None) or type(metric).__name__}"


def _served(metric: BaseMetric, predictions: list[Prediction]) -> bool:
    needed = getattr(metric, "needs_predictions", ())
    return all(key in prediction for prediction in predictions for key in needed)
