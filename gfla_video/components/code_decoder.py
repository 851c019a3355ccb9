"""From a structure that is a code to features of the renderer's coarsest level (facts 1.2)."""

from __future__ import annotations

from torch import Tensor, nn

from gfla_video.components.blocks import DecoderBlock
from gfla_video.components.code_join import CodeJoin

DOUBLINGS = 2


class CodeDecoder(nn.Module):
    """A code ``[B, C, 1, 1]``, repeated over a small grid and doubled twice.

    Released: 8 x 8 to 32 x 32, the coarsest level (1/8) of a 256 x 256 picture. There the code is
    the same everywhere, so instance norm takes it away and it passes by the blocks' side paths
    alone, and positions are told apart by what the borders let in.

    Args:
        channels: C of the code.
        hidden: channels after the first doubling.
        out_channels: channels of the result.
        positions: the code meets the positions in a :class:`CodeJoin` of ``out_channels`` first.
    """

    def __init__(
        self, channels: int, hidden: int, out_channels: int, positions: bool = False
    ) -> None:
        super().__init__()
        self.join = CodeJoin(channels, out_channels) if positions else None
        first = out_channels if positions else channels
        self.blocks = nn.ModuleList(
            [DecoderBlock(first, hidden), DecoderBlock(hidden, out_channels)]
        )

    def forward(self, code: Tensor, height: int, width: int) -> Tensor:
        """``[B, C, 1, 1]`` to ``[B, out_channels, height, width]``, both multiples of four.

        Raises:
            ValueError: the grid would be smaller than two positions, which no norm can serve.
        """
        rows, columns = height // 2**DOUBLINGS, width // 2**DOUBLINGS
        if rows * columns < 2 or height % 2**DOUBLINGS or width % 2**DOUBLINGS:
            raise ValueError(
                f"a code can't be decoded to {height} x {width}, both must be multiples of "
                f"{2**DOUBLINGS} with room for two: take larger pictures or fewer levels"
            )
        if self.join is None:
            out = code.expand(-1, -1, rows, columns)
        else:
            out = self.join(code, (rows, columns))
        for block in self.blocks:
            out = block(out)  # to [B, hidden, 2 rows, 2 columns], then the result
        return out
