"""A tiny two-stage training: what the engine's tests train instead of the real networks.

Found by tests and the processes they start through ``custom_imports``; this folder is on the path.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from gfla_video.apis.config import load_config
from gfla_video.engine.stages import Stage, expand_stages
from gfla_video.registry import DATASETS, HOOKS, MODELS

CPU = torch.device("cpu")


@MODELS.register_module()
class ToyFlow(nn.Module):
    """Two heads, of which stage 1 trains one."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, width, 3, padding=1)
        self.flow = nn.Conv2d(width, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.flow(F.dropout(self.body(x), 0.2, self.training))


@MODELS.register_module()
class ToyGenerator(nn.Module):
    """Holds a flow estimator, as the real one does."""

    def __init__(self, flow_estimator: nn.Module, width: int = 4) -> None:
        super().__init__()
        self.flow_estimator = flow_estimator
        self.render = nn.Conv2d(5, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.render(torch.cat([x, self.flow_estimator(x)], 1))


@MODELS.register_module()
class ToyDiscriminator(nn.Module):
    """One spectral-normalised convolution (it has buffers)."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 1, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.judge(x)


@MODELS.register_module()
class ToyFlowModel(BaseModel):
    """Stage 1."""

    def __init__(self, flow_estimator: nn.Module) -> None:
        super().__init__()
        self.flow_estimator = flow_estimator

    def forward(self, image: Tensor, noise: Tensor, mode: str = "loss") -> dict[str, Tensor]:
        return {"loss_flow": (self.flow_estimator(image) - noise[:, :2]).square().mean()}


@MODELS.register_module()
class ToyTransferModel(BaseModel):
    """Stage 2: two networks, two optimisers."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator

    def forward(self, image: Tensor, **unused: Any) -> Tensor:
        return self.generator(image)

    def train_step(self, data: dict[str, Any], optim_wrapper: OptimWrapperDict) -> dict[str, Any]:
        data = self.data_preprocessor(data, True)
        fake = self.generator(data["image"])
        with optim_wrapper["discriminator"].optim_context(self.discriminator):
            real_loss = (self.discriminator(data["noise"]) - 1).square().mean()
            loss_d = real_loss + self.discriminator(fake.detach()).square().mean()
        optim_wrapper["discriminator"].update_params(loss_d)
        self.discriminator.requires_grad_(False)
        loss_g = (fake - data["noise"]).abs().mean() + (
            1 - self.discriminator(fake)
        ).square().mean()
        self.discriminator.requires_grad_(True)
        optim_wrapper["generator"].update_params(loss_g)
        return {"loss_d": loss_d.detach(), "loss_g": loss_g.detach()}


@DATASETS.register_module()
class ToyDataset(Dataset[dict[str, Tensor]]):
    """Random pictures that depend on (seed, epoch, index) alone."""

    def __init__(self, length: int = 7, seed: int = 0) -> None:
        self.length = length
        self.seed = seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, key: Any) -> dict[str, Tensor]:
        index, epoch = key if isinstance(key, tuple) else (key, 0)
        random = torch.Generator().manual_seed(self.seed * 10_000 + epoch * 100 + index)
        return {
            "image": torch.randn(3, 8, 8, generator=random),
            "noise": torch.randn(3, 8, 8, generator=random),
        }


@HOOKS.register_module()
class KillHook(Hook):
    """SIGKILL after the iteration that ``TOY_KILL=<stage>:<iteration>`` names."""

    priority = "LOWEST"

    def after_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
        if os.environ.get("TOY_KILL") == f"{runner.stage.number}:{runner.iter + 1}":
            os.kill(os.getpid(), signal.SIGKILL)


@HOOKS.register_module()
class GradientHook(Hook):
    """Keep what each optimiser is about to use, before it is zeroed, in a file per process."""

    def before_train(self, runner: Any) -> None:
        self.seen: dict[str, list[Tensor]] = {"data": []}
        if not isinstance(runner.optim_wrapper, OptimWrapperDict):
            return
        for name, wrapper in runner.optim_wrapper.items():
            self.seen[name] = []
            wrapper.optimizer.register_step_pre_hook(self._keeper(name))

    def _keeper(self, name: str) -> Any:
        def keep(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
            grads = [p.grad for group in optimizer.param_groups for p in group["params"]]
            self.seen[name].append(torch.cat([grad.flatten().clone() for grad in grads]))

        return keep

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        self.seen["data"].append(torch.stack([t.sum() for t in _tensors(data_batch)]))

    def after_train(self, runner: Any) -> None:
        torch.save(self.seen, f"{runner.work_dir}/gradients_{get_rank()}.pt")


def _tensors(batch: Any) -> list[Tensor]:
    if isinstance(batch, Tensor):
        return [batch.float()]
    items = batch.values() if isinstance(batch, dict) else batch
    if isinstance(batch, str):
        return []
    return [tensor for item in items for tensor in _tensors(item)]


def toy_config(**changes: Any) -> dict[str, Any]:
    """A config with both stages: 6 iterations each, a checkpoint after every second one."""
    flow = {"type": "ToyFlow", "width": 4}
    adam = {"optimizer": {"type": "Adam", "lr": 0.01, "betas": (0.0, 0.999)}}
    schedule = {"type": "LinearLR", "start_factor": 0.1, "end": 5, "by_epoch": False}
    return {
        "custom_imports": {"imports": ["toy_training"], "allow_failed_imports": False},
        "task": "toy",
        "size": (8, 8),
        "train_dataloader": {
            "batch_size": 2,
            "num_workers": 0,
            "dataset": {"type": "ToyDataset"},
            "sampler": {"type": "ResumableInfiniteSampler"},
            "collate_fn": {"type": "default_collate"},
        },
        "train_cfg": {"max_iters": 6},
        "param_scheduler": [schedule],
        "default_hooks": {"checkpoint": {"interval": 2}, "logger": {"interval": 2}},
        "custom_hooks": [{"type": "KillHook"}, {"type": "GradientHook"}],
        "stages": [
            {
                "name": "flow",
                "model": {"type": "ToyFlowModel", "flow_estimator": flow},
                "optim_wrapper": adam,
            },
            {
                "name": "full",
                "model": {
                    "type": "ToyTransferModel",
                    "generator": {"type": "ToyGenerator", "flow_estimator": flow},
                    "discriminator": {"type": "ToyDiscriminator"},
                },
                "optim_wrapper": {
                    "constructor": "PerNetworkOptimConstructor",
                    "generator": adam,
                    "discriminator": adam,
                },
            },
        ],
        **changes,
    }


def toy_file(path: Path, **changes: Any) -> Path:
    """Write :func:`toy_config` as a config file."""
    path.write_text("".join(f"{key} = {item!r}\n" for key, item in toy_config(**changes).items()))
    return path


def toy_stages(folder: Path, **changes: Any) -> list[Stage]:
    """The toy's stages, ready to run in ``folder``."""
    whole = load_config(Config(toy_config(**changes), format_python_code=False))
    return expand_stages(whole, folder)


SMOKE = Path(__file__).resolve().parents[2] / "configs" / "_smoke"


def smoke_file(path: Path, data: Path, task: str = "pose") -> Path:
    """A task's smoke config over ``data``: 4 iterations each, checkpoints after 2 and 4."""
    smoke = SMOKE / f"{task}.py"
    stages = Config.fromfile(smoke, format_python_code=False).to_dict()["stages"]
    for stage in stages:
        stage["train_cfg"] = {"max_iters": 4}
    path.write_text(
        f"_base_ = {str(smoke)!r}\n"
        'custom_imports = {"imports": ["toy_training"], "allow_failed_imports": False}\n'
        'custom_hooks = [{"type": "KillHook"}, {"type": "GradientHook"}]\n'
        'default_hooks = {"checkpoint": {"interval": 2}}\n'
        f'train_dataloader = {{"dataset": {{"data_root": {str(data)!r}}}}}\n'
        f"stages = {stages!r}\n"
    )
    return path
