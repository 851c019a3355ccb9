"""Reading the released programs' checkpoint layout (facts 1.1-1.4): names, widths, window sizes.

A converter of a task says which networks a file holds; the functions here turn the tensors of one
network into ours and infer its constructor values from the tensors' shapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from gfla_video.utils.errors import UserError

State = dict[str, Tensor]
Rule = tuple[str, str | Callable[[re.Match[str]], str]]

# inside of a block: normalise (0, 3) and convolve (2, 5); without norm convolve at 1 and 3
_NORMED = {"model.0": "norm1", "model.2": "conv1", "model.3": "norm2", "model.5": "conv2"}
_SPECTRAL = {
    "weight_orig": "parametrizations.weight.original",
    "weight_u": "parametrizations.weight.0._u",
    "weight_v": "parametrizations.weight.0._v",
    "bias": "bias",
}
# inside of a discriminator's block, and its last convolution
_SPECTRAL_PARTS = {
    "model.1": "conv1.",
    "model.3": "conv2.",
    "shortcut.1": "shortcut.",
    "conv": "",
}


@dataclass
class Converted:
    """A network in our layout.

    Attributes:
        config: what builds it.
        state: its state dict.
        dropped: released names that were left out on purpose, by reason.
    """

    config: dict[str, Any]
    state: State
    dropped: dict[str, list[str]] = field(default_factory=dict)


def assemble(kind: str, parts: Mapping[str, Converted], **values: Any) -> Converted:
    """A network made of converted parts, each under the name of its constructor's argument.

    Args:
        kind: registered name of the network.
        parts: by argument.
        **values: further constructor values.
    """
    dropped: dict[str, list[str]] = {}
    for part in parts.values():
        for reason, names in part.dropped.items():
            dropped.setdefault(reason, []).extend(names)
    config = {"type": kind, **{name: part.config for name, part in parts.items()}, **values}
    state = {f"{name}.{k}": v for name, part in parts.items() for k, v in part.state.items()}
    return Converted(config, state, dropped)


def under(state: Mapping[str, Tensor], prefix: str) -> State:
    """The tensors below ``prefix.``, with the prefix taken off."""
    start = prefix + "."
    return {k[len(start) :]: v for k, v in state.items() if k.startswith(start)}


def _numbers(state: Mapping[str, Tensor], pattern: str) -> list[int]:
    """Sorted distinct numbers that ``pattern``'s only group takes among the names."""
    found = (re.match(pattern, name) for name in state)
    return sorted({int(match.group(1)) for match in found if match})


def _size(state: Mapping[str, Tensor], name: str, axis: int, what: str) -> int:
    """Size of a tensor along an axis.

    Raises:
        UserError: it is missing, empty, or has no such axis.
    """
    if name not in state:
        raise UserError(f"{what}: no tensor {name!r}; is it another task or network?")
    if state[name].ndim <= axis or not state[name].numel():
        shape = "x".join(map(str, state[name].shape)) or "a number"
        raise UserError(f"{what}: {name!r} is {shape}, no released network has that there")
    return state[name].shape[axis]


def _rename(state: Mapping[str, Tensor], rules: list[Rule], what: str) -> State:
    renamed: State = {}
    for name, tensor in state.items():
        for pattern, target in rules:
            match = re.fullmatch(pattern, name)
            if match:
                renamed[match.expand(target) if isinstance(target, str) else target(match)] = tensor
                break
        else:
            raise UserError(
                f"{what}: the released layout has no tensor {name!r}; is it another task?"
            )
    return renamed


def _block(match: re.Match[str]) -> str:
    return _NORMED[match.group("part")] + "." + match.group("leaf")


_PART = r"(?P<part>model\.[0235])\.(?P<leaf>weight|bias)"


def _encoder_rules(target: str) -> list[Rule]:
    """``block0`` and ``encoder<i>`` to ``blocks.0`` and ``blocks.<i+1>``."""
    return [
        (rf"block0\.{_PART}", lambda m: f"{target}blocks.0.{_block(m)}"),
        (
            rf"encoder(?P<i>\d+)\.{_PART}",
            lambda m: f"{target}blocks.{int(m.group('i')) + 1}.{_block(m)}",
        ),
    ]


def _widths(state: Mapping[str, Tensor], levels: int, what: str) -> dict[str, int]:
    """Constructor values of a pyramid from its convolutions."""
    names = ["block0", *(f"encoder{i}" for i in range(levels - 1))]
    widths = [_size(state, f"{name}.model.2.weight", 0, what) for name in names]
    base, top = widths[0], max(widths)
    expected = [base * min(2**i, top // base) for i in range(levels)]
    if widths != expected:
        raise UserError(f"{what}: channels {widths} do not double from {base} up to {top}")
    return {"base_channels": base, "max_channels": top, "levels": levels}


def _levels(state: Mapping[str, Tensor], what: str) -> int:
    if "block0.model.2.weight" not in state:
        raise UserError(
            f"{what}: no tensor 'block0.model.2.weight'; is it another task or network?"
        )
    return 1 + len(_numbers(state, r"encoder(\d+)\."))


def _drop_twins(state: State, prefix: str) -> tuple[State, list[str]]:
    """Leave out ``<prefix>.model.2.*``, which is stored a second time as ``<prefix>.conv1.*``."""
    twins = [name for name in state if re.fullmatch(rf"{prefix}\.model\.2\.(weight|bias)", name)]
    for name in twins:
        twin = state.get(name.replace(".model.2.", ".conv1."))
        if twin is None or not state[name].equal(twin):
            raise UserError(
                f"{name} and its twin conv1 differ or it has none: not a released checkpoint"
            )
    return {k: v for k, v in state.items() if k not in twins}, twins


def convert_encoder(state: State, used_levels: int, what: str = "source") -> Converted:
    """A source encoder; levels deeper than ``used_levels`` reach no output and are dropped."""
    levels = _levels(state, what)
    names = ["block0", *(f"encoder{i}" for i in range(used_levels - 1))]
    kept = {k: v for k, v in state.items() if k.split(".")[0] in names}
    config: dict[str, Any] = {
        "type": "PyramidEncoder",
        "in_channels": _size(state, "block0.model.0.weight", 0, what),
        **_widths(state, levels, what),
    }
    config["levels"] = used_levels
    unused = [f"{what}.{name}" for name in state if name not in kept]
    dropped = {"deeper than the deepest attention, reaches no output": unused} if unused else {}
    return Converted(config, _rename(kept, _encoder_rules(""), what), dropped)


def convert_attention(state: State, what: str = "attention") -> Converted:
    """A local attention block: the released convolution over [target, source] becomes two."""
    first = "fully_connect_layer.0.weight"
    hidden, doubled, kernel_size = (_size(state, first, axis, what) for axis in range(3))
    try:
        weight, bias = state[first], state["fully_connect_layer.0.bias"]
        to_kernel = {k: state[f"fully_connect_layer.2.{k}"] for k in ("weight", "bias")}
    except KeyError as error:
        raise UserError(f"{what}: no tensor {error.args[0]!r}") from error
    channels = doubled // 2
    config = {
        "type": "LocalAttention",
        "channels": channels,
        "kernel_size": kernel_size,
        "hidden": hidden,
    }
    ours = {
        "target_conv.weight": weight[:, :channels].contiguous(),
        "target_conv.bias": bias,
        "source_conv.weight": weight[:, channels:].contiguous(),
        "to_kernel.weight": to_kernel["weight"],
        "to_kernel.bias": to_kernel["bias"],
    }
    return Converted(config, ours)


def _attention_at(state: State, index: int, what: str) -> Converted:
    """``attn<i>``, or in video checkpoints ``attn_r<i>`` and ``attn_p<i>``."""
    names = {"source": f"attn_r{index}", "previous": f"attn_p{index}"}
    if not under(state, names["source"]):
        return convert_attention(under(state, f"attn{index}"), f"{what}.attn{index}")
    kinds = {
        kind: convert_attention(under(state, name), f"{what}.{name}")
        for kind, name in names.items()
    }
    return assemble("PerKind", kinds)


def _decoded_code(state: State, what: str) -> tuple[list[Rule], dict[str, Any]]:
    """Rules and values of a renderer that decodes a code by ``block0`` and ``block1``."""
    rules: list[Rule] = [
        (
            rf"block(?P<i>[01])\.{_PART}",
            lambda m: f"code_decoder.blocks.{m.group('i')}.{_block(m)}",
        ),
        (
            r"block([01])\.shortcut\.0\.(weight|bias)",
            r"code_decoder.blocks.\1.shortcut.\2",
        ),
    ]
    values = {
        "base_channels": _size(state, "block0.shortcut.0.weight", 1, what),
        "max_channels": _size(state, "block1.shortcut.0.weight", 1, what),
        "levels": len(_numbers(state, r"decoder(\d+)\.")),
        "structure_at": "bottleneck",
    }
    return rules, values


def convert_renderer(state: State, what: str = "target") -> Converted:
    """The target network: encoder or decoder of a code, attention blocks, decoders, output."""
    if "block1.model.2.weight" in state:
        structure_rules, values = _decoded_code(state, what)
    else:
        structure_rules = _encoder_rules("encoder.")
        values = _widths(state, _levels(state, what), what)
    levels = values["levels"]
    indices = _numbers(state, r"attn(?:_[rp])?(\d+)\.")
    state, twins = _drop_twins(state, "outconv")
    attentions = [_attention_at(state, i, what) for i in indices]
    rest = {k: v for k, v in state.items() if not k.startswith("attn")}
    res_blocks = len(_numbers(rest, r"decoder0\.0\.model\.(\d+)\.model\."))
    entry = 1 if res_blocks else 0
    rules: list[Rule] = [
        *structure_rules,
        (
            rf"decoder(?P<i>\d+)\.0\.model\.(?P<j>\d+)\.{_PART}",
            lambda m: f"decoders.{m.group('i')}.{m.group('j')}.{_block(m)}",
        ),
        (
            rf"decoder(?P<i>\d+)\.{entry}\.{_PART}",
            lambda m: f"decoders.{m.group('i')}.{res_blocks}.{_block(m)}",
        ),
        (
            rf"decoder(\d+)\.{entry}\.shortcut\.0\.(weight|bias)",
            rf"decoders.\1.{res_blocks}.shortcut.\2",
        ),
        (r"outconv\.conv1\.(weight|bias)", r"to_image.conv.\1"),
    ]
    ours = _rename(rest, rules, what)
    for scale, attention in enumerate(attentions):
        ours |= {f"attentions.{scale}.{k}": v for k, v in attention.state.items()}
    config = {
        "type": "TextureRenderer",
        "structure_channels": _size(state, "block0.model.0.weight", 0, what),
        **values,
        "res_blocks": res_blocks,
        "attention_levels": [levels - i for i in indices],
        "attentions": [attention.config for attention in attentions],
    }
    return Converted(config, ours, {"stored twice": [f"{what}.{name}" for name in twins]})


def convert_flow_estimator(state: State, what: str = "flow_net") -> Converted:
    """The flow estimator; levels and heads are inferred."""
    levels = _levels(state, what)
    heads = _numbers(state, r"(?:output|mask)(\d+)\.")
    state, twins = _drop_twins(state, r"jump\d+")
    rules: list[Rule] = [
        *_encoder_rules("encoder."),
        (rf"decoder(?P<i>\d+)\.{_PART}", lambda m: f"decoders.{m.group('i')}.{_block(m)}"),
        (r"decoder(\d+)\.shortcut\.0\.(weight|bias)", r"decoders.\1.shortcut.\2"),
        (rf"cat\.model\.0\.{_PART}", lambda m: f"join_code.{_block(m)}"),
        (r"cat\.model\.0\.shortcut\.0\.(weight|bias)", r"join_code.shortcut.\1"),
        (r"jump(\d+)\.conv1\.(weight|bias)", r"skips.\1.conv.\2"),
        (
            r"output(\d+)\.(weight|bias)",
            lambda m: f"flow_heads.{heads.index(int(m.group(1)))}.{m.group(2)}",
        ),
        (
            r"mask(\d+)\.0\.(weight|bias)",
            lambda m: f"mask_heads.{heads.index(int(m.group(1)))}.{m.group(2)}",
        ),
    ]
    widths = _widths(state, levels, what)
    in_channels = _size(state, "block0.model.0.weight", 0, what)
    structure: dict[str, Any] = {"structure_channels": (in_channels - 3) // 2}
    if under(state, "cat"):  # a code joins at the bottleneck
        joint = _size(state, "cat.model.0.model.0.weight", 0, what)
        deepest = _size(state, "cat.model.0.shortcut.0.weight", 0, what)
        structure = {"structure_channels": joint - deepest, "structure_at": "bottleneck"}
    config = {
        "type": "FlowEstimator",
        **structure,
        **widths,
        "flow_levels": [levels - 1 - i for i in heads],
    }
    dropped = {"stored twice": [f"{what}.{name}" for name in twins]}
    return Converted(config, _rename(state, rules, what), dropped)


def spectral_name(name: str, what: str = "discriminator") -> str:
    """Our name of a tensor inside a discriminator's block, or of its last convolution ``conv``.

    Raises:
        UserError: no released discriminator has such a tensor.
    """
    module, _, leaf = name.rpartition(".")
    if module not in _SPECTRAL_PARTS or leaf not in _SPECTRAL:
        raise UserError(f"{what}: the released layout has no tensor {name!r}; is it another task?")
    return f"{_SPECTRAL_PARTS[module]}{_SPECTRAL[leaf]}"


def convert_discriminator(state: State, what: str = "discriminator") -> Converted:
    """The residual discriminator with its spectral norms' vectors."""
    place = r"(?:block(?P<block>0)|encoder(?P<encoder>\d+))"

    def inside(match: re.Match[str]) -> str:
        index = int(match.group("encoder")) + 1 if match.group("encoder") else 0
        return f"blocks.{index}.{spectral_name(match.group('name'), what)}"

    rules: list[Rule] = [
        (rf"{place}\.(?P<name>.+)", inside),
        (r"(?P<name>conv\..+)", lambda m: f"to_logit.{spectral_name(m.group('name'), what)}"),
    ]
    ours = _rename(state, rules, what)
    levels = 1 + len(_numbers(state, r"encoder(\d+)\."))
    outputs = [f"blocks.{i}.conv2.parametrizations.weight.original" for i in range(levels)]
    widths = [_size(ours, name, 0, what) for name in outputs]
    inputs = "blocks.0.conv1.parametrizations.weight.original"
    config = {
        "type": "ResidualDiscriminator",
        "in_channels": _size(ours, inputs, 1, what),
        "base_channels": widths[0],
        "max_channels": max(widths),
        "levels": levels,
    }
    return Converted(config, ours)
