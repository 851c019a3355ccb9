"""Distances between sets of pictures by the features of a network: FID, KID, Inception score."""

from __future__ import annotations

import logging
from itertools import chain, zip_longest
from pathlib import Path

import torch
from mmengine.logging import print_log
from torch import Tensor

from gfla_video.evaluation.inception import FeatureExtractor, load_extractor
from gfla_video.evaluation.metrics.base import Prediction, StreamingMetric, stacked, unit_range
from gfla_video.evaluation.metrics.image import unit_pictures
from gfla_video.evaluation.metrics.masking import mask_targets
from gfla_video.evaluation.statistics import (
    Moments,
    Statistics,
    frechet_distance,
    load_statistics,
)
from gfla_video.registry import METRICS
from gfla_video.utils.errors import UserError

_NAN = float("nan")


class FeatureDistance(StreamingMetric):
    """What FID and KID share: features of the generated pictures beside those of real ones.

    Pictures become 8-bit (rounded) for the network. A clip's frames are so many pictures.

    Args:
        weights: file of the network, see :func:`load_extractor`.
        extractor: "torch-fidelity", "torchvision", or a :class:`FeatureExtractor`.
        real: "targets" (those of the same samples), a file of statistics, or :class:`Statistics`.
        optional: see :class:`StreamingMetric`; also ``whole_batches`` (GFLA: 64), which counts
            samples.

    Raises:
        UserError: weights or statistics are missing or unreadable.
    """

    rows_add_up = False

    def __init__(
        self,
        weights: str | None = None,
        extractor: str | FeatureExtractor = "torch-fidelity",
        real: str | Path | Statistics = "targets",
        optional: bool = False,
        prefix: str | None = None,
        whole_batches: int = 0,
    ) -> None:
        super().__init__(optional=optional, prefix=prefix, whole_batches=whole_batches)
        self.extractor = load_extractor(extractor, weights)
        self.real: Statistics | None = None
        if isinstance(real, Statistics):
            self.real = real
        elif real != "targets":
            self.real = load_statistics(real)
        self.needs_targets = () if self.real is not None else ("image",)

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """Features of the generated pictures, and beside them those of the targets, if read."""
        images = [stacked(predictions, "image")]
        if self.real is None:
            images.append(targets["image"])
        found = [self.extractor(to_8bit(unit_range(one))).pooled for one in images]
        if self.real is not None and len(self.real.mean) != found[0].shape[1]:
            raise UserError(
                f"{type(self).__name__}: the real statistics have {len(self.real.mean)} features, "
                f"the network gives {found[0].shape[1]}; make them with the same network"
            )
        return torch.cat(found, dim=1)

    def sets(self) -> int:
        """How many sets of features lie beside each other in a row."""
        return 2 if self.real is None else 1


@METRICS.register_module()
class FID(FeatureDistance):
    """Fréchet Inception distance (Heusel et al., 2017) of generated and real pictures: ``fid``.

    Streaming: a mean and a second moment in float64 (34 MB of Inception's 2048 features), twice
    where ``real`` is "targets". Fewer pictures than features make it too large; that is said.

    Args:
        eps: added to the covariances' diagonals where their product has no finite root, see
            :func:`frechet_distance`; GFLA's and other programs' fallback: 1e-6.
        name: of the value.
        weights: as of :class:`FeatureDistance`, like what follows.
    """

    def __init__(
        self,
        weights: str | None = None,
        extractor: str | FeatureExtractor = "torch-fidelity",
        real: str | Path | Statistics = "targets",
        eps: float = 0.0,
        name: str = "fid",
        optional: bool = False,
        prefix: str | None = None,
        whole_batches: int = 0,
    ) -> None:
        super().__init__(weights, extractor, real, optional, prefix, whole_batches)
        self.eps, self.name = eps, name

    def fold(self, state: list[Moments] | None, samples: list[Tensor]) -> list[Moments]:
        """Add to the moments of each set."""
        parts = torch.cat(samples).chunk(self.sets(), dim=1)
        state = state or [Moments(part.shape[1]) for part in parts]
        for moments, part in zip(state, parts, strict=True):
            moments.add(part)
        return state

    def join(self, states: list[list[Moments]]) -> list[Moments]:
        """Sum over processes."""
        first, *others = states
        for other in others:
            for moments, more in zip(first, other, strict=True):
                moments.merge(more)
        return first

    def finish(self, totals: list[Moments]) -> dict[str, float]:
        """Distance of the two Gaussians."""
        made, *seen = (moments.statistics() for moments in totals)
        real = self.real or seen[0]
        few = min(count for count in (made.count, real.count or made.count))
        if few < 2:
            return {self.name: _NAN}
        if few <= len(made.mean):
            _remark(
                self,
                f"{few} pictures for {len(made.mean)} features, so {self.name} is too large and "
                "compares with equal counts only",
            )
        return {self.name: frechet_distance(made, real, self.eps)}


class KeptBlocks:
    """Rows ``[n, K]`` of many samples, in blocks: a tensor for each would scatter the memory.

    Args:
        width: K.
    """

    BLOCK = 512

    def __init__(self, width: int) -> None:
        self.width = width
        self.blocks: list[Tensor] = []
        self.counts: list[int] = []  # of rows, by sample
        self.total = 0

    def add(self, samples: list[Tensor]) -> None:
        """Append samples, in order."""
        self.counts += [len(rows) for rows in samples]
        rows = torch.cat(samples)
        while len(rows):
            block, start = divmod(self.total, self.BLOCK)
            if block == len(self.blocks):
                self.blocks.append(torch.empty(self.BLOCK, self.width))
            part = rows[: self.BLOCK - start]
            self.blocks[block][start : start + len(part)] = part
            self.total, rows = self.total + len(part), rows[len(part) :]

    def samples(self) -> list[Tensor]:
        """The rows of each sample."""
        return list(torch.cat(self.blocks)[: self.total].split(self.counts))


class _KeptRows(StreamingMetric):
    """Rows of all pictures, kept in the data's order: for values that are no function of sums."""

    rows_add_up = False

    def fold(self, state: KeptBlocks | None, samples: list[Tensor]) -> KeptBlocks:
        """Append the rows ``[n, K]`` of each sample."""
        state = state or KeptBlocks(samples[0].shape[1])
        state.add(samples)
        return state

    def join(self, states: list[KeptBlocks]) -> Tensor:
        """All rows ``[N, K]``; sample i is number i // processes of process i % processes."""
        interleaved = chain.from_iterable(zip_longest(*(state.samples() for state in states)))
        return torch.cat([rows for rows in interleaved if rows is not None])


@METRICS.register_module()
class KID(_KeptRows, FeatureDistance):
    """Kernel Inception distance (Binkowski et al., 2018) of generated and real pictures: ``kid``.

    By torch-fidelity: the unbiased squared MMD with the kernel (x y / D + 1)^3, over random
    subsets; ``kid`` is their mean and ``kid_std`` their standard deviation. It has to keep all
    features: 8 kB per picture of Inception's, twice where ``real`` is "targets" (5,000 pictures: 41
    or 82 MB).

    Args:
        subsets: how many are drawn.
        subset_size: pictures in each; where there are fewer, all of them are, and that is said.
        seed: of the drawing; 2020 is torch-fidelity's.
        name: of the values.
        weights: as of :class:`FeatureDistance`, like what follows. Real statistics must hold
            features.
    """

    def __init__(
        self,
        weights: str | None = None,
        extractor: str | FeatureExtractor = "torch-fidelity",
        real: str | Path | Statistics = "targets",
        subsets: int = 100,
        subset_size: int = 1000,
        seed: int = 2020,
        name: str = "kid",
        optional: bool = False,
        prefix: str | None = None,
        whole_batches: int = 0,
    ) -> None:
        super().__init__(weights, extractor, real, optional, prefix, whole_batches)
        self.subsets, self.subset_size = subsets, subset_size
        self.seed, self.name = seed, name
        if self.real is not None and self.real.features is None:
            raise UserError(
                "KID: these real statistics hold no features, only mean and covariance; make them "
                "with keep_features=True"
            )

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Mean and standard deviation over subsets."""
        from torch_fidelity.metric_kid import kid_features_to_metric

        made, *seen = totals.chunk(self.sets(), dim=1)
        real = seen[0] if self.real is None else self.real.features
        assert real is not None
        size = min(self.subset_size, len(made), len(real))
        if size < 2:
            return {self.name: _NAN, f"{self.name}_std": _NAN}
        if size < self.subset_size:
            _remark(
                self,
                f"subsets of {size} pictures, as there are no {self.subset_size}, so {self.name} "
                "compares with such subsets only",
            )
        found = kid_features_to_metric(
            made.double(),  # the difference of means near 1 is small: float32 blurs the deviation
            real.double(),
            kid_subsets=self.subsets,
            kid_subset_size=size,
            rng_seed=self.seed,
            verbose=False,
        )
        return {
            self.name: found["kernel_inception_distance_mean"],
            f"{self.name}_std": found["kernel_inception_distance_std"],
        }


@METRICS.register_module()
class InceptionScore(_KeptRows):
    """Inception score (Salimans et al., 2016) of the generated pictures: ``is``.

    By torch-fidelity: ``exp(mean KL(p(y|x) || p(y)))`` of each of the splits, which are parts of
    the data in their order (not shuffled: as the first programs and PATN do); ``is`` is their mean
    and ``is_std`` their standard deviation. Where a split ends depends on the number of pictures,
    so the logits are kept: 4 kB per picture (5,000 pictures: 20 MB).

    Args:
        weights: file of the network, see :func:`load_extractor`.
        extractor: "torch-fidelity", "torchvision", or a :class:`FeatureExtractor`.
        splits: number of parts.
        mask: None, "mask" or "points" (mask-IS): black outside the person, see
            :func:`mask_targets`.
        name: of the values; ``is``, or ``mask_is`` with a mask.
        optional: see :class:`StreamingMetric`; also ``whole_batches``.

    Raises:
        UserError: no weights, or those of another network.
    """

    def __init__(
        self,
        weights: str | None = None,
        extractor: str | FeatureExtractor = "torch-fidelity",
        splits: int = 10,
        mask: str | None = None,
        name: str | None = None,
        optional: bool = False,
        prefix: str | None = None,
        whole_batches: int = 0,
    ) -> None:
        super().__init__(optional=optional, prefix=prefix, whole_batches=whole_batches)
        self.extractor = load_extractor(extractor, weights)
        self.splits, self.mask = splits, mask
        self.name = name or ("is" if mask is None else "mask_is")
        self.needs_targets = ("image", *mask_targets(mask, "InceptionScore")) if mask else ()

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """Logits of each generated picture."""
        if self.mask is None:
            images = unit_range(stacked(predictions, "image"))
        else:
            images, _, _ = unit_pictures(predictions, targets, self.mask)
        return self.extractor(to_8bit(images)).logits

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Mean and standard deviation over splits."""
        from torch_fidelity.metric_isc import isc_features_to_metric

        if len(totals) < self.splits:
            _remark(
                self,
                f"{len(totals)} pictures are too few for {self.splits} splits, so {self.name} has "
                "no value",
            )
            return {self.name: _NAN, f"{self.name}_std": _NAN}
        found = isc_features_to_metric(totals, splits=self.splits, shuffle=False)
        return {
            self.name: found["inception_score_mean"],
            f"{self.name}_std": found["inception_score_std"],
        }


def to_8bit(images: Tensor) -> Tensor:
    """Images in [0, 1] to uint8, rounded."""
    return (images * 255).round().byte()


def _remark(metric: StreamingMetric, text: str) -> None:
    """Say once what qualifies a value, and keep it for whoever prints the value."""
    metric.remarks.append(text)
    print_log(f"{type(metric).__name__}: {text}", logger="current", level=logging.WARNING)
