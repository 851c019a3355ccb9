"""A network without flow and without attention: the baseline of the paper's ablation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gfla_video.components.blocks import DecoderBlock, ReflectConv, ResBlock, level_width
from gfla_video.components.encoder import PyramidEncoder
from gfla_video.components.flow_estimator import joined
from gfla_video.components.init import init_orthogonal
from gfla_video.components.recompute import run
from gfla_video.ops.reference import accumulation_type
from gfla_video.registry import MODELS
from gfla_video.structures import GeneratorOutput


@MODELS.register_module()
class AutoEncoder(nn.Module):
    """Source picture, source structure and target structure concatenated, encoded and decoded.

    The paper's Baseline (section 4.3). It answers the same one call as
    :class:`gfla_video.models.TransferGenerator`, for one source and structures that are maps, and
    is made of the renderer's blocks: residual blocks and a doubling at each level of the decoder.

    Args:
        structure_channels: C of a structure.
        base_channels: channels at 1/2.
        max_channels: upper limit of channels.
        levels: halvings; pictures must be multiples of 2^levels.
        res_blocks: residual blocks before each doubling, as in the renderer.
        norm: of the encoder, ``instance`` or ``none``. The source's colours pass through it, see
            :class:`PyramidEncoder`.
        gain: of the orthogonal initial weights.
    """

    previous = 0  # of the frames generated before it sees none
    flow_levels: tuple[int, ...] = ()  # it has no flow

    def __init__(
        self,
        structure_channels: int = 18,
        base_channels: int = 64,
        max_channels: int = 512,
        levels: int = 3,
        res_blocks: int = 1,
        norm: str = "instance",
        gain: float = 0.02,
    ) -> None:
        super().__init__()
        self.checkpointing = False
        self.multiple = 2**levels
        self.encoder = PyramidEncoder(
            3 + 2 * structure_channels, base_channels, max_channels, levels, norm
        )
        widths = [base_channels]  # by level; the picture's own resolution has those of 1/2
        widths += [level_width(i, base_channels, max_channels) for i in range(1, levels + 1)]
        self.decoders = nn.ModuleList(
            nn.Sequential(
                *(ResBlock(widths[level], widths[level]) for _ in range(res_blocks)),
                DecoderBlock(widths[level], widths[level - 1]),
            )
            for level in range(levels, 0, -1)
        )
        self.to_image = ReflectConv(base_channels, 3)
        init_orthogonal(self, gain)

    def encode_sources(self, sources: Sequence[Tensor]) -> list[Tensor]:
        """The sources as they are: nothing can be computed before the target is known."""
        return list(sources)

    def forward(
        self,
        sources: Sequence[Tensor],
        source_structures: Sequence[Tensor],
        target_structure: Tensor,
        encoded: Any = None,
    ) -> GeneratorOutput:
        """Paint the source in the target structure.

        Args:
            sources: one picture ``[B, 3, H, W]`` in [-1, 1]; a batch of 1 serves every target.
            source_structures: one map ``[B, C, H, W]``.
            target_structure: ``[B, C, H, W]``.
            encoded: of :meth:`encode_sources`; not needed.

        Returns:
            The picture, in float32 also from half types; no flows and no masks.

        Raises:
            ValueError: several sources, structures that are codes, or a size that can't be halved.
        """
        if len(sources) != 1:
            raise ValueError(f"AutoEncoder takes one source, got {len(sources)}")
        size = sources[0].shape[-2:]
        if target_structure.shape[-2:] != size:
            raise ValueError(
                f"AutoEncoder takes structures that are maps of the picture's size {list(size)}, "
                f"got {list(target_structure.shape[-2:])}"
            )
        if any(side % self.multiple for side in size):
            raise ValueError(f"AutoEncoder takes multiples of {self.multiple}, got {list(size)}")
        batch = target_structure.shape[0]
        given = [part.expand(batch, -1, -1, -1) for part in (sources[0], source_structures[0])]
        out = self.encoder(joined([*given, target_structure]))[-1]  # [B, w, H/2^levels, W/...]
        for decoder in self.decoders:
            for part in decoder:
                out = run(part, out, self.checkpointing)
        colours = run(self.to_image, out, self.checkpointing)
        image = torch.tanh(colours.to(accumulation_type(colours.dtype)))
        return GeneratorOutput(image, [], [])
