"""Several processes: set up before a Runner exists, on any device."""

from __future__ import annotations

import os

import torch
from torch import distributed

from gfla_video.utils.errors import UserError

_NEEDED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def start_processes(launcher: str, device: torch.device) -> bool:
    """Join the other processes that ``torchrun`` (or the Slurm script) started.

    MMEngine's own launcher selects a GPU before it joins and so fails where there is none; a
    Runner keeps a group that exists. The backend is PyTorch's default one for ``device``.

    Args:
        launcher: ``none`` or ``pytorch``.
        device: where the model trains.

    Returns:
        Whether this call made the process group (then :func:`end_processes` is due).

    Raises:
        UserError: unknown launcher, or the environment does not fit it.
    """
    if launcher == "none":
        if int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ:
            raise UserError(
                "--launcher none: several processes were started (WORLD_SIZE="
                f"{os.environ['WORLD_SIZE']}), pass --launcher pytorch"
            )
        return False
    if launcher != "pytorch":
        raise UserError(f"--launcher {launcher}: unknown, choose none or pytorch")
    missing = [name for name in _NEEDED if name not in os.environ]
    if missing:
        raise UserError(
            f"--launcher pytorch: {', '.join(missing)} not set in the environment, start the "
            "processes with tools/dist_train.sh CONFIG GPUS"
        )
    if distributed.is_initialized():
        return False
    accelerator = torch.accelerator.current_accelerator()
    if accelerator is not None and accelerator.type == device.type:
        torch.accelerator.set_device_index(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group(distributed.get_default_backend_for_device(device))
    return True


def end_processes() -> None:
    """Leave the process group."""
    if distributed.is_initialized():
        distributed.destroy_process_group()
