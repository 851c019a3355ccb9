"""Train several configs with several seeds, measure them alike, and put them into one table."""

from __future__ import annotations

import math
import multiprocessing
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from gfla_video.apis.ablation_table import ablation_markdown, summarise
from gfla_video.apis.comparable import check_model_names
from gfla_video.apis.config import load_config
from gfla_video.apis.evaluation.evaluate import evaluate
from gfla_video.apis.evaluation.measures import Measures, build_tables
from gfla_video.apis.load import load_generator
from gfla_video.apis.training import FINAL, train
from gfla_video.engine.checkpoint import last_checkpoint, read_checkpoint, write_pointer
from gfla_video.engine.stages import Stage, expand_stages, settings_changes
from gfla_video.registry import DATASETS
from gfla_video.utils.cli import keep_freed_memory
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import atomic_path, ensure_writable_folder, write_json

RESULTS = "results.json"
_TAKEN = ("data", "ablation.json", "ablation.md")  # in the work folder
_LOADERS = ("train_dataloader", "test_dataloader")
# What a run is measured on may change after it was trained.
_NOT_TRAINED = ("test_dataloader", "test_metrics", "protocol", "metric_weights", "picture_fit")


@dataclass(frozen=True)
class Run:
    """One training: a config with a seed, in a folder of its own.

    Attributes:
        name: of the model in the table.
        seed: of weights, data order and augmentation.
        config: its file.
        options: changes of the config, the scaled numbers of iterations among them.
        folder: ``<work_dir>/<name>/seed<seed>``.
    """

    name: str
    seed: int
    config: Path
    options: dict[str, Any]
    folder: Path

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.name}, seed {self.seed}"

    def read(self) -> Config:
        """The whole config, checked."""
        return load_config(self.config, {**self.options, "randomness.seed": self.seed})

    def stages(self) -> list[Stage]:
        """Its stages in their folders."""
        return expand_stages(self.read(), self.folder)


def ablate(
    configs: Mapping[str, str | Path],
    work_dir: str | Path,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    iters_scale: float = 1.0,
    cfg_options: Mapping[str, Any] | None = None,
    device: str | None = None,
    measures: Measures | None = None,
    command: str | None = None,
) -> dict[str, Any]:
    """Train every config with every seed, measure all of them, and write one table.

    Each training is a process of its own. One that is finished in ``work_dir`` is kept, one that
    was stopped goes on where it was. Models whose first stage has the same settings (the flow of
    the paper's Bi-Sample and of its full model) share it: it is trained once per seed.

    Args:
        configs: config files by the model's name in the table, in the table's order.
        work_dir: runs in ``<name>/seed<seed>``, with ``ablation.json`` and ``ablation.md`` beside.
        seeds: at least one.
        iters_scale: factor of all stages' iterations.
        cfg_options: changes of every config by dotted path.
        device: ``cpu`` or ``cuda``; default: a GPU when there is one.
        measures: protocols and their weights; the configs' own ``test_metrics`` when None.
        command: the command line, for the results.

    Returns:
        What ``ablation.json`` holds: ``seeds``, ``iters_scale``, ``command``, ``models`` (config,
        parameters, iterations, seconds of training) and ``tables``, see :func:`summarise`.

    Raises:
        UserError: a config or data that cannot be used, an earlier run with other settings in
            ``work_dir``, or a training that failed.
    """
    folder = ensure_writable_folder(work_dir)
    runs = _plan(configs, folder, seeds, iters_scale, cfg_options or {})
    for run in runs[: len(configs)]:
        _check_measuring(run, measures or Measures())
    _train_all(runs, device)
    reports = [_measure(run, device, measures, command) for run in runs]
    found = {
        "format": "gfla_video ablation",
        "version": 1,
        "seeds": list(seeds),
        "iters_scale": iters_scale,
        "command": command,
        "models": {name: _model(name, runs, reports) for name in configs},
        "tables": summarise(
            [(run.name, report) for run, report in zip(runs, reports, strict=True)]
        ),
    }
    write_json(folder / "ablation.json", found)
    with atomic_path(folder / "ablation.md") as temporary:
        temporary.write_text(ablation_markdown(found), encoding="utf-8")
    return found


def _plan(
    configs: Mapping[str, str | Path],
    folder: Path,
    seeds: Sequence[int],
    iters_scale: float,
    cfg_options: Mapping[str, Any],
) -> list[Run]:
    """All trainings in their order."""
    if not configs or not seeds or len(set(seeds)) < len(seeds):
        raise UserError("--seeds, --config: need at least one each, and no seed twice")
    if min(seeds) < 0:
        raise UserError(f"--seeds {min(seeds)}: must be 0 or more")
    if not 0 < iters_scale < math.inf:
        raise UserError(f"--iters-scale {iters_scale}: must be a number above 0")
    check_model_names(configs)
    for name in configs:
        parts = Path(name).parts
        if not parts or parts[0] in _TAKEN or ".." in parts or Path(name).is_absolute():
            raise UserError(f"--config {name}=...: cannot be the name of a model's folder")
    options = {
        name: {**cfg_options, **_scaled(load_config(path, cfg_options), iters_scale)}
        for name, path in configs.items()
    }
    runs = [
        Run(name, seed, Path(path), options[name], folder / name / f"seed{seed}")
        for seed in seeds  # outermost, so that a stopped ablation has whole seeds
        for name, path in configs.items()
    ]
    for run in runs:
        _check_earlier(run)
    return runs


def _scaled(config: Config, scale: float) -> dict[str, int]:
    """Config options that give every stage its share of iterations."""
    several = "stages" in config
    lengths = [stage.config.train_cfg.max_iters for stage in expand_stages(config, "")]
    return {
        f"stages.{index}.train_cfg.max_iters" if several else "train_cfg.max_iters": max(
            1, round(length * scale)
        )
        for index, length in enumerate(lengths)
    }


def _check_earlier(run: Run) -> None:
    """Refuse to go on with a run of other settings: its numbers would be another model's."""
    path = run.folder / "config.py"
    if not path.is_file():
        return
    earlier = Config.fromfile(path, format_python_code=False).to_dict()
    changes = _changes(earlier, run.read().to_dict())
    if changes:
        raise UserError(
            f"{run.folder}: holds a run with other settings ({changes[0]}); pass the settings of "
            "that run, or another --work-dir"
        )


def _changes(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """What differs between the trainings of two configs."""
    ours, theirs = (
        {key: value for key, value in settings.items() if key not in _NOT_TRAINED}
        for settings in (one, other)
    )
    return settings_changes(ours, theirs)


def _check_measuring(run: Run, measures: Measures) -> None:
    """Find missing data, unknown protocols and bad weights before an hour of training."""
    config = run.stages()[-1].config
    for loader in _LOADERS:
        if not config.get(loader):
            raise UserError(f"{run.config}: has no {loader}, so it cannot be trained and measured")
        dataset = DATASETS.build(config[loader]["dataset"])
    build_tables(config, measures, ["model"], torch.device("cpu"), dataset)


def _train_all(runs: Sequence[Run], device: str | None) -> None:
    for number, run in enumerate(runs, 1):
        print(f"[{number}/{len(runs)}] {run.title} -> {run.folder}", flush=True)
        if (run.folder / FINAL).is_file():
            print("finished already", flush=True)
            continue
        _take_first_stage(run, runs[: number - 1])
        in_own_process(run.title, _train_one, run, device)


def _train_one(run: Run, device: str | None) -> None:
    keep_freed_memory()
    # a spawned process would start its data loaders' workers the slow way too
    multiprocessing.set_start_method(None, force=True)
    train(
        run.config,
        run.folder,
        resume=True,
        cfg_options=run.options,
        seed=run.seed,
        device=device,
    )


def in_own_process(title: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a module's function in a fresh process, and give what it returns.

    Raises:
        UserError: the process was killed; what the function raises comes through.
    """
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=fresh) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except BrokenProcessPool as error:
            raise UserError(
                f"{title}: its process was ended from outside (out of memory?); the same command "
                "goes on where it was"
            ) from error


def _take_first_stage(run: Run, earlier: Sequence[Run]) -> None:
    """Copy stage 1 from a finished run of the same seed whose stage 1 has the same settings."""
    stages = run.stages()
    if len(stages) == 1 or last_checkpoint(stages[0].folder) is not None:
        return
    for other in earlier:
        if other.seed != run.seed:
            continue
        theirs = other.stages()[0]
        checkpoint = last_checkpoint(theirs.folder)
        if checkpoint is None or _changes(theirs.settings, stages[0].settings):
            continue
        done = read_checkpoint(checkpoint)["meta"].get("iter")
        if done == stages[0].config.train_cfg.max_iters:
            with atomic_path(stages[0].folder / checkpoint.name) as temporary:
                shutil.copyfile(checkpoint, temporary)
            write_pointer(stages[0].folder, stages[0].folder / checkpoint.name)
            print(f"{stages[0].title} is that of {other.title}", flush=True)
            return


def _measure(
    run: Run, device: str | None, measures: Measures | None, command: str | None
) -> dict[str, Any]:
    print(f"measuring {run.title}", flush=True)
    return evaluate(
        run.config,
        run.folder / FINAL,
        measures=measures,
        out=run.folder / RESULTS,
        device=device,
        baselines=("copy_source",),
        cfg_options=run.options,
        command=command,
    )


def _model(name: str, runs: Sequence[Run], reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How one model came about, over its seeds."""
    own = [(run, report) for run, report in zip(runs, reports, strict=True) if run.name == name]
    first = own[0][0]
    generator = load_generator(first.folder / FINAL)
    return {
        "config": first.config.as_posix(),
        "parameters": sum(parameter.numel() for parameter in generator.parameters()),
        "iterations": {stage.name: stage.config.train_cfg.max_iters for stage in first.stages()},
        "train_seconds": [report.get("train_seconds") for _, report in own],
        "checkpoint_sha256": [report.get("checkpoint_sha256") for _, report in own],
    }
