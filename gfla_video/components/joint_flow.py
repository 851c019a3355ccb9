"""Flow estimators of several references: one for all, or one per kind (facts 1.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from torch import Tensor, nn

from gfla_video.components.flow_estimator import FlowEstimator, FlowNetwork, joined
from gfla_video.components.reference_kinds import PerKind
from gfla_video.registry import MODELS
from gfla_video.structures import FlowOutput


@MODELS.register_module()
class JointFlowEstimator(FlowNetwork):
    """One network that sees all references at once and gives a flow and a mask of each.

    The layout of the released face animation. The input is every reference's image and structure,
    in the order of the references, then the target's structure.

    Args:
        references: R, the source and R - 1 previous frames.
        image_channels: channels of an image.
        structure_channels: channels of a structure map.
        base_channels, max_channels, levels, flow_levels, gain: see :class:`FlowNetwork`.
    """

    def __init__(
        self,
        references: int = 2,
        image_channels: int = 3,
        structure_channels: int = 16,
        base_channels: int = 32,
        max_channels: int = 256,
        levels: int = 5,
        flow_levels: Sequence[int] = (3, 2),
        gain: float = 0.02,
    ) -> None:
        if references < 1:
            raise ValueError(f"references must be 1 or more, got {references}")
        in_channels = references * (image_channels + structure_channels) + structure_channels
        super().__init__(
            *(in_channels, references, base_channels, max_channels, levels, flow_levels, gain)
        )
        self.references = references

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

        Raises:
            ValueError: another number of references than the network has.
        """
        if len(sources) != self.references:
            raise ValueError(
                f"the joint flow estimator has {self.references} references, got {len(sources)}"
            )
        pairs = chain.from_iterable(zip(sources, source_structures, strict=True))
        flows, masks = self.estimate(joined([*pairs, target_structure]))
        numbers = range(self.references)
        return FlowOutput(
            [[flow[:, 2 * r : 2 * r + 2] for flow in flows] for r in numbers],
            [[mask[:, r : r + 1] for mask in masks] for r in numbers],
        )


@MODELS.register_module()
class PerKindFlowEstimator(PerKind):
    """An estimator with its own weights per kind of reference, as released for dance.

    Args:
        source: estimator of the source frame.
        previous: estimator of previous frames, each by itself; of the same levels.
    """

    def __init__(self, source: FlowEstimator, previous: FlowEstimator) -> None:
        super().__init__(source, previous)
        if tuple(source.flow_levels) != tuple(previous.flow_levels):
            raise ValueError(
                f"flow at the levels {source.flow_levels} of the source but at "
                f"{previous.flow_levels} of previous frames: they must be the same"
            )
        self.flow_levels = tuple(source.flow_levels)

    def mask_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters that only the masks depend on."""
        return chain(self.source.mask_parameters(), self.previous.mask_parameters())  # type: ignore[operator]

    def forward(
        self,
        sources: Sequence[Tensor],
        source_structures: Sequence[Tensor],
        target_structure: Tensor,
    ) -> FlowOutput:
        """Flows and masks of every reference, see :meth:`FlowEstimator.forward`."""
        found = [
            self.of(r)([source], [structure], target_structure)
            for r, (source, structure) in enumerate(zip(sources, source_structures, strict=True))
        ]
        return FlowOutput([one.flows[0] for one in found], [one.masks[0] for one in found])
