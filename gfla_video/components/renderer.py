"""The local neural texture renderer G without its source encoder (paper section 3.2, Eq. 7)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gfla_video.components.attention import EncodedSource
from gfla_video.components.blocks import DecoderBlock, ReflectConv, ResBlock, level_width
from gfla_video.components.code_decoder import CodeDecoder
from gfla_video.components.encoder import PyramidEncoder
from gfla_video.components.flow_estimator import JOINS, PLACES
from gfla_video.components.fusion import SumFusion
from gfla_video.components.recompute import run
from gfla_video.components.reference_kinds import part_for, parts_of
from gfla_video.ops.reference import accumulation_type
from gfla_video.registry import MODELS
from gfla_video.structures import FlowOutput, to_full_resolution

COLOURS = 3


@MODELS.register_module()
class TextureRenderer(nn.Module):
    """Encodes the target structure and decodes it, rendered by the source's neural textures.

    Args:
        attentions: one block per attention level, coarse to fine; a :class:`PerKind` of two where
            previous frames have weights of their own.
        attention_levels: the level (1 / 2^level of the image) of each block, coarse to fine. Level
            0 attends to the source's pixels themselves, in the finished picture. Levels finer than
            the finest flow take that flow and its mask, resized.
        structure_channels: channels of the target structure.
        base_channels: channels at 1/2.
        max_channels: upper limit of channels.
        levels: halvings of the target encoder.
        res_blocks: residual blocks before each doubling (released ``num_blocks`` - 1).
        fusion: how references are blended, :class:`SumFusion` by default.
        checkpointing: keep the inputs of the target encoder's levels and of the decoder's blocks
            only for the backward pass, compute the rest again there.
        structure_at: ``input``: the target structure is a map and is encoded; ``bottleneck``: it is
            a code ``[B, C, 1, 1]`` and is decoded to the coarsest level (facts 1.2).
        join: how a code meets the positions: ``residual`` (released) or ``positions``, see
            :class:`CodeDecoder`.
    """

    def __init__(
        self,
        attentions: Sequence[nn.Module],
        attention_levels: Sequence[int] = (3, 2),
        structure_channels: int = 18,
        base_channels: int = 64,
        max_channels: int = 512,
        levels: int = 3,
        res_blocks: int = 1,
        fusion: nn.Module | None = None,
        checkpointing: bool = False,
        structure_at: str = "input",
        join: str = "residual",
    ) -> None:
        super().__init__()
        if join not in JOINS:
            raise ValueError(f"join must be {' or '.join(JOINS)}, got {join!r}")
        if structure_at not in PLACES:
            raise ValueError(f"structure_at must be {' or '.join(PLACES)}, got {structure_at!r}")
        self.checkpointing = checkpointing
        self.attention_levels = tuple(attention_levels)
        self._check(attentions, levels, base_channels, max_channels)
        self.levels = levels
        self.attentions = nn.ModuleList(attentions)
        self.fusion = SumFusion() if fusion is None else fusion
        widths = [level_width(i, base_channels, max_channels) for i in range(1, levels + 1)]
        self.code_decoder: CodeDecoder | None = None
        self.encoder: PyramidEncoder | None = None
        if structure_at == "bottleneck":
            self.code_decoder = CodeDecoder(
                structure_channels, base_channels, widths[-1], join == "positions"
            )
        else:
            self.encoder = PyramidEncoder(
                structure_channels, base_channels, max_channels, levels, checkpointing=checkpointing
            )
        self.decoders = nn.ModuleList(
            nn.Sequential(
                *(ResBlock(widths[i], widths[i]) for _ in range(res_blocks)),
                DecoderBlock(widths[i], widths[max(i - 1, 0)]),
            )
            for i in reversed(range(levels))
        )
        self.to_image = ReflectConv(base_channels, COLOURS)

    def _check(
        self, attentions: Sequence[nn.Module], levels: int, base_channels: int, max_channels: int
    ) -> None:
        if len(attentions) != len(self.attention_levels):
            raise ValueError(
                f"{len(attentions)} attention blocks for the levels {self.attention_levels}"
            )
        if list(self.attention_levels) != sorted(set(self.attention_levels), reverse=True):
            raise ValueError(f"attention_levels must go coarse to fine: {self.attention_levels}")
        for block, level in zip(attentions, self.attention_levels, strict=True):
            if not 0 <= level <= levels:
                raise ValueError(f"attention level {level} is not among the levels 0..{levels}")
            expected = level_width(level, base_channels, max_channels) if level else COLOURS
            for part in parts_of(block):
                channels = getattr(part, "channels", expected)
                if channels != expected:
                    raise ValueError(
                        f"the attention block of level {level} has {channels} channels, "
                        f"the renderer {expected} there"
                    )

    def encode_source(self, features: Sequence[Tensor], reference: int = 0) -> list[EncodedSource]:
        """What the attention blocks need of one source, coarse to fine.

        Args:
            features: the picture, then those of the source encoder, fine to coarse, at least up to
                the coarsest level.
            reference: its number among the references, 0 for the source frame.
        """
        blocks = [part_for(block, reference) for block in self.attentions]
        return [
            block.encode_source(features[level])  # type: ignore[operator]
            for block, level in zip(blocks, self.attention_levels, strict=True)
        ]

    def forward(
        self, encoded: Sequence[Sequence[EncodedSource]], flow: FlowOutput, target_structure: Tensor
    ) -> Tensor:
        """Render the picture ``[B, 3, H, W]`` in [-1, 1], in float32 also from half types.

        Args:
            encoded: ``[r][scale]`` of :meth:`encode_source`.
            flow: flows and masks, ``[r][scale]``.
            target_structure: ``[B, C, H, W]``, or a code ``[B, C, 1, 1]``.
        """
        out = self._coarsest(target_structure, flow)
        for index, decoder in enumerate(self.decoders):
            out = self._attended(out, self.levels - index, encoded, flow)
            for part in decoder:  # to [B, w, H/2^(level-1), W/2^(level-1)]
                out = run(part, out, self.checkpointing)
        colours = run(self.to_image, out, self.checkpointing)
        image = torch.tanh(colours.to(accumulation_type(colours.dtype)))
        return self._attended(image, 0, encoded, flow)

    def _attended(
        self, out: Tensor, level: int, encoded: Sequence[Sequence[EncodedSource]], flow: FlowOutput
    ) -> Tensor:
        """The target's map with what the sources have of it, at levels with attention."""
        if level not in self.attention_levels:
            return out
        scale = self.attention_levels.index(level)
        block = self.attentions[scale]
        flows, masks = zip(*(_at(scale, out, *one) for one in zip(*flow, strict=True)), strict=True)
        attended = [
            part_for(block, r)(source[scale], out, flows[r]) for r, source in enumerate(encoded)
        ]
        fused: Tensor = self.fusion(out, attended, masks)
        return fused

    def _coarsest(self, target_structure: Tensor, flow: FlowOutput) -> Tensor:
        """The target's features ``[B, w, h, w]`` at 1 / 2^levels, before any source is seen."""
        if self.code_decoder is None:
            features: Tensor = self.encoder(target_structure)[-1]  # type: ignore[misc]
            return features
        coarser = 2 ** (self.levels - self.attention_levels[0])
        height, width = flow.flows[0][0].shape[-2:]  # a code does not say the picture's size
        decoded: Tensor = self.code_decoder(target_structure, height // coarser, width // coarser)
        return decoded


def _at(
    scale: int, out: Tensor, flows: Sequence[Tensor], masks: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """One reference's flow and mask of a scale; beyond the finest one that one, resized."""
    if scale < len(flows):
        return flows[scale], masks[scale]
    size = (out.shape[2], out.shape[3])
    mask = F.interpolate(masks[-1], size=size, mode="bilinear", align_corners=False)
    return to_full_resolution(flows[-1], size), mask
