"""One optimiser per network: the constructor that MMEngine leaves to its users."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import is_model_wrapper
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper, OptimWrapperDict
from mmengine.registry import OPTIM_WRAPPERS, OPTIMIZERS
from torch import Tensor, nn

from gfla_video.registry import OPTIM_WRAPPER_CONSTRUCTORS
from gfla_video.utils.errors import UserError


class NetworkOptimWrappers(OptimWrapperDict):
    """Optimisers by the name of their network, each told where a resumed run stands."""

    def initialize_count_status(self, model: nn.Module, cur_iter: int, max_iters: int) -> None:
        """Tell every optimiser the current and the last iteration (gradient accumulation)."""
        networks = dict(unwrapped(model).named_children())
        for name, wrapper in self.items():
            wrapper.initialize_count_status(networks[name], cur_iter, max_iters)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore all optimisers.

        Raises:
            UserError: the stored optimisers are not those of this model.
        """
        if set(state_dict) != set(self.keys()):
            raise UserError(
                f"optim_wrapper: the checkpoint holds optimisers of {_listed(state_dict)}, the "
                f"config of {_listed(self.keys())}; resume with the config of that run"
            )
        super().load_state_dict(state_dict)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class PerNetworkOptimConstructor:
    """Build one optimiser per direct child of the model (a child is a network, DESIGN, never 3).

    Only parameters with ``requires_grad`` are given to an optimiser. In a config::

        optim_wrapper = dict(
            constructor="PerNetworkOptimConstructor",
            generator=dict(optimizer=dict(type="Adam", lr=1e-4, betas=(0.0, 0.999))),
            discriminator=dict(optimizer=dict(type="Adam", lr=1e-5, betas=(0.0, 0.999))),
        )

    Args:
        optim_wrapper_cfg: a config of an ``OptimWrapper`` for each network's name.
        paramwise_cfg: taken for MMEngine's sake; say it inside a network's config instead.
    """

    def __init__(
        self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None
    ) -> None:
        if paramwise_cfg:
            raise UserError(
                "optim_wrapper.paramwise_cfg: belongs into the config of one network, such as "
                f"optim_wrapper.{next(iter(optim_wrapper_cfg), 'generator')}.paramwise_cfg"
            )
        self.configs = {
            name: config for name, config in optim_wrapper_cfg.items() if name != "type"
        }

    def __call__(self, model: nn.Module) -> NetworkOptimWrappers:
        """Build the optimisers of ``model`` (wrapped for several processes or not).

        Raises:
            UserError: a name is no child of the model, a named child has nothing to train, or a
                child that could be trained has no optimiser.
        """
        model = unwrapped(model)
        trainable = [name for name, child in model.named_children() if _parameters(child)]
        for name in self.configs:
            if name not in trainable:
                known = getattr(model, name, None) is not None
                reason = "has no trainable parameter" if known else "is no child"
                raise UserError(
                    f"optim_wrapper.{name}: '{name}' {reason} of {type(model).__name__}, "
                    f"which trains {_listed(trainable)}"
                )
        idle = [name for name in trainable if name not in self.configs]
        if idle:
            raise UserError(
                f"optim_wrapper: {_listed(idle)} of {type(model).__name__} would never be "
                "trained, give it an optimiser or freeze its parameters"
            )
        return NetworkOptimWrappers(
            **{name: _build(name, getattr(model, name), cfg) for name, cfg in self.configs.items()}
        )


def lay_out_states(optim_wrapper: OptimWrapper | OptimWrapperDict) -> None:
    """Give restored states of optimisers the memory layout of their weights.

    A run that goes on with another ``channels_last`` brings them in the old one, and a fused
    optimiser takes both for plain memory: it would mix the weights' moments up and say nothing.
    """
    several = isinstance(optim_wrapper, OptimWrapperDict)
    for wrapper in optim_wrapper.values() if several else [optim_wrapper]:
        for parameter, state in wrapper.optimizer.state.items():
            for name, value in state.items():
                alike = isinstance(value, Tensor) and value.shape == parameter.shape
                if alike and value.stride() != parameter.stride():
                    state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def unwrapped(model: nn.Module) -> nn.Module:
    """The model itself, without the wrapper that several processes need."""
    return model.module if is_model_wrapper(model) else model


def _build(name: str, network: nn.Module, config: dict[str, Any]) -> OptimWrapper:
    settings = dict(config)
    paramwise = settings.pop("paramwise_cfg", None)
    settings.setdefault("type", "OptimWrapper")
    if "optimizer" not in settings:
        raise UserError(
            f"optim_wrapper.{name}: has no 'optimizer', such as dict(type='Adam', lr=1e-4)"
        )
    if paramwise:
        return DefaultOptimWrapperConstructor(settings, paramwise)(network)
    optimizer = OPTIMIZERS.build(dict(settings.pop("optimizer"), params=_parameters(network)))
    return OPTIM_WRAPPERS.build(settings, default_args={"optimizer": optimizer})


def _parameters(network: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def _listed(names: Any) -> str:
    return ", ".join(sorted(names)) or "nothing"
