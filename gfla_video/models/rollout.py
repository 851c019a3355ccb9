"""Unrolls a clip frame by frame: what was generated becomes a reference of the next frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gfla_video.structures import GeneratorOutput


class ClipOutput(NamedTuple):
    """A generated clip: pictures ``[B, T, 3, H, W]`` in [-1, 1] and what made them.

    ``flows[r][scale]`` is ``[B, T, 2, h, w]``, ``masks[r][scale]`` ``[B, T, 1, h, w]``;
    ``previous`` holds, for each of the n previous frames, what the network was given
    ``[B, T, 3, H, W]``, without gradient.
    """

    images: Tensor
    flows: list[list[Tensor]]
    masks: list[list[Tensor]]
    previous: list[Tensor]


class ClipRollout:
    """One object, moved through a clip of any length, chunk after chunk (facts 1.2, frame loop).

    It keeps the last n generated frames and their structures (n is the generator's ``previous``),
    nothing else: memory does not depend on the length. Where there is no previous frame yet, the
    source takes its place. Gradients flow through the frames until :meth:`detach`.

    Args:
        generator: called as ``generator(sources, source_structures, target_structure)``. Where it
            has ``encode_sources`` and is not in training mode, each picture is encoded once.
        source: ``[B, 3, H, W]`` in [-1, 1].
        source_structure: ``[B, C, H, W]``, or a code ``[B, C, 1, 1]``.
        previous: n, where the generator (wrapped for several processes) does not say it.
        others: (picture, structure) of further sources, for a generator without previous frames.

    Raises:
        ValueError: there are further sources and previous frames.
    """

    def __init__(
        self,
        generator: Any,
        source: Tensor,
        source_structure: Tensor,
        previous: int | None = None,
        others: Sequence[tuple[Tensor, Tensor]] = (),
    ) -> None:
        self.generator = generator
        self.previous = getattr(generator, "previous", 0) if previous is None else previous
        if others and self.previous:
            raise ValueError(
                f"{1 + len(others)} sources for a generator of one source and {self.previous} "
                "previous frames: several sources need previous=0"
            )
        self.sources = [source, *(image for image, _ in others)]
        self.source_structures = [source_structure, *(structure for _, structure in others)]
        self.images = [source] * self.previous  # the newest first
        self.structures = [source_structure] * self.previous
        training = getattr(generator, "training", False)
        network = getattr(generator, "network", generator)  # of one prepared for inference
        self._encodes = hasattr(network, "encode_sources") and not training
        self._encoded: list[Any] | None = None

    def __call__(self, target_structures: Tensor) -> ClipOutput:
        """The next T frames of each of B clips: structures ``[B, T, C, H, W]`` to pictures."""
        outputs, given = [], []
        for structure in target_structures.unbind(1):
            given.append([image.detach() for image in self.images])
            outputs.append(self._next(structure))
        return ClipOutput(
            torch.stack([output.image for output in outputs], dim=1),
            _stacked([output.flows for output in outputs]),
            _stacked([output.masks for output in outputs]),
            [torch.stack(list(frames), dim=1) for frames in zip(*given, strict=True)],
        )

    def frames(self, target_structures: Tensor) -> GeneratorOutput:
        """The next N frames of one clip: structures ``[N, C, H, W]`` to an output of N rows.

        Without previous frames they do not depend on each other and are one batch.
        """
        if not self.previous:
            return self._next(target_structures)
        outputs = [self._next(structure) for structure in target_structures.split(1)]
        return GeneratorOutput(
            torch.cat([output.image for output in outputs]),
            _stacked([output.flows for output in outputs], torch.cat),
            _stacked([output.masks for output in outputs], torch.cat),
        )

    def detach(self) -> None:
        """Cut the gradients here: the border between two chunks of a training step."""
        self.images = [image.detach() for image in self.images]
        self._encoded = None

    def _next(self, target_structure: Tensor) -> GeneratorOutput:
        sources = [*self.sources, *self.images]
        structures = [*self.source_structures, *self.structures]
        if self._encodes:
            if self._encoded is None:
                self._encoded = self.generator.encode_sources(sources)
            output = self.generator(sources, structures, target_structure, encoded=self._encoded)
        else:
            output = self.generator(sources, structures, target_structure)
        self._remember(output.image, target_structure)
        return output

    def _remember(self, image: Tensor, structure: Tensor) -> None:
        if not self.previous:
            return
        self.images = [image, *self.images[:-1]]
        self.structures = [structure, *self.structures[:-1]]
        if self._encoded is not None:
            (newest,) = self.generator.encode_sources([image], first=1)
            self._encoded = [self._encoded[0], newest, *self._encoded[1:-1]]


def chunks_of(frames: int, chunk: int) -> list[slice]:
    """The chunks of a clip of ``frames`` frames, in order; the last may be shorter."""
    return [slice(start, min(start + chunk, frames)) for start in range(0, frames, chunk)]


def _stacked(
    steps: Sequence[list[list[Tensor]]], join: Any = lambda maps: torch.stack(maps, dim=1)
) -> list[list[Tensor]]:
    """Per step ``[r][scale]`` to ``[r][scale]`` over the steps."""
    return [
        [join(list(maps)) for maps in zip(*scales, strict=True)]
        for scales in zip(*steps, strict=True)
    ]
