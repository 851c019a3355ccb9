"""The released video checkpoints' layout (facts 1.2, 1.4): two references, joint or apart.

The released programs put the previous frame before the reference frame, this framework the source
first: channels and heads are reordered here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gfla_video.models.released import (
    Converted,
    State,
    assemble,
    convert_discriminator,
    convert_encoder,
    convert_flow_estimator,
    convert_renderer,
    spectral_name,
    under,
)
from gfla_video.utils.errors import UserError

_COLOURS = 3
_REFERENCES = 2
_KINDS = {"source": "reference", "previous": "previous"}  # our name, the released one
_JOINT_INPUTS = ("block0.model.0.weight", "block0.model.0.bias", "block0.model.2.weight")


def convert_clip_generator(state: State) -> Converted:
    """A face generator (one ``flow_net``) or a dance generator (one per kind of reference)."""
    renderer = convert_renderer(under(state, "target"))
    deepest = max(renderer.config["attention_levels"])
    encoders = {
        kind: convert_encoder(under(state, f"source_{name}"), deepest, f"source_{name}")
        for kind, name in _KINDS.items()
    }
    joint = under(state, "flow_net")
    if joint:
        flow = convert_joint_estimator(joint)
    else:
        apart = {
            kind: convert_flow_estimator(under(state, f"flow_net_{name}"), f"flow_net_{name}")
            for kind, name in _KINDS.items()
        }
        flow = assemble("PerKindFlowEstimator", apart)
    parts = {
        "source_encoder": assemble("PerKind", encoders),
        "flow_estimator": flow,
        "renderer": renderer,
    }
    return assemble("TransferGenerator", parts, previous=1)


def convert_joint_estimator(state: State, what: str = "flow_net") -> Converted:
    """The joint estimator, channels brought to our order.

    The released input is (target structure, previous image, previous structure, reference image,
    reference structure), the flow heads give (previous x, y, reference x, y), the mask heads
    (previous, reference).

    Raises:
        UserError: the input's channels are no such two references.
    """
    first = state.get(_JOINT_INPUTS[0])
    channels = 0 if first is None else len(first)
    structure, rest = divmod(channels - _REFERENCES * _COLOURS, _REFERENCES + 1)
    if rest or structure < 1:
        raise UserError(f"{what}: {channels} input channels are not those of two references")
    target, previous, reference = torch.arange(channels).split(
        [structure, _COLOURS + structure, _COLOURS + structure]
    )
    order = torch.cat([reference, previous, target])
    ours: State = {}
    for name, tensor in state.items():
        ours[name] = tensor
        if name in _JOINT_INPUTS:
            ours[name] = tensor[:, order] if tensor.ndim == 4 else tensor[order]
        elif name.startswith(("output", "mask")):
            ours[name] = _source_first(tensor)
    made = convert_flow_estimator(ours, what)
    made.config |= {
        "type": "JointFlowEstimator",
        "references": _REFERENCES,
        "structure_channels": structure,
    }
    return made


def convert_clip_discriminator(state: State, what: str = "discriminator") -> Converted:
    """The discriminator of frame differences, or the one in space and time."""
    if _is_temporal(state):
        return _convert_temporal(state, what)
    made = convert_discriminator(state, what)
    channels = made.config.pop("in_channels")
    if channels % _COLOURS or channels < _COLOURS:
        raise UserError(f"{what}: {channels} input channels are no differences of pictures")
    frames = channels // _COLOURS + 1
    made.config |= {"type": "FrameDifferenceDiscriminator", "frames": frames}
    return made


def _convert_temporal(state: State, what: str) -> Converted:
    """``block0`` and ``block1`` are in space and time, ``encoder<i>`` in space."""
    clip = {f"clip_blocks.{i}": under(state, f"block{i}") for i in range(2)}
    levels = 0
    while under(state, f"encoder{levels}"):
        clip[f"blocks.{levels}"] = under(state, f"encoder{levels}")
        levels += 1
    ours: State = {}
    for place, block in clip.items():
        ours |= {f"{place}.{spectral_name(name, what)}": tensor for name, tensor in block.items()}
    head = {f"conv.{name}": tensor for name, tensor in under(state, "conv").items()}
    ours |= {f"to_logit.{spectral_name(name, what)}": tensor for name, tensor in head.items()}
    if len(ours) != len(state):
        raise UserError(f"{what}: holds tensors that no released clip discriminator has")
    weights = "parametrizations.weight.original"
    widths = [len(ours[f"{place}.conv2.{weights}"]) for place in clip]
    first_in_space = ours[f"blocks.0.conv1.{weights}" if levels else f"to_logit.{weights}"]
    config: dict[str, Any] = {
        "type": "TemporalDiscriminator",
        "frames": first_in_space.shape[1] // widths[1] + 4,
        "channels": ours[f"clip_blocks.0.conv1.{weights}"].shape[1],
        "base_channels": widths[0],
        "max_channels": max(widths),
        "levels": levels + 2,
    }
    return Converted(config, ours)


def _is_temporal(state: State) -> bool:
    first = state.get("block0.model.1.weight_orig")
    return first is not None and first.ndim == 5


def _source_first(head: Tensor) -> Tensor:
    """A head's outputs (previous, reference) as (reference, previous)."""
    return torch.cat(head.chunk(_REFERENCES)[::-1])
