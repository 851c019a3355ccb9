"""Released-layout checkpoints to ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from gfla_video import __version__
from gfla_video.apis.load import build_network
from gfla_video.models.generator import MIN_SIZE, MULTIPLE
from gfla_video.registry import CONVERTERS
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import atomic_path
from gfla_video.utils.weights import load_weights


def convert_checkpoint(
    task: str, src: Path | str, out: Path | str, size: tuple[int, int] | None = None
) -> dict[str, Any]:
    """Convert a released checkpoint and prove that the result loads strictly.

    Args:
        task: name of the task, whose converter is used.
        src: the released file (with or without ``module.``), read with ``weights_only=True``.
        out: the file to write, whole or not at all.
        size: picture height and width, where the converter's guess is wrong.

    Returns:
        ``{"networks": [...], "dropped": {reason: [names]}, "meta": ...}``.

    Raises:
        UserError: an unknown task, a size that no network takes, or a file of another task.
    """
    if size is not None and (min(size) < MIN_SIZE or any(side % MULTIPLE for side in size)):
        raise UserError(
            f"--size {size[0]}x{size[1]}: height and width must be multiples of {MULTIPLE}, at "
            f"least {MIN_SIZE}"
        )
    converter_class = CONVERTERS.get(task)
    if converter_class is None:
        known = ", ".join(sorted(CONVERTERS.module_dict)) or "none"
        raise UserError(f"--task {task}: no such task has a converter (known: {known})")
    converter = converter_class()
    state = load_weights(src)
    if all(name.startswith("module.") for name in state):
        state = {name[len("module.") :]: tensor for name, tensor in state.items()}
    try:
        networks = converter.convert(state)
    except UserError as error:
        raise UserError(f"{src}: {error}") from error
    meta: dict[str, Any] = {"task": task, "gfla_video": __version__, **converter.meta(networks)}
    if size is not None:
        meta["size"] = list(size)
    meta |= {name: network.config for name, network in networks.items()}
    tensors = {f"{n}.{k}": v for n, network in networks.items() for k, v in network.state.items()}
    checkpoint = {"meta": meta, "state_dict": tensors}
    for name in networks:
        try:
            build_network(checkpoint, name, src)
        except ValueError as error:  # parts that do not belong together
            raise UserError(f"{src}: no {name} can be built of it, {error}") from error
    with atomic_path(out) as temporary:
        torch.save(checkpoint, temporary)
    dropped: dict[str, list[str]] = {}
    for network in networks.values():
        for reason, names in network.dropped.items():
            dropped.setdefault(reason, []).extend(names)
    return {"networks": sorted(networks), "dropped": dropped, "meta": meta}
