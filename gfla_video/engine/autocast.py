"""Mixed precision: autocast per network, on the CPU as well, chosen by the config."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import Tensor, nn

from gfla_video.engine.stages import expand_stages
from gfla_video.utils.errors import UserError

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
PLAIN = "OptimWrapper"
AUTOCAST = "AutocastOptimWrapper"
_SCALER = "loss_scaler"


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """An optimiser whose network runs under autocast: convolutions in a half type, weights,
    gradients, flows and losses in float32.

    MMEngine's ``AmpOptimWrapper`` refuses the CPU. bfloat16 works on CPUs and GPUs as it is;
    float16 needs a GPU, and its small gradients a scaled loss: every network has its own scaler,
    which is stored and resumed with its optimiser.

    Args:
        optimizer: MMEngine's; where its parameters lie is where autocast is on.
        dtype: ``bfloat16`` or ``float16``.
        loss_scale: first factor of the loss; used with float16 only.
        **kwargs: as :class:`mmengine.optim.OptimWrapper`.

    Raises:
        UserError: another type, or float16 without a GPU.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        dtype: str = "bfloat16",
        loss_scale: float = 65536.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(optimizer, **kwargs)
        self.device_type: str = optimizer.param_groups[0]["params"][0].device.type
        if dtype not in DTYPES:
            raise UserError(f"optim_wrapper.dtype: choose {' or '.join(DTYPES)}, not {dtype!r}")
        if dtype == "float16" and self.device_type == "cpu":
            raise UserError(
                "optim_wrapper.dtype: float16 trains on a GPU only, take bfloat16 (--amp bfloat16) "
                "on the CPU"
            )
        self.dtype = DTYPES[dtype]
        self.scaler = torch.amp.GradScaler(  # type: ignore[attr-defined]
            self.device_type, init_scale=loss_scale, enabled=dtype == "float16"
        )

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast, and no synchronisation of gradients while they are accumulated."""
        with super().optim_context(model), torch.autocast(self.device_type, self.dtype):
            yield

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Gradients of the scaled loss."""
        super().backward(self.scaler.scale(loss), **kwargs)

    def step(self, **kwargs: Any) -> None:
        """Update the weights; not where a scaled gradient overflowed, the factor is halved then."""
        if self.clip_grad_kwargs:
            self.scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """The optimiser's state, and the scaler's where it scales."""
        state: dict[str, Any] = super().state_dict()
        return {**state, _SCALER: self.scaler.state_dict()} if self.scaler.is_enabled() else state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore both; a state of a run without a scaler (or for one) is taken too."""
        state = dict(state_dict)
        scaler = state.pop(_SCALER, None)
        if scaler and self.scaler.is_enabled():
            self.scaler.load_state_dict(scaler)
        super().load_state_dict(state)


def use_autocast(config: Config, dtype: str) -> None:
    """Let every network of every stage train under autocast, as ``tools/train.py --amp`` asks.

    Args:
        config: the whole config; its optimisers' wrappers are changed in place.
        dtype: ``bfloat16`` or ``float16``.

    Raises:
        UserError: another type, or a wrapper that is no plain one.
    """
    if dtype not in DTYPES:
        raise UserError(f"--amp {dtype}: choose {' or '.join(DTYPES)}")
    for stage in expand_stages(config, ""):
        if "optim_wrapper" not in stage.config:
            continue
        whole = stage.config.optim_wrapper.to_dict()
        networks = [name for name, part in whole.items() if _is_wrapper(part)]
        for name in networks:
            whole[name] = _autocast(whole[name], dtype, f"{stage.title}: optim_wrapper.{name}")
        if not networks:
            whole = _autocast(whole, dtype, f"{stage.title}: optim_wrapper")
        if "stages" not in config:
            config["optim_wrapper"] = whole
        else:  # the whole, also where the stage leaves out what the common part says
            replaces = {"_delete_": True} if "optim_wrapper" in config else {}
            config.stages[stage.number - 1]["optim_wrapper"] = {**replaces, **whole}


def _is_wrapper(part: Any) -> bool:
    return isinstance(part, dict) and "optimizer" in part


def _autocast(wrapper: dict[str, Any], dtype: str, where: str) -> dict[str, Any]:
    kind = wrapper.get("type", PLAIN)
    if kind not in (PLAIN, AUTOCAST):
        raise UserError(f"--amp: {where} is a {kind}; set its precision in the config")
    return {**wrapper, "type": AUTOCAST, "dtype": dtype}
