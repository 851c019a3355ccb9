"""Measure a checkpoint on held-out samples, beside predictions that move nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch.utils.data import Dataset

from gfla_video.apis.config import load_config
from gfla_video.apis.device import choose_device
from gfla_video.apis.evaluation.data import build_test_loader
from gfla_video.apis.evaluation.head import KeepsSamples, measured_how, report_head
from gfla_video.apis.evaluation.measures import Measures, build_tables
from gfla_video.apis.evaluation.one_pass import Observer, PictureWriter, run_pass
from gfla_video.apis.evaluation.outputs import check_outputs
from gfla_video.apis.inference import InferenceOptions
from gfla_video.apis.load import check_task, read_checkpoint
from gfla_video.apis.predictors import (
    Predictor,
    copy_source,
    load_predictor,
    mean_of_targets,
    zero_flow,
)
from gfla_video.apis.preview import write_preview
from gfla_video.apis.report import write_report
from gfla_video.apis.tables import BASELINES
from gfla_video.engine.stages import expand_stages
from gfla_video.registry import DATASETS
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import write_json


def evaluate(
    config: Config | str | Path,
    checkpoint: str | Path,
    *,
    measures: Measures | None = None,
    out: str | Path | None = None,
    preview: str | Path | None = None,
    images_out: str | Path | None = None,
    report: str | Path | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    baselines: Sequence[str] = BASELINES,
    cfg_options: Mapping[str, Any] | None = None,
    inference: InferenceOptions | None = None,
    command: str | None = None,
) -> dict[str, Any]:
    """Measure the network and the baselines over ``test_dataloader``, by one or more protocols.

    Every test sample is measured once, in the data set's order; one with a broken picture is named,
    counted and left out. Of stages the last one's settings count; a checkpoint of the flow stage
    gives the flow's metrics alone. Clips are rolled out from their source; each frame is a picture.

    Args:
        config: config file, or a config that was read already.
        checkpoint: made by training or by the converter.
        measures: protocols and their weights; the config's ``test_metrics`` when None.
        out: JSON file for the result, written whole or not at all.
        preview: PNG of some samples, or of frames of the first clip, see :func:`write_preview`.
        images_out: folder for every generated picture, see :class:`PictureWriter`.
        report: folder for a static HTML report, see :func:`write_report`.
        device: the accelerator where there is one when None.
        batch_size: instead of the config's.
        baselines: what to compare with, of ``BASELINES``; ``mean_of_targets`` reads training data.
        cfg_options: changes to the config by dotted path.
        inference: how the network is run.
        command: the command line, for the result.

    Returns:
        What ``out`` holds, see docs/evaluation.md.

    Raises:
        UserError: bad config, checkpoint, data, protocol, weights, device or place for an output.
    """
    start = time.monotonic()
    chosen = measures or Measures()
    outputs = _Outputs(out, preview, images_out, report)
    cfg, content = _read(config, cfg_options, checkpoint)
    where, (loader, samples) = choose_device(device), build_test_loader(cfg, batch_size)
    loaded = load_predictor(content, checkpoint, where, inference)
    # before the baselines, which read all training data
    tables = build_tables(cfg, chosen, ["model", *baselines], where, samples.dataset)
    predictors = {"model": loaded.predict, **_baseline_predictors(cfg, baselines)}
    broken = run_pass(predictors, loader, tables, outputs.observers(cfg), chosen.seed)
    found = {
        **report_head(cfg, content["meta"], checkpoint),
        **measured_how(chosen.seed, where, start, command, asdict(loaded.prepared.options)),
        "tables": [table.report(broken) for table in tables],
    }
    outputs.write(found, checkpoint, predictors["model"], samples.without(broken), cfg)
    return found


def _read(
    config: Config | str | Path, changes: Mapping[str, Any] | None, checkpoint: str | Path
) -> tuple[Config, dict[str, Any]]:
    """The config's last stage, and the content of a checkpoint of its task."""
    cfg = expand_stages(load_config(config, changes), "")[-1].config
    content = read_checkpoint(checkpoint)
    check_task(content["meta"], cfg, checkpoint)
    return cfg, content


class _Outputs:
    """What an evaluation leaves behind; every place is proved to be writable before it begins."""

    def __init__(
        self,
        out: str | Path | None,
        preview: str | Path | None,
        images_out: str | Path | None,
        report: str | Path | None,
    ) -> None:
        check_outputs(out=out, report=report, preview=preview, images_out=images_out)
        self.out, self.preview, self.report = out, preview, report
        self.images = PictureWriter(Path(images_out)) if images_out else None
        self.kept: KeepsSamples | None = None

    def observers(self, cfg: Config) -> list[Observer]:
        """What watches the pass."""
        self.kept = KeepsSamples(cfg.get("structure")) if self.report else None
        return [observer for observer in (self.images, self.kept) if observer is not None]

    def write(
        self,
        found: dict[str, Any],
        checkpoint: str | Path,
        model: Predictor,
        readable: Dataset[Any],
        cfg: Config,
    ) -> None:
        """The files, the numbers first."""
        if self.out is not None:
            write_json(self.out, found)
        if self.preview is not None:
            write_preview(self.preview, model, readable, cfg.get("structure"))
        if self.report is not None and self.kept is not None:
            write_report(self.report, found, self.kept.keeper.samples(), checkpoint=checkpoint)


def _baseline_predictors(cfg: Config, names: Sequence[str]) -> dict[str, Predictor]:
    found: dict[str, Predictor] = {}
    for name in names:
        if name == "copy_source":
            found[name] = copy_source
        elif name == "zero_flow":
            found[name] = zero_flow
        elif name == "mean_of_targets":
            settings = cfg.get("train_dataloader")
            if not settings:
                raise UserError(f"{cfg.filename}: mean_of_targets needs a train_dataloader")
            dataset = DATASETS.build(settings["dataset"])
            found[name] = mean_of_targets(dataset, workers=settings.get("num_workers", 0))
        else:
            raise UserError(f"unknown baseline '{name}'; choose of {', '.join(BASELINES)}")
    return found
