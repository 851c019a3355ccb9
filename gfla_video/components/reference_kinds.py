"""Which weights serve which reference: the source frame, or frames that were generated before."""

from __future__ import annotations

from torch import nn

from gfla_video.registry import MODELS


@MODELS.register_module()
class PerKind(nn.Module):
    """A part of a network with weights of its own per kind of reference (facts 1.2).

    References go [source, last generated frame, the one before, ...]: the first is of the kind
    ``source``, all others are of the kind ``previous``. A plain module in its place serves both
    kinds with the same weights.

    Args:
        source: the part for the source frame.
        previous: the same part for previous frames.
    """

    def __init__(self, source: nn.Module, previous: nn.Module) -> None:
        super().__init__()
        self.source = source
        self.previous = previous

    def of(self, reference: int) -> nn.Module:
        """The part that serves reference number ``reference``."""
        return self.source if reference == 0 else self.previous


def part_for(part: nn.Module, reference: int) -> nn.Module:
    """``part`` itself where it serves every reference alike, else the one of this reference."""
    return part.of(reference) if isinstance(part, PerKind) else part


def parts_of(part: nn.Module) -> list[nn.Module]:
    """The one module, or those of both kinds."""
    return [part.source, part.previous] if isinstance(part, PerKind) else [part]
