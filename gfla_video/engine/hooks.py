"""Hooks of every training run: checkpoints and the line that says how far it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook, LoggerHook

from gfla_video.engine.checkpoint import HISTORY, write_pointer
from gfla_video.engine.logs import say
from gfla_video.registry import HOOKS
from gfla_video.utils.errors import UserError
from gfla_video.utils.progress import clock


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """Save every ``interval`` iterations and at the end; never leave a folder without a whole one.

    The new checkpoint is written first, then ``last_checkpoint`` names it, then older ones go
    (MMEngine removes before it writes).

    Args:
        interval: iterations between two checkpoints.
        max_keep_ckpts: how many of the last ones stay; -1 keeps all.
        by_epoch: must be False, stages are counted in iterations.
        **kwargs: as :class:`mmengine.hooks.CheckpointHook`.
    """

    def __init__(
        self, interval: int = 1000, max_keep_ckpts: int = 2, by_epoch: bool = False, **kwargs: Any
    ) -> None:
        if by_epoch:
            raise UserError(
                "default_hooks.checkpoint.by_epoch: stages are counted in iterations, "
                "leave it False"
            )
        super().__init__(interval=interval, by_epoch=False, **kwargs)
        self.keep = max_keep_ckpts

    def before_train(self, runner: Any) -> None:
        """Find the folder; remove what a killed run left half-written under a temporary name."""
        super().before_train(runner)
        if is_main_process():
            for leftover in Path(self.out_dir).glob(".*.tmp*"):
                leftover.unlink(missing_ok=True)

    def _save_checkpoint_with_step(self, runner: Any, step: int, meta: dict[str, Any]) -> None:
        path = Path(self.out_dir) / self.filename_tmpl.format(step)
        self.last_ckpt = str(path)
        runner.save_checkpoint(
            str(path.parent),
            path.name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
        )
        if not is_main_process():
            return
        write_pointer(runner.work_dir, path)
        if self.keep > 0:
            for outdated in self._checkpoints(path.parent, step)[: -self.keep]:
                outdated.unlink(missing_ok=True)

    def _checkpoints(self, folder: Path, step: int) -> list[Path]:
        """Checkpoints up to iteration ``step``, oldest first."""
        before, after = self.filename_tmpl.split("{}")
        pattern = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
        found = [
            (int(match[1]), path)
            for path in folder.iterdir()
            if (match := pattern.fullmatch(path.name)) and int(match[1]) <= step
        ]
        return [path for _, path in sorted(found)]


@HOOKS.register_module()
class ProgressHook(LoggerHook):
    """Every ``interval`` iterations one line: how far, how fast, how long still, and the losses.

    Scalars also go to the visualizer's backends (a JSON file in the work folder by default).

    Args:
        interval: iterations between two lines; the first and the last iteration get one too.
        **kwargs: as :class:`mmengine.hooks.LoggerHook`.
    """

    def __init__(self, interval: int = 100, **kwargs: Any) -> None:
        super().__init__(interval=interval, **kwargs)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Print the line when it is due."""
        done = batch_idx + 1
        for buffer in runner.message_hub.log_scalars.values():
            buffer.max_length = HISTORY  # else a long run's log grows to gigabytes
        if done % self.interval and done not in (1, runner.max_iters):
            return
        tag, _ = runner.log_processor.get_log_after_iter(runner, batch_idx, "train")
        say(runner.logger, self._line(runner, done, tag))
        runner.visualizer.add_scalars(tag, step=done, file_path=self.json_log_path)

    @staticmethod
    def _line(runner: Any, done: int, tag: dict[str, Any]) -> str:
        left = clock(runner.message_hub.get_info("eta", 0.0))
        skipped = ("time", "data_time", "iter", "epoch", "memory")
        values = [
            f"{name} {value:.4g}"
            for name, value in tag.items()
            if name not in skipped and not name.endswith("lr")
        ]
        rates = sorted({f"{value:.3g}" for name, value in tag.items() if name.endswith("lr")})
        width = len(str(runner.max_iters))
        return (
            f"{runner.stage.title} {done:>{width}}/{runner.max_iters}  {tag['time']:.3f} s/step "
            f"(data {tag['data_time']:.3f})  left {left}  lr {', '.join(rates)}  "
            + "  ".join(values)
        )
