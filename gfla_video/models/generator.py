"""The generator that everything uses, whatever the task."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from gfla_video.components.attention import EncodedSource
from gfla_video.components.init import init_orthogonal
from gfla_video.components.recompute import set_checkpointing
from gfla_video.components.reference_kinds import part_for
from gfla_video.registry import MODELS
from gfla_video.structures import GeneratorOutput

MIN_SIZE = 64
MULTIPLE = 32


@MODELS.register_module()
class TransferGenerator(nn.Module):
    """Global flow and local attention over R >= 1 references (paper Fig. 2).

    References go [source frame, last generated frame, the one before, ...]. Encoder, attention and
    flow estimator serve all with the same weights, or are a :class:`PerKind` with weights for the
    source and weights for previous frames. Without previous frames there may be several sources
    (views of one object), as many as are passed.

    Args:
        source_encoder: image ``[B, 3, H, W]`` to features, fine to coarse.
        flow_estimator: sources, structures and target structure to flows and masks.
        renderer: encoded sources, flows and target structure to the picture.
        gain: of the orthogonal initial weights of encoder and renderer (released: 0.02).
        checkpointing: switch the activation checkpointing of all parts on: training takes less
            memory and more time, values and gradients stay the same.
        previous: how many of the frames generated before are references beside the source (0: still
            images; 1: the released video models). :class:`ClipRollout` hands them on.

    Raises:
        ValueError: parts that do not fit each other.
    """

    def __init__(
        self,
        source_encoder: nn.Module,
        flow_estimator: nn.Module,
        renderer: nn.Module,
        gain: float = 0.02,
        checkpointing: bool = False,
        previous: int = 0,
    ) -> None:
        super().__init__()
        if previous < 0:
            raise ValueError(f"previous must be 0 or more frames, got {previous}")
        references = getattr(flow_estimator, "references", 1 + previous)
        if references != 1 + previous:
            raise ValueError(
                f"the flow estimator has {references} references, but there are "
                f"{1 + previous}: the source and {previous} previous frames"
            )
        self.previous = previous
        self.source_encoder = source_encoder
        self.flow_estimator = flow_estimator
        self.renderer = renderer
        self.flow_levels = tuple(flow_estimator.flow_levels)
        attended = tuple(renderer.attention_levels)
        if attended[: len(self.flow_levels)] != self.flow_levels:
            raise ValueError(
                f"flow at the levels {self.flow_levels} but attention at {attended}: they must be "
                "the same, or attention goes on to finer levels"
            )
        init_orthogonal(source_encoder, gain)
        init_orthogonal(renderer, gain)
        if checkpointing:
            set_checkpointing(self)

    def encode_sources(
        self, sources: Sequence[Tensor], first: int = 0
    ) -> list[list[EncodedSource]]:
        """What depends on the sources alone, ``[r][scale]``: compute it once per source.

        Args:
            sources: pictures ``[B, 3, H, W]`` in [-1, 1].
            first: number of the first of them among the references; 1 for previous frames alone.
        """
        return [
            self.renderer.encode_source([source, *part_for(self.source_encoder, r)(source)], r)
            for r, source in enumerate(sources, first)
        ]

    def forward(
        self,
        sources: Sequence[Tensor],
        source_structures: Sequence[Tensor],
        target_structure: Tensor,
        encoded: Sequence[Sequence[EncodedSource]] | None = None,
    ) -> GeneratorOutput:
        """Move the sources' appearance to the target structure.

        Args:
            sources: R pictures ``[B, 3, H, W]``, H and W multiples of 32, at least 64. A batch of 1
                serves every target of a larger batch. A missing previous frame is the source.
            source_structures: R maps ``[B, C, H, W]``, or codes ``[B, C, 1, 1]``.
            target_structure: ``[B, C, H, W]``, or ``[B, C, 1, 1]``.
            encoded: of :meth:`encode_sources`, to save the work for the next frames.

        Raises:
            ValueError: a size that the networks cannot halve five times.
        """
        height, width = sources[0].shape[-2:]
        if height % MULTIPLE or width % MULTIPLE or min(height, width) < MIN_SIZE:
            raise ValueError(
                f"the generator takes multiples of {MULTIPLE} of at least {MIN_SIZE}, got "
                f"{height} x {width}: crop, pad or resize the pictures before"
            )
        if self.previous and len(sources) > 1 + self.previous:
            raise ValueError(
                f"{len(sources)} references for a generator of one source and {self.previous} "
                "previous frames: several sources need previous=0"
            )
        batch = target_structure.shape[0]
        missing = 1 + self.previous - len(sources)  # below 0: several sources
        sources = [*sources, *[sources[0]] * missing]
        source_structures = [*source_structures, *[source_structures[0]] * missing]
        encoded = self.encode_sources(sources) if encoded is None else encoded
        flow = self.flow_estimator(
            [source.expand(batch, -1, -1, -1) for source in sources],
            [structure.expand(batch, -1, -1, -1) for structure in source_structures],
            target_structure,
        )
        serving = [[scale.expand(batch) for scale in source] for source in encoded]
        image = self.renderer(serving, flow, target_structure)
        return GeneratorOutput(image, flow.flows, flow.masks)
