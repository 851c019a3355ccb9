"""The training loop: iterations over an endless sampler, resumed at the exact sample."""

from __future__ import annotations

import time
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.runner import IterBasedTrainLoop

from gfla_video.engine.rng import restore_rng
from gfla_video.registry import LOOPS
from gfla_video.utils.errors import UserError
from gfla_video.utils.workers import plain_worker_errors


@LOOPS.register_module()
class ResumableTrainLoop(IterBasedTrainLoop):
    """Iteration-based training that counts samples over all processes.

    A resume puts the sampler where the run stood (its attribute ``start``: samples drawn already
    per process) instead of replaying data, so a resume with another number of processes or another
    batch size goes on at the same global sample. Random generators are restored after the data
    iterator is made (making one draws from torch's generator).

    Attributes:
        earlier_seconds: what led to the weights that the run starts from, see
            :attr:`train_seconds`; 0 for new weights, None where a checkpoint does not say it.

    Args:
        runner: MMEngine's.
        dataloader: MMEngine's.
        max_iters: iterations of the stage.
        by_epoch: may be said for the habit's sake, must be False.
        **kwargs: as :class:`mmengine.runner.IterBasedTrainLoop`.
    """

    def __init__(
        self, runner: Any, dataloader: Any, max_iters: int, by_epoch: bool = False, **kwargs: Any
    ) -> None:
        if by_epoch:
            raise UserError("train_cfg.by_epoch: stages are counted in iterations, set max_iters")
        super().__init__(runner, dataloader, max_iters, **kwargs)
        self.samples_seen = 0
        self.rng_states: list[dict[str, Any]] | None = None
        self.earlier_seconds: float | None = 0.0
        self._began: float | None = None

    @property
    def train_seconds(self) -> float | None:
        """Wall clock of the training that made the weights: this loop with its data, validation
        and checkpoints, after the stages and runs before. What a killed run did after its last
        checkpoint is not in it. None where a checkpoint that it began from does not say its own.
        """
        if self.earlier_seconds is None or self._began is None:
            return self.earlier_seconds
        return self.earlier_seconds + time.monotonic() - self._began

    def restore(self, meta: dict[str, Any], rng_states: list[dict[str, Any]] | None) -> None:
        """Take over a checkpoint's counters; its generators are restored when the data is ready."""
        self._epoch, self._iter = meta["epoch"], meta["iter"]
        self.samples_seen = meta["samples"]
        self.earlier_seconds = meta.get("train_seconds")
        self.rng_states = rng_states

    def run(self) -> torch.nn.Module:
        """Train up to ``max_iters``; give the model."""
        self.runner.call_hook("before_train")
        self.runner.call_hook("before_train_epoch")
        if self.samples_seen:
            self._position_sampler()
        data = iter(self.dataloader_iterator)
        self.dataloader_iterator._ensure_iterator()
        if self.rng_states is not None:
            restore_rng(self.rng_states, self.runner.logger)
        self.runner.model.train()
        self._began = time.monotonic()
        while self._iter < self._max_iters and not self.stop_training:
            with plain_worker_errors():
                batch = next(data)
            self.samples_seen += self._batch_size() * get_world_size()
            self.run_iter(batch)
            self._validate_if_due()
        self.runner.call_hook("after_train_epoch")
        self.runner.call_hook("after_train")
        return self.runner.model

    def _validate_if_due(self) -> None:
        self._decide_current_val_interval()
        due = self._iter % self.val_interval == 0 or self._iter == self._max_iters
        if self.runner.val_loop is not None and self._iter >= self.val_begin and due:
            self.runner.val_loop.run()
            self.runner.model.train()

    def _batch_size(self) -> int:
        size = self.dataloader.batch_size
        return size if size is not None else self.dataloader.batch_sampler.batch_size

    def _position_sampler(self) -> None:
        sampler = self.dataloader.sampler
        if not hasattr(sampler, "start"):
            raise UserError(
                f"train_dataloader.sampler: {type(sampler).__name__} cannot be resumed (it has no "
                "attribute 'start'), use ResumableInfiniteSampler"
            )
        sampler.start = self.samples_seen // get_world_size()
