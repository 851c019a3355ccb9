"""One stage = one Runner: quiet, strict about names, exact when resumed."""

from __future__ import annotations

import copy
import inspect
import itertools
import time
from pathlib import Path
from typing import Any

import mmengine
import torch
from mmengine.config import Config
from mmengine.dist import get_world_size, is_main_process
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from gfla_video.engine.checkpoint import (
    load_strict,
    pack_messages,
    plain_state,
    read_checkpoint,
    unpack_messages,
    write_checkpoint,
)
from gfla_video.engine.logs import quiet_console, say
from gfla_video.engine.loop import ResumableTrainLoop
from gfla_video.engine.optim import lay_out_states, unwrapped
from gfla_video.engine.rng import gather_rng_states
from gfla_video.engine.stages import Stage, carry_over, settings_changes
from gfla_video.registry import DATASETS, MODELS
from gfla_video.utils.config_check import keyword_arguments
from gfla_video.utils.errors import UserError

_run_numbers = itertools.count(1)
# A training Runner takes all three of a kind or none; what is tested is said by `test_metrics`.
_NOT_FOR_TRAINING = ("test_dataloader", "test_cfg", "test_evaluator")


class StageRunner(Runner):
    """MMEngine's Runner for one stage of training.

    What differs: checkpoints are written whole or not at all, hold plain values (they load with
    ``weights_only=True``) and the generators of every process; loading is strict; a resume goes on
    at the exact sample; the console shows what matters, the log file everything.
    """

    def __init__(self, stage: Stage, device: torch.device, **settings: Any) -> None:
        self.stage = stage
        self.device = device
        super().__init__(**settings)

    @classmethod
    def from_stage(
        cls,
        stage: Stage,
        device: torch.device,
        start_from: Path | None = None,
        resume: bool = False,
    ) -> StageRunner:
        """Make the Runner of ``stage``.

        Args:
            stage: its config has the work folder set.
            device: where the model trains.
            start_from: checkpoint to resume, or whose weights this stage starts from.
            resume: whether ``start_from`` is this stage's own.
        """
        config = copy.deepcopy(stage.config)
        for key in _NOT_FOR_TRAINING:
            config.pop(key, None)
        # Two Runners of one name in one process would share their loggers and message hubs.
        config.experiment_name = f"{stage.label}_{next(_run_numbers)}"
        _prepare_loader(config)
        config.load_from = None if start_from is None else str(start_from)
        config.resume = resume
        quiet_console(MMLogger.get_current_instance())  # speaks until the Runner has its own
        taken = inspect.signature(Runner.__init__).parameters
        settings = {key: config[key] for key in taken if key in config}
        return cls(stage, device, **settings, cfg=config)

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """The log file gets every record, the console warnings and what :func:`say` says."""
        logger = super().build_logger(*args, **kwargs)
        quiet_console(logger)
        return logger

    def _log_env(self, env_cfg: dict[str, Any]) -> None:
        """Write versions and the config to the log file (MMEngine's own asks every compiler)."""
        self.logger.info(
            f"torch {torch.__version__}, mmengine {mmengine.__version__}, device {self.device}, "
            f"{get_world_size()} process(es), {torch.get_num_threads()} thread(s), "
            f"seed {self.seed}\n{self.cfg.pretty_text}"
        )

    def build_model(self, model: nn.Module | dict[str, Any]) -> nn.Module:
        """Build the model; our registry builds nested dicts first, MMEngine's does not."""
        if isinstance(model, nn.Module):
            return model
        try:
            return MODELS.build(model)
        except ValueError as error:  # how constructors refuse a value
            raise UserError(f"{self.stage.title}: the model cannot be built: {error}") from error

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module) -> nn.Module:
        """Move the model to the chosen device, and wrap its networks for several processes."""
        model = model.to(self.device)
        if not self.distributed:
            return model
        return super().wrap_model(model_wrapper_cfg, model)

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """Build the optimisers; what torch refuses about their settings is said in one sentence."""
        try:
            return super().build_optim_wrapper(optim_wrapper)
        except (RuntimeError, ValueError) as error:
            hint = ", set fused=False in the optimiser" if "fused" in str(error) else ""
            raise UserError(
                f"{self.stage.title}: optim_wrapper cannot be built: {error}{hint}"
            ) from error

    def _maybe_compile(self, target: str) -> None:
        """``compile=True`` (or a dict of ``torch.compile``'s arguments) compiles the networks.

        MMEngine would compile the whole step, whose updates and freezing break the graph anyway. A
        network with spectral norm stays as it is: each of its runs changes the norm's state, and a
        compiled backward pass over two runs (real and fake) would find it changed.
        """
        settings = self.cfg.get("compile")
        if not settings:
            return
        options = {} if settings is True else dict(settings)
        for name, child in unwrapped(self.model).named_children():
            network = unwrapped(child)
            if not any(parameter.requires_grad for parameter in network.parameters()):
                continue
            if any(is_parametrized(part) for part in network.modules()):
                say(self.logger, f"{name} is not compiled, as it has a spectral norm")
                continue
            network.compile(**options)
            say(self.logger, f"{name} is compiled, the first steps are slow")

    def load_or_resume(self) -> None:
        """Resume, or start from the weights of another stage, or keep the initialisation."""
        if self._has_loaded or self._load_from is None:
            return
        if self._resume:
            self.resume(self._load_from)
        else:
            checkpoint = read_checkpoint(self._load_from)
            for line in carry_over(self.model, checkpoint["state_dict"], self._load_from):
                say(self.logger, line)
            if isinstance(self.train_loop, ResumableTrainLoop):
                self.train_loop.earlier_seconds = checkpoint["meta"].get("train_seconds")
        self._has_loaded = True

    def load_checkpoint(
        self, filename: str, map_location: Any = "cpu", strict: bool = True, **kwargs: Any
    ) -> dict[str, Any]:
        """Load weights, strictly, and give the checkpoint.

        Raises:
            UserError: not readable, or a name or shape does not fit.
        """
        checkpoint = read_checkpoint(filename)
        if "message_hub" in checkpoint:
            checkpoint["message_hub"] = unpack_messages(checkpoint["message_hub"])
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        load_strict(self.model, checkpoint["state_dict"], filename)
        self.logger.info(f"loaded {filename}")
        return checkpoint

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Go on where ``filename`` was written: weights, optimisers, counters, generators, data.

        Raises:
            UserError: it was not written by a training run, or does not fit this config.
        """
        checkpoint = self.load_checkpoint(filename)
        lacking = {"optimizer", "message_hub", "rng"} - checkpoint.keys()
        if lacking or not isinstance(self.train_loop, ResumableTrainLoop):
            what = f"lacks {', '.join(sorted(lacking))}" if lacking else "needs ResumableTrainLoop"
            raise UserError(f"{filename}: a run cannot be resumed from it, as it {what}")
        meta = checkpoint["meta"]
        for line in settings_changes(meta["settings"], self.stage.settings):
            say(self.logger, f"config changed since the checkpoint: {line}")
        self.train_loop.restore(meta, checkpoint["rng"])
        self.message_hub.load_state_dict(checkpoint["message_hub"])
        self._restore_optimisers(checkpoint, filename)
        self._has_loaded = True
        processes = len(checkpoint["rng"])
        if processes != get_world_size():
            say(
                self.logger,
                f"the run had {processes} process(es), now {get_world_size()}: it goes on at "
                f"sample {meta['samples']}, the batches differ",
            )
        say(self.logger, f"resumed {filename} at iteration {self.iter}/{self.max_iters}")

    def _restore_optimisers(self, checkpoint: dict[str, Any], filename: str) -> None:
        try:
            self.optim_wrapper.load_state_dict(checkpoint["optimizer"])
        except (ValueError, KeyError) as error:
            raise UserError(
                f"{filename}: its optimiser does not fit this model ({error}); "
                "resume with the config of that run"
            ) from error
        lay_out_states(self.optim_wrapper)
        stored = checkpoint.get("param_schedulers", {})
        current = _schedulers(self.param_schedulers)
        if {key: len(item) for key, item in stored.items()} != {
            key: len(item) for key, item in current.items()
        }:
            raise UserError(
                f"{filename}: its learning-rate schedules differ from the config's param_scheduler"
                "; resume with the config of that run"
            )
        for key, schedulers in current.items():
            for scheduler, state in zip(schedulers, stored[key], strict=True):
                scheduler.load_state_dict(state)

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: dict[str, Any] | None = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict[str, Any] | None = None,
        by_epoch: bool = False,
        backend_args: dict[str, Any] | None = None,
    ) -> None:
        """Write a checkpoint (whole or not at all). Every process must call it.

        Args: as MMEngine's; ``file_client_args`` and ``backend_args`` are not used.
        """
        rng = gather_rng_states()
        if not is_main_process():
            return
        content: dict[str, Any] = {
            "meta": {**self.stage.meta(), **self._progress(meta or {})},
            "state_dict": plain_state(self.model),
            "message_hub": pack_messages(self.message_hub),
        }
        if save_optimizer:
            content["optimizer"] = self.optim_wrapper.state_dict()
            content["rng"] = rng
        if save_param_scheduler:
            content["param_schedulers"] = {
                key: [scheduler.state_dict() for scheduler in schedulers]
                for key, schedulers in _schedulers(self.param_schedulers).items()
            }
        self.call_hook("before_save_checkpoint", checkpoint=content)
        write_checkpoint(content, Path(out_dir) / filename)

    def _progress(self, meta: dict[str, Any]) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "iter": self.iter + 1,
            "samples": getattr(self.train_loop, "samples_seen", None),
            "train_seconds": getattr(self.train_loop, "train_seconds", None),
            "max_iters": self.max_iters,
            "seed": self.seed,
            "time": time.strftime("%Y-%m-%d %H:%M:%S"),
            **meta,
        }


def _prepare_loader(config: Config) -> None:
    """Let the augmentation follow ``randomness.seed`` unless the dataset's config says a seed, and
    drop what only worker processes need when there are none (``num_workers=0``)."""
    loader = config.train_dataloader
    if not loader.get("num_workers"):
        for key in ("persistent_workers", "prefetch_factor"):
            loader.pop(key, None)
    dataset = loader.get("dataset")
    kind = DATASETS.get(dataset["type"]) if isinstance(dataset, dict) else None
    if kind is not None and "seed" in (keyword_arguments(kind) or ()):
        dataset.setdefault("seed", config.randomness.get("seed") or 0)


def _schedulers(param_schedulers: Any) -> dict[str, list[Any]]:
    """The built schedules by the name of their optimiser ('' where there is one optimiser)."""
    if param_schedulers is None:
        return {}
    if isinstance(param_schedulers, dict):
        return param_schedulers
    return {"": param_schedulers}


def run_stage(
    stage: Stage, device: torch.device, start_from: Path | None = None, resume: bool = False
) -> None:
    """Train one stage to its end (arguments as :meth:`StageRunner.from_stage`)."""
    runner = StageRunner.from_stage(stage, device, start_from, resume)
    try:
        runner.train()
    finally:
        for handler in list(runner.logger.handlers):
            handler.close()
