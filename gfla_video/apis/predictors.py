"""What an evaluation compares: a network, and predictions that know nothing of moving.

A predictor makes one dict per sample of a batch: ``image [3, H, W]``, ``flows[r][scale]`` and
``masks[r][scale]``; of a clip every one of them has the frames first, ``image [T, 3, H, W]``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.utils._pytree import tree_map, tree_map_only
from torch.utils.data import Dataset, Subset

from gfla_video.apis.evaluation.data import BrokenFiles, ReadableSamples, readable_loader
from gfla_video.apis.inference import InferenceOptions, PreparedGenerator
from gfla_video.apis.load import build_network
from gfla_video.evaluation.clips import clip_lengths, is_clip_batch
from gfla_video.models.clips import teacher_forced
from gfla_video.models.rollout import ClipRollout, chunks_of
from gfla_video.utils.errors import UserError
from gfla_video.utils.progress import progress
from gfla_video.utils.workers import plain_worker_errors

Batch = dict[str, Any]
Prediction = dict[str, Any]
Predictor = Callable[[Batch], list[Prediction]]
CHUNK = 8  # frames of a clip that are on the device at once


class LoadedPredictor(NamedTuple):
    """A checkpoint's network, the same prepared to run, and what it predicts."""

    network: nn.Module
    prepared: PreparedGenerator
    predict: Predictor


def load_predictor(
    content: Mapping[str, Any],
    checkpoint: str | Path,
    device: torch.device,
    inference: InferenceOptions | None = None,
) -> LoadedPredictor:
    """The generator of a checkpoint, or the flow estimator of a flow stage's.

    Args:
        content: of :func:`gfla_video.engine.checkpoint.read_checkpoint`.
        checkpoint: its file, for messages.
        device: where the network runs.
        inference: how.

    Raises:
        UserError: the checkpoint holds neither, or its tensors do not fit.
    """
    meta = content["meta"]
    flow_alone = meta.get("flow_estimator") and not meta.get("generator")
    network = build_network(content, "flow_estimator" if flow_alone else "generator", checkpoint)
    # One that does not say how many takes each reference by itself; the source's is measured.
    previous = int(getattr(network, "references", 1)) - 1 if flow_alone else None
    prepared = PreparedGenerator(network, device, inference)
    return LoadedPredictor(network, prepared, network_predictor(prepared, device, previous))


def network_predictor(
    network: Callable[..., Any],
    device: str | torch.device = "cpu",
    true_previous: int | None = None,
) -> Predictor:
    """A generator, or a flow estimator alone (which gives no image), as a predictor.

    A clip is rolled out from its source: what was generated is a reference of the next frame.

    Args:
        network: called as ``network(sources, source_structures, target_structure)``, such as a
            :class:`gfla_video.apis.inference.PreparedGenerator`.
        device: where it is; predictions come back on the CPU.
        true_previous: of a flow estimator, which makes no frames to go on from: how many of the
            true frames before each frame of a clip are references beside the source. None for a
            generator.
    """

    @torch.no_grad()  # a prepared network chooses itself between this and inference mode
    def predict(batch: Batch) -> list[Prediction]:
        if not is_clip_batch(batch):
            fields = _called(network, batch["inputs"], device)
            count = len(batch["inputs"]["target_structure"])
        else:
            count = len(batch["inputs"]["target_structures"])
            if true_previous is None:
                fields = _rolled_out(network, batch["inputs"], device)
            else:
                fields = _each_frame(network, batch, true_previous, device)
        # a generator without flow gives empty lists, and no prediction of them
        given = {key: value for key, value in fields.items() if len(value)}
        return [_sample(_moved(given, "cpu"), index) for index in range(count)]

    return predict


def copy_source(batch: Batch) -> list[Prediction]:
    """The (first) source as it is, in every frame."""
    return [
        {"image": source.expand_as(target)}
        for source, target in zip(
            batch["inputs"]["sources"][0], batch["targets"]["image"], strict=True
        )
    ]


def zero_flow(batch: Batch) -> list[Prediction]:
    """No displacement: a flow of zero at full resolution, and no image."""
    images = batch["targets"]["image"]
    size = images.shape[-2:]
    flow = images.new_zeros(2, *size).expand(*images.shape[1:-3], 2, *size)
    return [{"flows": [[flow]]} for _ in images]


def mean_of_targets(dataset: Dataset[Any], limit: int = 1000, workers: int = 0) -> Predictor:
    """The pixel-wise mean of a data set's targets, whatever is asked.

    A sample whose picture cannot be read is left out; a warning in the log names and counts such
    pictures.

    Args:
        dataset: training samples.
        limit: at most so many targets (of clips: the mean frames of so many), evenly spaced over
            the data set; one is in memory at a time.
        workers: processes that load.

    Raises:
        UserError: the data set is empty, or no sample of it can be read.
    """
    size = len(dataset)  # type: ignore[arg-type]
    if not size:
        raise UserError("mean_of_targets: the training data are empty")
    count = min(size, limit)
    chosen = Subset(ReadableSamples(dataset), [index * size // count for index in range(count)])
    loader = readable_loader(chosen, 1, workers)
    total, broken = torch.zeros((), dtype=torch.float64), BrokenFiles()
    with plain_worker_errors():
        for batch, unreadable in progress(loader, "mean of training targets"):
            for one in unreadable:
                broken.add(one)
            if batch is None:
                continue
            image = batch["targets"]["image"][0].double()
            if is_clip_batch(batch):
                image = image[: clip_lengths(batch)[0]].mean(0)
            total = total + image
    for sentence in broken.warnings():
        print_log(f"mean_of_targets: {sentence}", logger="current", level=logging.WARNING)
    if len(broken.indices) == count:
        raise UserError(f"mean_of_targets: no training target can be read ({broken.listed()[0]})")
    mean = (total / (count - len(broken.indices))).float()

    def predict(batch: Batch) -> list[Prediction]:
        return [{"image": mean.expand_as(target)} for target in batch["targets"]["image"]]

    return predict


def _called(
    network: Callable[..., Any], inputs: dict[str, Any], device: str | torch.device
) -> dict[str, Any]:
    """The fields of what the one call gives for single pictures or frames."""
    names = ("sources", "source_structures", "target_structure")
    fields: dict[str, Any] = network(*(_moved(inputs[name], device) for name in names))._asdict()
    return fields


def _rolled_out(
    network: Callable[..., Any], inputs: dict[str, Any], device: str | torch.device
) -> dict[str, Any]:
    """Clips ``[B, T, ...]`` frame after frame, a chunk of them on the device at a time."""
    structures = inputs["target_structures"]
    rollout = ClipRollout(
        network, inputs["sources"][0].to(device), inputs["source_structures"][0].to(device)
    )
    chunks = []
    for part in chunks_of(structures.shape[1], CHUNK):
        made = rollout(structures[:, part].to(device))
        fields = {"image": made.images, "flows": made.flows, "masks": made.masks}
        chunks.append(_moved(fields, "cpu"))
    return _joined(chunks)


def _each_frame(
    estimator: Callable[..., Any], batch: Batch, previous: int, device: str | torch.device
) -> dict[str, Any]:
    """Flows and masks ``[B, T, ...]``, each frame by itself after its true predecessors."""
    inputs, images = batch["inputs"], batch["targets"]["image"]
    clips, frames = images.shape[:2]
    chunks = []
    for part in chunks_of(frames, CHUNK):
        before = min(part.start, previous)  # frames that are read as references only
        window = slice(part.start - before, part.stop)
        cut = {**inputs, "target_structures": inputs["target_structures"][:, window]}
        single = teacher_forced(cut, images[:, window], previous)
        fields = _called(estimator, single, device)
        chunks.append(_clip_frames(_moved(fields, "cpu"), clips, before))
    return _joined(chunks)


def _clip_frames(fields: dict[str, Any], clips: int, first: int) -> dict[str, Any]:
    """``[B * T, ...]`` to ``[B, T, ...]``, from frame ``first`` on."""
    found: dict[str, Any] = tree_map_only(
        Tensor, lambda maps: maps.unflatten(0, (clips, -1))[:, first:], fields
    )
    return found


def _joined(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """Chunks of ``[B, t, ...]`` one after another: ``[B, T, ...]``."""
    found: dict[str, Any] = tree_map(lambda *maps: torch.cat(maps, dim=1), *chunks)
    return found


def _moved(value: Any, device: str | torch.device) -> Any:
    """Tensors inside lists and dicts on another device."""
    return tree_map_only(Tensor, lambda tensor: tensor.to(device), value)


def _sample(value: Any, index: int) -> Any:
    """One sample of batched tensors inside lists and dicts."""
    return tree_map_only(Tensor, lambda tensor: tensor[index], value)
