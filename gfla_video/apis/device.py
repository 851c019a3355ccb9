"""Which device the work is done on."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch

from gfla_video.ops import backend_for
from gfla_video.utils.errors import UserError


def choose_device(
    name: str | torch.device | None = None, among: Sequence[str] | None = None
) -> torch.device:
    """The named device, proved to be there; without a name the accelerator, else the CPU.

    Args:
        name: as torch writes it, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        among: the only names that are served; any where None.

    Raises:
        UserError: the name is not served, or torch does not know it or cannot use it here, or the
            backend that ``GFLA_BACKEND`` asks for cannot serve there.
    """
    device = _named(name, among)
    if os.environ.get("GFLA_BACKEND"):
        try:
            backend_for(torch.empty(1, device=device))
        except (RuntimeError, ValueError) as error:
            raise UserError(str(error)) from error
    return device


def _named(name: str | torch.device | None, among: Sequence[str] | None) -> torch.device:
    if name is None:
        found = torch.accelerator.current_accelerator(check_available=True)
        return found if found and (among is None or found.type in among) else torch.device("cpu")
    if among is not None and str(name) not in among:
        raise UserError(f"--device {name}: choose {' or '.join(among)}")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {name}: cannot be used here ({reason}), try cpu") from error
    return device
