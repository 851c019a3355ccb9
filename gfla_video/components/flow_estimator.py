"""The global flow field estimator F (paper section 3.1, Eq. 1)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from gfla_video.components.blocks import DecoderBlock, ReflectConv, ResBlock, level_width
from gfla_video.components.code_join import CodeJoin
from gfla_video.components.encoder import PyramidEncoder
from gfla_video.components.init import init_orthogonal
from gfla_video.registry import MODELS
from gfla_video.structures import FlowOutput

PLACES = ("input", "bottleneck")
CODES = ("difference", "both")
JOINS = ("residual", "positions")


class FloatConv(nn.Conv2d):
    """A convolution in float32, also under autocast and in a network of half type.

    Positions need it: in bfloat16 a flow of 20 pixels is known to a tenth of a pixel only.
    """

    def forward(self, x: Tensor) -> Tensor:
        """``[B, c, H, W] -> [B, o, H, W]``; float64 stays float64."""
        if x.dtype == torch.float64:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            bias = None if self.bias is None else self.bias.float()
            return self._conv_forward(x.float(), self.weight.float(), bias)


class FlowNetwork(nn.Module):
    """The U-shaped network of all estimators: a tensor to flows and masks of R references.

    Level L has 1 / 2^L of the input's resolution; level 0 is the input's own.

    Args:
        in_channels: channels of the concatenated input.
        references: R, flows and masks that each head gives.
        base_channels: channels at 1/2.
        max_channels: upper limit of channels.
        levels: halvings of the encoder; inputs must be multiples of 2^levels.
        flow_levels: levels with a flow and a mask head, coarse to fine.
        gain: of the orthogonal initial weights (released: 0.02).
        code_channels: channels of a code that joins the features at the bottleneck, 0 for none.
        join: how it does, of ``JOINS``.
        norm: ``instance`` (released) or ``none``, see :class:`PyramidEncoder`.
        skips: whether the encoder's features are added to the decoder's.
        head_gain: of the initial weights of the flow and mask heads; None: ``gain``, as released.
            Near 0 every flow starts near zero and every mask as ``first_mask``.
        first_mask: what the masks are before they know anything, between 0 and 1.
    """

    def __init__(
        self,
        in_channels: int,
        references: int,
        base_channels: int,
        max_channels: int,
        levels: int,
        flow_levels: Sequence[int],
        gain: float,
        code_channels: int = 0,
        join: str = "residual",
        norm: str = "instance",
        skips: bool = True,
        head_gain: float | None = None,
        first_mask: float = 0.5,
    ) -> None:
        super().__init__()
        self.flow_levels = tuple(flow_levels)
        if list(self.flow_levels) != sorted(set(self.flow_levels), reverse=True):
            raise ValueError(f"flow_levels must go coarse to fine, got {self.flow_levels}")
        if not self.flow_levels or self.flow_levels[0] >= levels or self.flow_levels[-1] < 0:
            raise ValueError(f"flow_levels must lie in 0..{levels - 1}, got {self.flow_levels}")
        self.encoder = PyramidEncoder(in_channels, base_channels, max_channels, levels, norm)
        self.decoder_levels = tuple(range(levels - 1, self.flow_levels[-1] - 1, -1))
        widths = [base_channels]  # by level; the picture's own resolution has no encoder
        widths += [level_width(i, base_channels, max_channels) for i in range(1, levels + 1)]
        self.join_code = _join(join, widths[-1], code_channels) if code_channels else None
        self.decoders = nn.ModuleList(
            DecoderBlock(widths[level + 1], widths[level], widths[level], norm)
            for level in self.decoder_levels
        )
        self.skips = nn.ModuleList(
            ReflectConv(widths[level], widths[level])
            for level in self.decoder_levels
            if skips and level
        )
        heads = [widths[level] for level in self.flow_levels]
        self.flow_heads = nn.ModuleList(
            FloatConv(width, 2 * references, 3, padding=1) for width in heads
        )
        self.mask_heads = nn.ModuleList(
            FloatConv(width, references, 3, padding=1) for width in heads
        )
        init_orthogonal(self, gain)
        if head_gain is not None:
            init_orthogonal(self.flow_heads, head_gain)
            init_orthogonal(self.mask_heads, head_gain)
        for mask_head in self.mask_heads:
            nn.init.constant_(mask_head.bias, math.log(first_mask / (1 - first_mask)))

    def mask_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters that only the masks depend on: without a mask's user they get no gradient."""
        return self.mask_heads.parameters()

    def estimate(self, x: Tensor, code: Tensor | None = None) -> tuple[list[Tensor], list[Tensor]]:
        """Flows ``[B, 2R, h, w]`` and masks ``[B, R, h, w]``, coarse to fine.

        Args:
            x: ``[B, in_channels, H, W]``.
            code: ``[B, code_channels, 1, 1]``, for a network that has some.
        """
        features = self.encoder(x)  # fine to coarse
        out = features[-1]
        if self.join_code is not None and code is not None:
            out = self.join_code(code, out.shape[-2:], out)
        flows: list[Tensor] = []
        masks: list[Tensor] = []
        for number, (level, decoder) in enumerate(
            zip(self.decoder_levels, self.decoders, strict=True)
        ):
            out = decoder(out)  # [B, w, H/2^level, W/2^level]
            if number < len(self.skips):
                out = out + self.skips[number](features[level - 1])
            if level in self.flow_levels:
                head = len(flows)
                flows.append(self.flow_heads[head](out))
                masks.append(torch.sigmoid(self.mask_heads[head](out)))
        return flows, masks


@MODELS.register_module()
class FlowEstimator(FlowNetwork):
    """Predicts, for every target position, where to look in the source and whether it is there.

    Structures that are maps join the source image at the input. Structures that are codes join its
    features at the bottleneck, as their difference: the layout released for view synthesis (facts
    1.2). With several references each is estimated by itself with the same weights.

    Args:
        image_channels: channels of a source image.
        structure_channels: channels of a structure.
        base_channels, max_channels, levels, flow_levels, gain: see :class:`FlowNetwork`.
        structure_at: ``input`` for maps ``[B, C, H, W]``, ``bottleneck`` for codes
            ``[B, C, 1, 1]``.
        code: ``difference``, source code - target code (released); or ``both``, the two of them,
            for codes whose difference leaves open where the turn begins (sines of angles).
        join: how a code meets the features: ``residual`` (released) or ``positions``
            (:class:`CodeJoin`).
        norm: ``instance`` (released) or ``none``.
        skips: add the encoder's features to the decoder's (released). With a code they lie where
            the source has them, not where the target does.
        head_gain, first_mask: see :class:`FlowNetwork`.

    Raises:
        ValueError: another place, or another way to give the code.
    """

    def __init__(
        self,
        image_channels: int = 3,
        structure_channels: int = 18,
        base_channels: int = 32,
        max_channels: int = 256,
        levels: int = 5,
        flow_levels: Sequence[int] = (3, 2),
        gain: float = 0.02,
        structure_at: str = "input",
        code: str = "difference",
        join: str = "residual",
        norm: str = "instance",
        skips: bool = True,
        head_gain: float | None = None,
        first_mask: float = 0.5,
    ) -> None:
        if structure_at not in PLACES:
            raise ValueError(f"structure_at must be {' or '.join(PLACES)}, got {structure_at!r}")
        joint_code = code_of(code)
        at_input = structure_at == "input"
        channels = image_channels + 2 * structure_channels * at_input
        code_channels = 0 if at_input else structure_channels * (1 + (code == "both"))
        super().__init__(
            *(channels, 1, base_channels, max_channels, levels, flow_levels, gain),
            *(code_channels, join, norm, skips, head_gain, first_mask),
        )
        self.code = joint_code

    def forward(
        self,
        sources: Sequence[Tensor],
        source_structures: Sequence[Tensor],
        target_structure: Tensor,
    ) -> FlowOutput:
        """Flows and masks of every reference, in float32 also under autocast.

        Args:
            sources: R images ``[B, 3, H, W]`` in [-1, 1].
            source_structures: R maps ``[B, C, H, W]``, or codes ``[B, C, 1, 1]``.
            target_structure: ``[B, C, H, W]``, or ``[B, C, 1, 1]``.
        """
        flows, masks = [], []
        for source, structure in zip(sources, source_structures, strict=True):
            if self.join_code is None:
                flow, mask = self.estimate(joined([source, structure, target_structure]))
            else:
                flow, mask = self.estimate(source, self.code(structure, target_structure))
            flows.append(flow)
            masks.append(mask)
        return FlowOutput(flows, masks)


def code_of(kind: str) -> Callable[[Tensor, Tensor], Tensor]:
    """How a turn is told, from the codes ``[B, C, ...]`` of source and target.

    Args:
        kind: ``difference``, source - target (facts 1.2): C channels; ``both``: 2 C channels.

    Raises:
        ValueError: another kind.
    """
    if kind not in CODES:
        raise ValueError(f"code must be {' or '.join(CODES)}, got {kind!r}")
    return torch.sub if kind == "difference" else _both


def _both(source: Tensor, target: Tensor) -> Tensor:
    return torch.cat([source, target], dim=1)


class ResidualJoin(ResBlock):
    """Features and the repeated code through one residual block, as released (facts 1.2)."""

    def __init__(self, features: int, code: int) -> None:
        super().__init__(features + code, features, hidden=features + code)

    def forward(self, code: Tensor, size: Sequence[int], features: Tensor) -> Tensor:
        """``[B, C, 1, 1]`` and ``[B, f, h, w]`` to ``[B, f, h, w]``."""
        return super().forward(joined([features, code.expand(-1, -1, *size)]))


def _join(kind: str, features: int, code: int) -> nn.Module:
    if kind not in JOINS:
        raise ValueError(f"join must be {' or '.join(JOINS)}, got {kind!r}")
    return (
        ResidualJoin(features, code) if kind == "residual" else CodeJoin(code, features, features)
    )


def joined(inputs: Sequence[Tensor]) -> Tensor:
    """Concatenated along the channels, in the memory layout of the last one."""
    out = torch.cat(list(inputs), dim=1)
    if _channels_last(inputs[-1]):  # one source for a whole batch hides it from cat
        out = out.contiguous(memory_format=torch.channels_last)
    return out


def _channels_last(maps: Tensor) -> bool:
    """Whether the maps lie channels innermost, and not by chance (one channel, one pixel)."""
    last = maps.is_contiguous(memory_format=torch.channels_last)
    return last and not maps.is_contiguous()
