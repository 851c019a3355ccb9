"""A hook that draws the same held-out samples again and again while a network learns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.data import Dataset, default_collate

from gfla_video.engine.optim import unwrapped
from gfla_video.evaluation.clips import clip_lengths, is_clip_batch
from gfla_video.registry import DATASETS, HOOKS, STRUCTURES
from gfla_video.utils.errors import UserError
from gfla_video.visualization import (
    Picture,
    flow_limit,
    frame_prediction,
    frame_sample,
    readable_scale,
    sample_panels,
    sheet,
    spread,
    tile_panels,
)
from gfla_video.visualization.videos import write_video

Sample = dict[str, Any]
Pair = tuple[Sample, dict[str, Any]]
_BATCH = 8  # samples that go through the network at once


@HOOKS.register_module()
class PanelsHook(Hook):  # type: ignore[misc]
    """Every ``interval`` iterations, and at the end, pictures of a few fixed held-out samples.

    The visualizer gets ``panels``: a row per sample, or per frame of the first test clip, with
    structure, result, truth, flow, warped source and mask. ``panels_<iteration>.mp4`` in the run's
    ``vis_data`` shows the first test clip, or, where the task has single pictures, the first source
    moved to the structures of many test samples, one after the other. A visualizer with an
    ``add_video``, such as :class:`TensorboardVisualizer`, gets that, too. Nothing of the training
    changes: weights, data and random numbers stay what they are without the hook.

    Args:
        interval: iterations between two drawings.
        samples: rows of the picture.
        frames: of the video, at most.
        fps: of the video.
        dataset: config of the samples; None: that of the config's ``test_dataloader``.

    Raises:
        UserError: numbers below 1; at the start of training, no samples.
    """

    def __init__(
        self,
        interval: int = 1000,
        samples: int = 4,
        frames: int = 16,
        fps: int = 4,
        dataset: dict[str, Any] | None = None,
    ) -> None:
        for name, value in {
            "interval": interval,
            "samples": samples,
            "frames": frames,
            "fps": fps,
        }.items():
            if value < 1:
                raise UserError(f"PanelsHook.{name}: must be 1 or more, not {value}")
        self.interval = interval
        self.rows = samples
        self.frames = frames
        self.fps = fps
        self.dataset = dataset

    def before_train(self, runner: Any) -> None:
        """Read the samples once; they stay the same for the whole training."""
        config = runner.stage.config
        settings = self.dataset or config.get("test_dataloader", {}).get("dataset")
        if settings is None:
            raise UserError(
                "PanelsHook: the config has no test_dataloader, say the samples by dataset="
            )
        dataset: Dataset[Any] = DATASETS.build(dict(settings))
        if not len(dataset):  # type: ignore[arg-type]
            raise UserError("PanelsHook: its data set holds no sample")
        structure = config.get("structure")
        self.drawer = None if structure is None else STRUCTURES.build(dict(structure))
        self.clip = is_clip_batch(dataset[0])
        self.shown, self.driven = self._take(dataset)

    def _take(self, dataset: Dataset[Any]) -> tuple[list[Sample], list[Sample]]:
        """The samples of the picture, and those of the video."""
        if self.clip:
            clip = dataset[0]
            length = min(self.frames, clip_lengths(default_collate([clip]))[0])
            return [_cut(clip, length)], []
        total = len(dataset)  # type: ignore[arg-type]
        shown = [dataset[index] for index in spread(total, self.rows)]
        driving = [dataset[index] for index in spread(total, self.frames)]
        return shown, [_driven(shown[0], sample) for sample in driving]

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Draw when it is due. Every process computes, as networks wrapped for several need it."""
        done = batch_idx + 1
        if done % self.interval and done != runner.max_iters:
            return
        model = unwrapped(runner.model)
        was_training = model.training
        model.eval()
        try:
            with torch.no_grad():
                shown = list(self._predicted(model, self.shown))
                moving = shown if self.clip else list(self._predicted(model, self.driven))
        finally:
            model.train(was_training)
        if is_main_process():
            self._write(runner, done, shown, moving)

    def _predicted(self, model: nn.Module, samples: list[Sample]) -> Iterator[Pair]:
        """Single pictures, or the frames of the one clip, with what the network makes of them."""
        for start in range(0, len(samples), _BATCH):
            chosen = samples[start : start + _BATCH]
            batch = default_collate([_given(sample) for sample in chosen])
            data = model.data_preprocessor(batch, False)  # type: ignore[operator]
            made = tree_map_only(Tensor, lambda maps: maps.cpu(), model(**data, mode="predict"))
            if self.clip:
                yield from self._frame_pairs(chosen[0], made)
            else:
                yield from zip(chosen, made, strict=True)

    @staticmethod
    def _frame_pairs(clip: Sample, made: list[dict[str, Any]]) -> Iterator[Pair]:
        """A clip's prediction is one of frames; a flow estimator gives the frames one by one."""
        maps = next(leaf for leaf in tree_leaves(made[0]) if isinstance(leaf, Tensor))
        whole = maps.ndim == 4
        for frame in range(len(clip["inputs"]["target_structures"])):
            one = frame_prediction(made[0], frame) if whole else made[frame]
            yield frame_sample(clip, frame), one

    def _write(self, runner: Any, step: int, shown: list[Pair], moving: list[Pair]) -> None:
        chosen = [shown[index] for index in spread(len(shown), self.rows)]
        rows = self._panels(chosen)
        picture = sheet(rows, readable_scale(next(iter(rows[0].values()))))
        runner.visualizer.add_image("panels", picture, step)
        frames = [tile_panels(panels) for panels in self._panels(moving)]
        write_video(Path(runner.log_dir) / "vis_data" / f"panels_{step}.mp4", frames, self.fps)
        if hasattr(runner.visualizer, "add_video"):
            runner.visualizer.add_video("panels in motion", frames, self.fps, step)

    def _panels(self, pairs: list[Pair]) -> list[dict[str, Picture]]:
        """One legend of the flow colours for all."""
        size = pairs[0][0]["inputs"]["sources"][0].shape[-2:]
        limit = max(flow_limit(prediction, (size[0], size[1])) for _, prediction in pairs)
        return [sample_panels(*pair, self.drawer, limit, full=True) for pair in pairs]


def _given(sample: Mapping[str, Any]) -> Sample:
    """What a model is called with, without what only metrics and losses read."""
    image = sample.get("targets", {}).get("image")
    given: Sample = {"inputs": sample["inputs"]}
    return given if image is None else {**given, "targets": {"image": image}}


def _cut(clip: Sample, frames: int) -> Sample:
    """The first frames of a clip."""
    inputs = {**clip["inputs"], "target_structures": clip["inputs"]["target_structures"][:frames]}
    return {"inputs": inputs, "targets": {"image": clip["targets"]["image"][:frames]}}


def _driven(source: Sample, target: Sample) -> Sample:
    """The source of one sample with the target structure of another; no truth is known."""
    structure = target["inputs"]["target_structure"]
    return {"inputs": {**source["inputs"], "target_structure": structure}}
