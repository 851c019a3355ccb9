"""The global flow field estimator F (paper section 3.1, Eq. 1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from gfla_video.components.blocks import DecoderBlock, ReflectConv, level_width
from gfla_video.components.encoder import PyramidEncoder
from gfla_video.components.init import init_orthogonal
from gfla_video.registry import MODELS
from gfla_video.structures import FlowOutput


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

    Level L has 1 / 2^L of the input's resolution.

    Args:
        in_channels: channels of the concatenated input.
        references: R, flows and masks that each head gives.
        base_channels: channels at 1/2.
        max_channels: upper limit of channels.
        levels: halvings of the encoder; inputs must be multiples of 2^levels.
        flow_levels: levels with a flow and a mask head, coarse to fine.
        gain: of the orthogonal initial weights (released: 0.02).
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
    ) -> None:
        super().__init__()
        self.flow_levels = tuple(flow_levels)
        if list(self.flow_levels) != sorted(set(self.flow_levels), reverse=True):
            raise ValueError(f"flow_levels must go coarse to fine, got {self.flow_levels}")
        if not self.flow_levels or self.flow_levels[0] >= levels or self.flow_levels[-1] < 1:
            raise ValueError(f"flow_levels must lie in 1..{levels - 1}, got {self.flow_levels}")
        self.encoder = PyramidEncoder(in_channels, base_channels, max_channels, levels)
        self.decoder_levels = tuple(range(levels - 1, self.flow_levels[-1] - 1, -1))
        widths = [level_width(i, base_channels, max_channels) for i in range(1, levels + 1)]
        out_widths = [widths[level - 1] for level in self.decoder_levels]
        self.decoders = nn.ModuleList(
            DecoderBlock(widths[level], widths[level - 1], hidden=widths[level - 1])
            for level in self.decoder_levels
        )
        self.skips = nn.ModuleList(ReflectConv(width, width) for width in out_widths)
        heads = [widths[level - 1] for level in self.flow_levels]
        self.flow_heads = nn.ModuleList(
            FloatConv(width, 2 * references, 3, padding=1) for width in heads
        )
        self.mask_heads = nn.ModuleList(
            FloatConv(width, references, 3, padding=1) for width in heads
        )
        init_orthogonal(self, gain)

    def mask_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters that only the masks depend on: without a mask's user they get no gradient."""
        return self.mask_heads.parameters()

    def estimate(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """``[B, in_channels, H, W]`` to flows ``[B, 2R, h, w]`` and masks ``[B, R, h, w]``."""
        features = self.encoder(x)  # fine to coarse
        out = features[-1]
        flows: list[Tensor] = []
        masks: list[Tensor] = []
        for level, decoder, skip in zip(
            self.decoder_levels, self.decoders, self.skips, strict=True
        ):
            out = decoder(out) + skip(features[level - 1])  # [B, w, H/2^level, W/2^level]
            if level in self.flow_levels:
                head = len(flows)
                flows.append(self.flow_heads[head](out))
                masks.append(torch.sigmoid(self.mask_heads[head](out)))
        return flows, masks


@MODELS.register_module()
class FlowEstimator(FlowNetwork):
    """Predicts, for every target position, where to look in the source and whether it is there.

    The input is the concatenated source image, source structure and target structure. With several
    references each is estimated by itself with the same weights.

    Args:
        image_channels: channels of a source image.
        structure_channels: channels of a structure map.
        base_channels, max_channels, levels, flow_levels, gain: see :class:`FlowNetwork`.
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
    ) -> None:
        in_channels = image_channels + 2 * structure_channels
        super().__init__(in_channels, 1, base_channels, max_channels, levels, flow_levels, gain)

    def forward(
        self,
        sources: Sequence[Tensor],
        source_structures: Sequence[Tensor],
        target_structure: Tensor,
    ) -> FlowOutput:
        """Flows and masks of every reference, in float32 also under autocast.

        Args:
            sources: R images ``[B, 3, H, W]`` in [-1, 1].
            source_structures: R maps ``[B, C, H, W]``.
            target_structure: ``[B, C, H, W]``.
        """
        flows, masks = [], []
        for source, structure in zip(sources, source_structures, strict=True):
            flow, mask = self.estimate(joined([source, structure, target_structure]))
            flows.append(flow)
            masks.append(mask)
        return FlowOutput(flows, masks)


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
