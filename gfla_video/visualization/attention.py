"""Where in the sources a target position takes its features from (paper Figure 6).

An attention block's result is linear in the source's values once keys, target and flow are fixed.
So the share that a target position takes from each source position is a derivative, exactly, and
whatever the block is: local taps, all positions, or bilinear sampling.

Convention: a position is (x, y) in pixels of the picture, a place (row, column) of a map.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

from gfla_video.components.reference_kinds import parts_of
from gfla_video.visualization.panels import Picture

# Okabe and Ito's colours, which colour-blind people tell apart; without black and blue.
MARKS = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
    (204, 121, 167),
)


@dataclass(frozen=True)
class AttentionCall:
    """One run of an attention block, with all that it was given.

    Attributes:
        level: of the block, 1 / 2^level of the picture.
        reference: number of the source that it read.
        block: the module.
        encoded: the source's values and keys, of the first row of the batch.
        target: ``[1, C, h, w]``.
        flow: ``[1, 2, h, w]`` in pixels of its own map.
    """

    level: int
    reference: int
    block: nn.Module
    encoded: Any
    target: Tensor
    flow: Tensor

    def place_of(self, position: tuple[float, float], size: tuple[int, int]) -> tuple[int, int]:
        """The place of this level's map that a position in a picture of ``size`` falls on."""
        height, width = self.target.shape[-2:]
        row, column = int(position[1] * height / size[0]), int(position[0] * width / size[1])
        return min(max(row, 0), height - 1), min(max(column, 0), width - 1)

    def end_of(self, position: tuple[float, float], size: tuple[int, int]) -> tuple[float, float]:
        """The flow's end: where in the source the position looks, in pixels of the picture."""
        row, column = self.place_of(position, size)
        height, width = self.flow.shape[-2:]
        dx, dy = self.flow[0, :, row, column].tolist()
        return (column + 0.5 + dx) * size[1] / width, (row + 0.5 + dy) * size[0] / height

    @cached_property
    def follows_flow(self) -> bool:
        """Whether the block looks where the flow ends; attention over all positions does not."""
        flow = self.flow.clone().requires_grad_()
        with torch.enable_grad():
            out = self.block.forward(self.encoded, self.target, flow)
            if not out.requires_grad:
                return False
            (gradient,) = torch.autograd.grad(out.square().sum(), flow, allow_unused=True)
        return gradient is not None and bool(gradient.any())

    def shares(self, place: tuple[int, int]) -> npt.NDArray[np.float32] | None:
        """How much the place takes from each position of the source.

        The mean over channels (heads have shares of their own), before the mask's blending.

        Returns:
            ``[H, W]`` of the source's map, sums to 1; None where the block takes nothing from it,
            or not by a weighted mean.
        """
        values = self.encoded.values.clone().requires_grad_()
        with torch.enable_grad():  # forward: a recorder that still listens is not to keep this run
            given = self.encoded._replace(values=values)
            out = self.block.forward(given, self.target, self.flow)
            taken = out[0, :, place[0], place[1]].sum()
            if not taken.requires_grad:
                return None
            (gradient,) = torch.autograd.grad(taken, values, allow_unused=True)
        if gradient is None:
            return None
        shares: npt.NDArray[np.float32] = gradient[0].float().sum(0).cpu().numpy()
        total = float(shares.sum())
        if total <= 0.0 or shares.min() < -1e-4 * total:
            return None
        return shares / total


class AttentionRecorder:
    """While its ``with`` block runs, keeps what a generator's attention blocks were given.

    Args:
        network: a generator whose ``renderer`` has ``attentions`` and ``attention_levels``; of any
            other network nothing is kept.
        runs: the numbers of the network's runs to keep, counted from 0 (the frames of one clip);
            None keeps all.
    """

    def __init__(self, network: nn.Module, runs: Collection[int] | None = None) -> None:
        renderer = getattr(network, "renderer", None)
        blocks = getattr(renderer, "attentions", ())
        levels = getattr(renderer, "attention_levels", ())
        self._network = network
        self._parts = [
            (level, part)
            for level, block in zip(levels, blocks, strict=True)
            for part in parts_of(block)
        ]
        self._handles: list[Any] = []
        self._runs = runs
        self._run = -1
        self._calls: dict[int, list[AttentionCall]] = {}

    @property
    def sees(self) -> bool:
        """Whether the network has attention blocks at all."""
        return bool(self._parts)

    def calls(self, run: int = 0) -> list[AttentionCall]:
        """What was kept of one run, by reference, then coarse to fine."""
        kept = self._calls.get(run, [])
        return sorted(kept, key=lambda call: (call.reference, -call.level))

    def __enter__(self) -> AttentionRecorder:
        self._handles.append(self._network.register_forward_pre_hook(self._next_run))
        for level, part in self._parts:
            self._handles.append(part.register_forward_pre_hook(self._keeper(level)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def _next_run(self, network: nn.Module, inputs: Any) -> None:
        self._run += 1

    def _keeper(self, level: int) -> Any:
        def keep(block: nn.Module, inputs: tuple[Any, ...]) -> None:
            if self._runs is not None and self._run not in self._runs:
                return
            encoded, target, flow = inputs
            calls = self._calls.setdefault(self._run, [])
            reference = sum(call.level == level for call in calls)
            # copies: what inference mode made takes no part in derivatives
            with torch.inference_mode(False):
                source = type(encoded)(*map(_kept, encoded))
                call = AttentionCall(level, reference, block, source, _kept(target), _kept(flow))
            calls.append(call)

        return keep


def _kept(tensor: Tensor) -> Tensor:
    return tensor[:1].detach().float().clone()


def heat_picture(picture: Picture, shares: npt.NDArray[np.float32]) -> Picture:
    """Shares as heat on a picture: black (none) over red and yellow to white (most).

    Args:
        picture: the source, uint8 ``[H, W, 3]``, shown in dim grey where nothing is taken.
        shares: of :meth:`AttentionCall.shares`, any size; shown relative to the largest.
    """
    height, width = picture.shape[:2]
    heat = np.clip(shares / max(float(shares.max()), 1e-12), 0.0, 1.0).astype(np.float32)
    enlarged = Image.fromarray(heat).resize((width, height), Image.Resampling.NEAREST)
    value = np.asarray(enlarged)[..., None]
    colour = np.clip(value * 3.0 - np.arange(3.0), 0.0, 1.0) * 255.0
    grey = picture.astype(np.float32).mean(axis=2, keepdims=True) * 0.75
    opaque = np.sqrt(value)
    return np.rint(grey * (1.0 - opaque) + colour * opaque).astype(np.uint8)


def mark_positions(
    picture: Picture, positions: Sequence[tuple[float, float]], first: int = 1
) -> Picture:
    """Numbered rings at positions (x, y) in pixels of the picture, ``first`` being its number.

    Positions outside are marked at the border, where sampling clamps them.
    """
    height, width = picture.shape[:2]
    radius = max(3, round(min(height, width) / 32))
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(radius * 2.5)
    for number, (x, y) in enumerate(positions, first):
        x, y = min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)
        colour = MARKS[(number - 1) % len(MARKS)]
        for grown, ink in ((1, "black"), (0, colour)):
            reach = radius + grown
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), outline=ink, width=1 + grown)
        left = x + radius * 2.6 < width  # the number stands beside the ring, inside the picture
        place = (x + radius * 1.3, y) if left else (x - radius * 1.3, y)
        anchor = "lm" if left else "rm"
        draw.text(place, str(number), colour, font, anchor, stroke_width=1, stroke_fill="black")
    return np.asarray(image)
