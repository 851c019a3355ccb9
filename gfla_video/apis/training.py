"""Train a config's stages in order, resume in the right one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mmengine.device.utils as mmengine_device
import torch
from mmengine.config import Config
from mmengine.dist import barrier, is_main_process

from gfla_video.apis.config import load_config
from gfla_video.apis.device import choose_device
from gfla_video.engine.autocast import use_autocast
from gfla_video.engine.checkpoint import last_checkpoint, read_checkpoint, write_checkpoint
from gfla_video.engine.distributed import end_processes, start_processes
from gfla_video.engine.runner import run_stage
from gfla_video.engine.stages import Stage, expand_stages
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import atomic_path, ensure_writable_folder

FINAL = "model.pth"
DEVICES = ("cpu", "cuda")
_RUN_STATE = ("optimizer", "param_schedulers", "message_hub", "rng")


@dataclass(frozen=True)
class _Start:
    """Where a run begins: the first stage to train, and the checkpoint it takes."""

    index: int
    checkpoint: Path | None
    resume: bool


def train(
    config: Config | str | Path,
    work_dir: Path | str | None = None,
    stage: int | None = None,
    resume: bool = False,
    cfg_options: Mapping[str, Any] | None = None,
    device: str | None = None,
    launcher: str = "none",
    seed: int | None = None,
    overwrite: bool = False,
    amp: str | None = None,
) -> Path:
    """Train the stages of ``config`` one after the other.

    Every stage is a plain Runner run in ``<work_dir>/stage<k>_<name>/`` and starts from the last
    checkpoint of the one before; ``<work_dir>/model.pth`` holds the weights of the last one.

    Args:
        config: a file or a config that was read already.
        work_dir: default: the config's ``work_dir``, else ``work_dirs/<folder>_<file name>``.
        stage: train this one only (1 is the first); it starts from the stage before, which must be
            in ``work_dir``.
        resume: go on in the stage that a run in ``work_dir`` had reached; finished stages are
            skipped; without an earlier run it begins at the start.
        cfg_options: changes of the config by dotted path.
        device: ``cpu`` or ``cuda``; default: a GPU when there is one.
        launcher: ``pytorch`` when started by ``torchrun``, else ``none``.
        seed: of weights, data order and augmentation; default: the config's ``randomness.seed``.
        overwrite: throw away the checkpoints of an earlier run in ``work_dir``.
        amp: ``bfloat16`` or ``float16``: train under autocast (float16 on GPUs only); default: as
            the config's wrappers say, float32 unless they say otherwise.

    Returns:
        ``<work_dir>/model.pth``, or the stage's last checkpoint when ``stage`` is not the last one.

    Raises:
        UserError: anything in the config, the folder or the checkpoints that does not fit.
    """
    chosen = choose_device(device, DEVICES)
    # MMEngine fixes its device when it is imported and offers no other way to change it.
    mmengine_device.DEVICE = chosen.type
    whole = load_config(config, cfg_options)
    if seed is not None:
        if not 0 <= seed < 2**32:
            raise UserError(f"--seed {seed}: must be 0 or more and less than 2**32")
        whole.merge_from_dict({"randomness.seed": seed})
    if amp is not None:
        use_autocast(whole, amp)
    whole.launcher = launcher
    folder = ensure_writable_folder(work_dir or whole.get("work_dir") or _default_folder(whole))
    stages = expand_stages(whole, folder)
    _check_stages(stages, stage)
    started = start_processes(launcher, chosen)
    try:
        if amp is not None and is_main_process():
            print(f"networks run in {amp} under autocast, their weights stay in float32")
        return _train_stages(stages, folder, chosen, stage, resume, overwrite)
    finally:
        if started:
            end_processes()


def _train_stages(
    stages: list[Stage],
    folder: Path,
    device: torch.device,
    only: int | None,
    resume: bool,
    overwrite: bool,
) -> Path:
    first = 0 if only is None else only - 1
    last = len(stages) if only is None else only
    if overwrite and not resume:
        _remove_run(stages[first:last], folder)
    start = _find_start(stages, first, last, resume)
    if is_main_process():
        _write_config(stages[0], folder)
    checkpoint = start.checkpoint
    for index in range(start.index, last):
        _say(f"{stages[index].title} -> {stages[index].folder}")
        run_stage(stages[index], device, checkpoint, resume=start.resume and index == start.index)
        barrier()  # the other processes must not look before the last checkpoint is written
        checkpoint = last_checkpoint(stages[index].folder)
    final = folder / FINAL
    if checkpoint is None:
        raise UserError(f"{folder}: the run wrote no checkpoint, leave save_last=True")
    if last < len(stages):
        _say(f"{stages[last - 1].title} is done: {checkpoint}")
        return checkpoint
    if is_main_process():
        content = read_checkpoint(checkpoint)
        write_checkpoint({k: v for k, v in content.items() if k not in _RUN_STATE}, final)
    barrier()
    _say(f"trained: {final}")
    return final


def _find_start(stages: list[Stage], first: int, last: int, resume: bool) -> _Start:
    """The stage to begin with among ``first`` .. ``last - 1``, and what it begins from."""
    found = [last_checkpoint(stage.folder) for stage in stages]
    if not resume:
        for index in range(first, last):
            if found[index] is not None:
                raise UserError(
                    f"{stages[index].folder}: holds an earlier run; pass --resume to go on with "
                    "it, --overwrite to throw it away, or another --work-dir"
                )
        return _Start(first, _before(stages, found, first), resume=False)
    reached = max((index for index in range(first, last) if found[index] is not None), default=None)
    if reached is None:
        _say(f"nothing to resume in {stages[0].folder.parent}, starting from the beginning")
        return _Start(first, _before(stages, found, first), resume=False)
    checkpoint = found[reached]
    assert checkpoint is not None
    if _iterations(checkpoint) < stages[reached].config.train_cfg.max_iters:
        return _Start(reached, checkpoint, resume=True)
    _say(f"{stages[reached].title} is finished already: {checkpoint}")
    return _Start(reached + 1, checkpoint, resume=False)


def _before(stages: list[Stage], found: list[Path | None], index: int) -> Path | None:
    """What a stage that begins anew starts from."""
    if index == 0:
        given = stages[0].config.get("load_from")
        return None if given is None else Path(given)
    previous, checkpoint = stages[index - 1], found[index - 1]
    if checkpoint is None:
        raise UserError(
            f"{previous.folder}: {stages[index].title} starts from the last checkpoint of "
            f"{previous.title}, and there is none; train that first (--stage {previous.number})"
        )
    done, wanted = _iterations(checkpoint), previous.config.train_cfg.max_iters
    if done < wanted:
        _say(f"warning: {previous.title} stopped at iteration {done} of {wanted}")
    return checkpoint


def _iterations(checkpoint: Path) -> int:
    return int(read_checkpoint(checkpoint)["meta"].get("iter", 0))


def _check_stages(stages: list[Stage], only: int | None) -> None:
    if only is not None and not 1 <= only <= len(stages):
        raise UserError(f"--stage {only}: the config has stages 1 to {len(stages)}")
    for stage in stages:
        for key in ("model", "optim_wrapper", "train_dataloader"):
            if key not in stage.config:
                raise UserError(f"{stage.title}: the config says no '{key}' for it")
        if "max_iters" not in stage.config.train_cfg:
            raise UserError(f"{stage.title}: train_cfg.max_iters is not set")


def _remove_run(stages: list[Stage], folder: Path) -> None:
    if is_main_process():
        for stage in stages:
            shutil.rmtree(stage.folder, ignore_errors=True)
        (folder / FINAL).unlink(missing_ok=True)
    barrier()


def _write_config(stage: Stage, folder: Path) -> None:
    with atomic_path(folder / "config.py") as temporary:
        temporary.write_text(stage.text, encoding="utf-8")


def _default_folder(config: Config) -> Path:
    if config.filename is None:
        raise UserError("work_dir: a config that is no file needs one")
    path = Path(config.filename)
    return Path("work_dirs") / f"{path.parent.name}_{path.stem}"


def _say(text: str) -> None:
    if is_main_process():
        print(text, flush=True)
