"""What an evaluation measures: protocols, their weights and real pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch.utils.data import Dataset

from gfla_video.apis.evaluation.real import TRAIN, RealPictures, real_pictures
from gfla_video.apis.evaluation.tables import ConfigTable, ProtocolTable
from gfla_video.apis.evaluation.weights import MetricWeights
from gfla_video.evaluation.protocols import (
    PAD,
    STRETCH,
    Protocol,
    find_protocols,
    list_protocols,
)
from gfla_video.utils.errors import UserError

CONFIG = "config"  # the name that stands for the config's own metrics among the protocols


@dataclass(frozen=True)
class Measures:
    """What is measured.

    Attributes:
        protocols: names of protocols, see :func:`find_protocols`; ``config`` is the config's own
            ``test_metrics``, and so is nothing.
        weights: files by name, over those of the config's ``metric_weights``.
        train_images: folder of the real pictures that distributions are compared with.
        seed: of torch's random numbers, which a network may draw. KID's subsets have a seed of
            their own, which belongs to the protocol.
    """

    protocols: Sequence[str | Protocol] = ()
    weights: Mapping[str, str | Path] = field(default_factory=dict)
    train_images: str | Path | None = None
    seed: int = 0


def build_tables(
    cfg: Config,
    measures: Measures,
    predictors: Sequence[str],
    device: torch.device,
    dataset: Dataset[Any],
) -> list[ConfigTable | ProtocolTable]:
    """One table for each protocol that is asked for, the config's own first.

    Args:
        cfg: of the evaluation.
        measures: what is asked for; nothing is the config's own metrics.
        predictors: names of the rows.
        device: where the protocols' metrics compute.
        dataset: the test data; its ``joints_of``, if any, gives the points of a picture.

    Raises:
        UserError: an unknown protocol or ``picture_fit``, or weights that are not there or not
            good.
    """
    names = [name for name in measures.protocols if name != CONFIG]
    protocols = find_protocols(names, cfg.get("protocol"))
    every = [*cfg.get("test_metrics", []), *(one for each in protocols for one in each.metrics)]
    given = {**(cfg.get("metric_weights") or {}), **measures.weights}
    weights = MetricWeights(given, every)
    tables: list[ConfigTable | ProtocolTable] = []
    real: RealPictures | None = None
    if any(metric.get("real") == TRAIN for metric in weights.split(every)[0]):
        real = real_pictures(measures.train_images, cfg)
    if CONFIG in measures.protocols or not names:
        plain = None if real is None else real.as_they_are(cfg.get("size"))
        tables.append(ConfigTable(cfg.get("test_metrics", []), weights, predictors, plain))
    points_of, fit = getattr(dataset, "joints_of", None), _picture_fit(cfg)
    tables += [ProtocolTable(one, weights, device, real, points_of, fit) for one in protocols]
    return tables


def _picture_fit(cfg: Config) -> str | None:
    """How a config says that its pictures came to their size."""
    fit = cfg.get("picture_fit")
    if fit not in (None, STRETCH, PAD):
        raise UserError(
            f"{cfg.filename}: picture_fit must be '{STRETCH}', '{PAD}' or None, not {fit!r}"
        )
    return fit


def describe_protocols() -> str:
    """The built-in protocols for people."""
    return list_protocols()
