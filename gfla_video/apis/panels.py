"""From a network's output to the finished pictures of a clip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gfla_video.structures import GeneratorOutput, to_full_resolution
from gfla_video.structures.frame_fit import FrameFit
from gfla_video.utils.errors import UserError
from gfla_video.visualization import flow_maximum, flow_to_rgb, mask_picture, tile

PANELS = ("source", "driving", "flow", "mask", "result")


def panel_names(show: Sequence[str] | str) -> tuple[str, ...]:
    """The panels to show, each once, the result always among them.

    Raises:
        UserError: there is no such panel.
    """
    names = show.split(",") if isinstance(show, str) else list(show)
    names = list(dict.fromkeys(name.strip() for name in names if name.strip()))
    for name in names:
        if name not in PANELS:
            raise UserError(f"--show: there is no panel {name!r}, there are {', '.join(PANELS)}")
    return tuple(names) if "result" in names else (*names, "result")


@dataclass(frozen=True)
class BatchOnHost:
    """What the panels need of one batch, in the CPU's memory or on its way there.

    Attributes:
        annotations: B of the task's annotations.
        images: uint8 ``[B, H, W, 3]``.
        flow: finest flow of the first reference at full resolution ``[B, 2, H, W]``, if shown.
        mask: its finest mask ``[B, 1, h, w]``, if shown.
        copied: what to wait for before the tensors are read.
    """

    annotations: Sequence[Any]
    images: Tensor
    flow: Tensor | None
    mask: Tensor | None
    copied: torch.cuda.Event | None

    @classmethod
    def of(
        cls,
        output: GeneratorOutput,
        annotations: Sequence[Any],
        size: tuple[int, int],
        names: Sequence[str],
    ) -> BatchOnHost:
        """Start the copies from the device, of no more than the panels ``names`` need.

        Pictures become bytes before they are copied. Nothing waits for a CUDA device here.
        """
        flow = mask = None
        if "flow" in names:
            flow = _to_host(to_full_resolution(output.flows[0][-1].float(), size))
        if "mask" in names:
            mask = _to_host(output.masks[0][-1].float())
        images = _to_host(images_to_bytes(output.image))
        copied = None
        if output.image.is_cuda:
            copied = torch.cuda.Event()
            copied.record(torch.cuda.current_stream(output.image.device))
        return cls(annotations, images, flow, mask, copied)

    def wait(self) -> None:
        """Until the tensors may be read."""
        if self.copied is not None:
            self.copied.synchronize()


@dataclass
class Panels:
    """Tiles what is to be shown of each frame; one flow legend for the whole clip.

    Attributes:
        names: of :func:`panel_names`.
        source: the source at the model's size, uint8 ``[H, W, 3]``.
        fit: how it was fitted; undone in what comes out.
        structure: draws the annotations.
        finish: the stream's; makes the written picture of a result, None where there is none.
        flow_legend: pixels of full colour, set by the first batch.
    """

    names: tuple[str, ...]
    source: np.ndarray
    fit: FrameFit
    structure: Any
    finish: Callable[[np.ndarray], np.ndarray] | None = None
    flow_legend: float | None = None

    def frames(self, batches: Iterable[BatchOnHost]) -> Iterator[np.ndarray]:
        """One tiled uint8 picture per frame of the batches."""
        for batch in batches:
            batch.wait()
            if batch.flow is not None and self.flow_legend is None:
                self.flow_legend = flow_maximum(batch.flow.numpy())
            for index in range(len(batch.annotations)):
                pictures = {n: self.fit.undo(self._panel(n, batch, index)) for n in self.names}
                if self.finish is not None:
                    pictures["result"] = self.finish(pictures["result"])
                yield self._tiled(list(pictures.values()), pictures["result"].shape[:2])

    def _tiled(self, pictures: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
        if len(pictures) == 1:
            return pictures[0]
        same = [FrameFit(picture.shape[:2], size).image(picture) for picture in pictures]
        return tile(same, self._captions())

    def _panel(self, name: str, batch: BatchOnHost, index: int) -> np.ndarray:
        if name == "source":
            return self.source
        if name == "driving":
            drawn: np.ndarray = self.structure.draw(batch.annotations[index], self.fit.size)
            return drawn
        if name == "flow":
            assert batch.flow is not None and self.flow_legend is not None
            return flow_to_rgb(batch.flow[index].numpy(), self.flow_legend)
        if name == "mask":
            assert batch.mask is not None
            return mask_picture(batch.mask[index], self.fit.size)
        return batch.images[index].numpy()

    def _captions(self) -> list[str]:
        legend = {"flow": f"flow (full colour {self.flow_legend or 0:.0f} px)"}
        return [legend.get(name, name) for name in self.names]


def images_to_bytes(images: Tensor) -> Tensor:
    """Pictures ``[B, 3, H, W]`` in [-1, 1] to uint8 ``[B, H, W, 3]`` on their device.

    The same rounding as :func:`gfla_video.visualization.tensor_to_uint8`.
    """
    levels = ((images.detach().float() + 1.0) * 127.5).round().clamp(0, 255)
    return levels.byte().permute(0, 2, 3, 1).contiguous()


def _to_host(tensor: Tensor) -> Tensor:
    """A copy in the CPU's memory; from CUDA one that is under way, into pinned memory."""
    return tensor.detach().to("cpu", non_blocking=tensor.is_cuda)
