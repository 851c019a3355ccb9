"""Released checkpoints of still images: which networks a file holds, in our layout."""

from __future__ import annotations

from gfla_video.models.released import (
    Converted,
    State,
    assemble,
    convert_attention,
    convert_discriminator,
    convert_encoder,
    convert_flow_estimator,
    convert_renderer,
    under,
)
from gfla_video.utils.errors import UserError

_STRUCTURES = {"input": "maps", "bottleneck": "codes"}


def convert_still_networks(state: State, task: str, structure_at: str) -> dict[str, Converted]:
    """The networks of a released state dict (without ``module.``), by our child name.

    A generator, a flow estimator of stage 1, a discriminator or a single attention block.

    Args:
        state: the tensors.
        task: its name, for messages.
        structure_at: where the task's structures enter, see ``FlowEstimator``.

    Raises:
        UserError: the names are those of no such network, or of one with other structures.
    """
    parts = {name.split(".")[0] for name in state}
    if {"source_previous", "source_reference"} & parts:
        raise UserError(
            "this is a video checkpoint (it has source_previous and source_reference), "
            f"not one of the {task} task: convert it with its own task"
        )
    if parts in ({"source", "target", "flow_net"}, {"flow_net"}):
        _check_structure(state, task, structure_at)
    if parts == {"source", "target", "flow_net"}:
        return {"generator": _generator(state)}
    if parts == {"flow_net"}:
        return {"flow_estimator": convert_flow_estimator(under(state, "flow_net"))}
    if parts == {"fully_connect_layer"}:
        return {"attention": convert_attention(state)}
    if "block0" in parts and "conv" in parts:
        return {"discriminator": convert_discriminator(state)}
    raise UserError(
        f"no {task} network has the parts {', '.join(sorted(parts)[:6])}; a generator has "
        "source, target and flow_net"
    )


def _check_structure(state: State, task: str, expected: str) -> None:
    found = "bottleneck" if under(state, "flow_net.cat") else "input"
    if found != expected:
        raise UserError(
            f"this checkpoint's structures are {_STRUCTURES[found]}, those of the {task} task are "
            f"{_STRUCTURES[expected]}: convert it with its own task"
        )


def _generator(state: State) -> Converted:
    flow = convert_flow_estimator(under(state, "flow_net"))
    renderer = convert_renderer(under(state, "target"))
    deepest = max(renderer.config["attention_levels"])
    encoder = convert_encoder(under(state, "source"), used_levels=deepest)
    parts = {"source_encoder": encoder, "flow_estimator": flow, "renderer": renderer}
    return assemble("TransferGenerator", parts)
