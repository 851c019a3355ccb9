"""Measure a checkpoint on held-out samples, beside predictions that move nothing."""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from PIL import Image
from torch.utils.data import DataLoader, Dataset, default_collate

from gfla_video.apis.config import load_config
from gfla_video.apis.device import choose_device
from gfla_video.apis.inference import InferenceOptions, PreparedGenerator
from gfla_video.apis.load import build_network, check_task, read_checkpoint
from gfla_video.apis.predictors import (
    Batch,
    Prediction,
    Predictor,
    copy_source,
    mean_of_targets,
    network_predictor,
    zero_flow,
)
from gfla_video.apis.preview import write_preview
from gfla_video.apis.tables import BASELINES, Results
from gfla_video.engine.stages import expand_stages
from gfla_video.evaluation.clips import clip_lengths, is_clip_batch
from gfla_video.registry import DATASETS, METRICS
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import atomic_path, ensure_writable_folder, write_json
from gfla_video.utils.progress import progress
from gfla_video.utils.workers import plain_worker_errors
from gfla_video.visualization import tensor_to_uint8

Observer = Callable[[Batch, list[Prediction]], None]


def evaluate(
    config: Config | str | Path,
    checkpoint: str | Path,
    *,
    out: str | Path | None = None,
    preview: str | Path | None = None,
    images_out: str | Path | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    baselines: Sequence[str] = BASELINES,
    cfg_options: Mapping[str, Any] | None = None,
    inference: InferenceOptions | None = None,
) -> dict[str, Any]:
    """Compute ``test_metrics`` of the network and of the baselines over ``test_dataloader``.

    Every test sample is measured once, in the data set's order. Where a config has stages, the last
    one's settings count. A checkpoint of the flow stage gives the flow's metrics alone. Clips are
    rolled out from their source, a few frames on the device at a time; each frame is a picture.

    Args:
        config: config file, or a config that was read already.
        checkpoint: made by training or by the converter.
        out: JSON file for the result, written whole or not at all.
        preview: PNG of some samples, or of frames of the first clip, see :func:`write_preview`.
        images_out: folder for every generated picture, ``<name>_vis.png`` after the sample's name
            (``<from>_2_<to>``), of clips ``<name>_<frame>_vis.png``, counted from 0.
        device: the accelerator where there is one, else the CPU, when None.
        batch_size: instead of the config's.
        baselines: what to compare with, of ``BASELINES``; ``mean_of_targets`` reads training data.
        cfg_options: changes to the config by dotted path.
        inference: how the network is run: precision, memory layout, compiler, CUDA graphs.

    Returns:
        What ``out`` holds: ``results`` by predictor and metric (None where not defined), ``count``
        (of pictures or frames), perhaps ``clips``, how the network ran, where the numbers are from.

    Raises:
        UserError: bad config, checkpoint or data, a checkpoint of another task, a metric whose
            input the data lack, a device that is not there, or an output that cannot be written.
    """
    start = time.monotonic()
    for file in filter(None, (out, preview)):
        ensure_writable_folder(Path(file).parent)
    pictures = _Pictures(ensure_writable_folder(images_out) if images_out else None)
    cfg = expand_stages(load_config(config, cfg_options), "")[-1].config
    content = read_checkpoint(checkpoint)
    check_task(content["meta"], cfg, checkpoint)
    chosen, loader = choose_device(device), _test_loader(cfg, batch_size)
    network, true_previous = _network(content, checkpoint, chosen, inference)
    model = network_predictor(network, chosen, true_previous)
    predictors = {"model": model, **_baseline_predictors(cfg, baselines)}
    results = evaluate_predictors(predictors, loader, cfg.get("test_metrics", []), pictures)
    report = {**_origin(cfg, content["meta"], Path(checkpoint)), **pictures.counts()}
    how = {"device": str(chosen), "inference": asdict(network.options)}
    report.update(results=results, **how, seconds=round(time.monotonic() - start, 1))
    if preview is not None:
        write_preview(preview, model, loader.dataset, cfg.get("structure"))
    if out is not None:
        write_json(out, report)
    return report


def evaluate_predictors(
    predictors: Mapping[str, Predictor],
    dataloader: DataLoader[Any],
    metrics: Sequence[Mapping[str, Any]],
    observer: Observer | None = None,
) -> Results:
    """One pass over the data for all predictors.

    A metric that reads what a predictor does not give (a copied source has no flow) is left out for
    that predictor. Data that lack what a metric reads are an error, as the metric says.

    Args:
        predictors: by name; each makes B prediction dicts of a batch.
        dataloader: collated samples; each sample of ``dataloader.dataset`` comes once.
        metrics: config dicts, built once for each predictor.
        observer: sees each batch with the first predictor's predictions.

    Returns:
        By predictor, then by name of the value; None for what is not defined (NaN).
    """
    tables: dict[str, list[BaseMetric]] = {
        name: [METRICS.build(dict(metric)) for metric in metrics] for name in predictors
    }
    first = next(iter(predictors))
    with plain_worker_errors():
        for batch in progress(dataloader, "evaluating"):
            for name, predict in predictors.items():
                made = predict(batch)
                if observer is not None and name == first:
                    observer(batch, made)
                tables[name] = [metric for metric in tables[name] if _served(metric, made)]
                for metric in tables[name]:
                    metric.process(batch, made)
    size = len(dataloader.dataset)  # type: ignore[arg-type]
    return {
        name: {
            key: value if math.isfinite(value) else None
            for metric in table
            for key, value in metric.evaluate(size).items()
        }
        for name, table in tables.items()
    }


def _served(metric: BaseMetric, predictions: list[Prediction]) -> bool:
    needed = getattr(metric, "needs_predictions", ())
    return all(key in prediction for prediction in predictions for key in needed)


def _origin(cfg: Config, meta: Mapping[str, Any], checkpoint: Path) -> dict[str, Any]:
    """Where the numbers come from: config, checkpoint, metrics' settings, versions."""
    return {
        "task": cfg.get("task"),
        "config": Path(cfg.filename).name if cfg.filename else None,
        "checkpoint": checkpoint.name,
        "checkpoint_sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        "iterations": meta.get("iter"),
        "train_seconds": meta.get("train_seconds"),
        "size": list(cfg.size) if cfg.get("size") else None,
        "protocol": cfg.get("protocol"),
        "test_metrics": [dict(metric) for metric in cfg.get("test_metrics", [])],
        "versions": _versions(),
    }


def _network(
    content: dict[str, Any],
    checkpoint: str | Path,
    device: torch.device,
    inference: InferenceOptions | None,
) -> tuple[PreparedGenerator, int | None]:
    """The generator; or a flow-stage checkpoint's estimator and its number of previous frames."""
    meta = content["meta"]
    if meta.get("generator") or not meta.get("flow_estimator"):
        generator = build_network(content, "generator", checkpoint)
        return PreparedGenerator(generator, device, inference), None
    estimator = build_network(content, "flow_estimator", checkpoint)
    # One that does not say how many takes each reference by itself; the source's is measured.
    previous = int(getattr(estimator, "references", 1)) - 1
    return PreparedGenerator(estimator, device, inference), previous


def _test_loader(cfg: Config, batch_size: int | None) -> DataLoader[Any]:
    """Every test sample once, in order; the config says data set, batch size and workers."""
    if batch_size is not None and batch_size < 1:
        raise UserError(f"--batch-size: at least 1, not {batch_size}")
    settings = cfg.get("test_dataloader")
    if not settings:
        raise UserError(f"{cfg.filename}: has no test_dataloader, so there is nothing to test on")
    dataset: Dataset[Any] = DATASETS.build(settings["dataset"])
    if not len(dataset):  # type: ignore[arg-type]
        raise UserError(f"{cfg.filename}: test_dataloader.dataset holds no sample")
    return DataLoader(
        dataset,
        batch_size=batch_size or settings.get("batch_size", 1),
        num_workers=settings.get("num_workers", 0),
        collate_fn=default_collate,
    )


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


class _Pictures:
    """Counts what is evaluated and, where a folder is given, writes what the network made."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.pictures = 0
        self.clips = 0

    def counts(self) -> dict[str, int]:
        """``count`` of pictures and, where there were any, ``clips``."""
        return {"count": self.pictures, **({"clips": self.clips} if self.clips else {})}

    def __call__(self, batch: Batch, predictions: list[Prediction]) -> None:
        names = batch["meta"]["name"]
        if not is_clip_batch(batch):
            self.pictures += len(names)
            named = zip(names, predictions, strict=True)
            self._write((name, prediction, None) for name, prediction in named)
            return
        for name, prediction, length in zip(names, predictions, clip_lengths(batch), strict=True):
            self.pictures += length
            self.clips += 1
            self._write((f"{name}_{frame:05d}", prediction, frame) for frame in range(length))

    def _write(self, pictures: Iterable[tuple[str, Prediction, int | None]]) -> None:
        if self.folder is None:
            return
        for name, prediction, frame in pictures:
            if "image" not in prediction:
                raise UserError("--images-out: this checkpoint holds no generator, only a flow")
            image = prediction["image"] if frame is None else prediction["image"][frame]
            with atomic_path(self.folder / f"{name}_vis.png") as temporary:
                Image.fromarray(tensor_to_uint8(image)).save(temporary)


def _versions() -> dict[str, str]:
    names = ("torch", "torchvision", "torchmetrics", "onedl-mmengine", "lpips", "numpy")
    own = importlib.import_module("gfla_video").__version__
    return {"gfla_video": own, **{name: importlib.metadata.version(name) for name in names}}
