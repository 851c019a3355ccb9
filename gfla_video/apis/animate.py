"""From a picture and a driving sequence to an mp4: the animation as a command and from Python."""

from __future__ import annotations

import inspect
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import Registry
from PIL import Image
from torch import Tensor, nn

from gfla_video.apis.config import load_config
from gfla_video.apis.device import choose_device
from gfla_video.apis.load import build_network, check_task, read_checkpoint
from gfla_video.datasets.images import image_to_tensor, read_image
from gfla_video.registry import DRIVERS, STRUCTURES
from gfla_video.structures import GeneratorOutput, to_full_resolution
from gfla_video.structures.driving import Driver, DrivingStream, SourceImage
from gfla_video.structures.frame_fit import MODES, FrameFit
from gfla_video.utils.errors import UserError
from gfla_video.utils.progress import progress
from gfla_video.utils.video import VideoWriter, check_video_target
from gfla_video.visualization import (
    flow_maximum,
    flow_to_rgb,
    mask_picture,
    tensor_to_uint8,
    tile,
)

PANELS = ("source", "driving", "flow", "mask", "result")
_MULTIPLE, _MIN_SIZE = 32, 64


class Animator:
    """Animates pictures with one trained network.

        animator = Animator("configs/pose/sample.py", "work_dirs/demo/model.pth")
        animator.animate("person.jpg", "walk.npz", "out.mp4", source_structure="person.json")

    Args:
        config: config file (or config) whose ``size``, ``structure`` and ``driver`` are used; None
            where the checkpoint's own record of them will do.
        checkpoint: file made by training or by the converter.
        device: where the network runs, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        cfg_options: changes to the config by dotted path.

    Raises:
        UserError: a file is missing or does not fit, such as a checkpoint of another task.
    """

    def __init__(
        self,
        config: Config | str | Path | None,
        checkpoint: str | Path,
        device: str | torch.device = "cpu",
        cfg_options: Mapping[str, Any] | None = None,
    ) -> None:
        content = read_checkpoint(checkpoint)
        settings = _settings(config, cfg_options, content["meta"], checkpoint)
        generator = build_network(content, "generator", checkpoint, choose_device(device))
        structure = STRUCTURES.build(dict(settings["structure"]))
        driver = DRIVERS.build(dict(settings["driver"]))
        self._assemble(generator, structure, driver, settings["size"], device)

    @classmethod
    def from_network(
        cls,
        generator: nn.Module,
        structure: Any,
        driver: Driver,
        size: Sequence[int],
        device: str | torch.device = "cpu",
    ) -> Animator:
        """Animate with a network, structure and driver that are built already; size is (H, W)."""
        animator = cls.__new__(cls)
        animator._assemble(generator, structure, driver, size, device)
        return animator

    def _assemble(
        self,
        generator: nn.Module,
        structure: Any,
        driver: Driver,
        size: Sequence[int],
        device: str | torch.device,
    ) -> None:
        height, width = (int(side) for side in size)
        if height % _MULTIPLE or width % _MULTIPLE or min(height, width) < _MIN_SIZE:
            raise UserError(
                f"size: {height}x{width} (height x width) can't be animated, both must be "
                f"multiples of {_MULTIPLE} and at least {_MIN_SIZE}"
            )
        self.device = choose_device(device)
        self.generator = generator.eval().to(self.device)
        self.structure = structure
        self.driver = driver
        self.size = (height, width)

    def animate(
        self,
        source: str | Path,
        driving: str | Path,
        out: str | Path,
        batch_size: int = 4,
        show: Sequence[str] | str = ("result",),
        resize: str | None = None,
        **driver_options: Any,
    ) -> dict[str, Any]:
        """Make a clip of ``source`` that moves like ``driving``.

        Frames are generated in batches and written as they come: memory does not depend on the
        length. Ctrl-C leaves ``<stem>.partial.mp4`` beside ``out``, and an older ``out`` as it was.

        Args:
            source: picture of any size and kind.
            driving: what the task's driver reads.
            out: the ``.mp4`` to write, at the model's scale in the source's proportions.
            batch_size: frames per run of the network.
            show: panels beside the result: ``source``, ``driving``, ``flow``, ``mask``.
            resize: how the picture comes to the model's size, ``pad`` or ``stretch``; the driver's
                own way where not given.
            driver_options: the driver's options (``add_arguments``), dashes as underscores.

        Returns:
            ``out``, ``frames``, ``fps`` (text, exact), ``seconds`` (it took), ``size`` (H, W) of
            the video, ``report`` (sentences of the driver), ``summary`` (one paragraph).

        Raises:
            UserError: bad input, in one sentence; the output folder is tried before the work.
        """
        panels = _panel_names(show)
        if batch_size < 1:
            raise UserError(f"--batch-size: at least 1, not {batch_size}")
        check_video_target(out)
        picture = self._source(Path(source), resize)
        stream = self.driver.open(str(driving), picture, driver_options)
        fitted = picture.fit.image(picture.pixels)
        frames = self._frames(fitted, stream, batch_size, _Panels(panels, fitted, picture.fit))
        started = time.monotonic()
        writer = _write(out, frames, stream)
        summary: dict[str, Any] = {
            "out": str(out),
            "frames": writer.frames,
            "fps": str(stream.fps),
            "seconds": round(time.monotonic() - started, 3),
            "size": list(writer.size),
            "panels": list(panels),
            "report": list(stream.report),
        }
        summary["summary"] = _paragraph(summary, picture.fit, writer, self.device)
        return summary

    def _source(self, path: Path, resize: str | None) -> SourceImage:
        mode = resize or self.driver.resize
        if mode not in MODES:
            raise UserError(f"--resize: is {' or '.join(MODES)}, not {mode!r}")
        pixels = np.asarray(read_image(path))
        return SourceImage(pixels, path, FrameFit(pixels.shape[:2], self.size, mode))

    def _frames(
        self, fitted: np.ndarray, stream: DrivingStream, batch_size: int, panels: _Panels
    ) -> Iterator[np.ndarray]:
        """Finished frames, panels tiled; the network's view of the source is computed once."""
        annotations = iter(stream)
        with torch.inference_mode():
            sources = [_to_tensor(fitted).to(self.device)[None]]
            structures = [self._encode([stream.source])]
            encoded = self.generator.encode_sources(sources)
        while batch := list(islice(annotations, batch_size)):
            try:
                with torch.inference_mode():
                    target = self._encode(batch)
                    output = self.generator(sources, structures, target, encoded=encoded)
            except torch.OutOfMemoryError as error:
                raise UserError(
                    f"{self.device}: its memory is too small for {batch_size} frames at once, "
                    "lower --batch-size"
                ) from error
            drawn = [
                self.structure.draw(annotation, self.size) if "driving" in panels.names else None
                for annotation in batch
            ]
            yield from panels.frames(output, drawn)

    def _encode(self, annotations: Sequence[Any]) -> Tensor:
        maps = [self.structure.encode(annotation, self.size) for annotation in annotations]
        return torch.stack(maps).to(self.device)


@dataclass
class _Panels:
    """Tiles what is to be shown of each frame; one flow legend for the whole clip."""

    names: tuple[str, ...]
    source: np.ndarray
    fit: FrameFit
    flow_legend: float | None = None

    def frames(
        self, output: GeneratorOutput, drawn: Sequence[np.ndarray | None]
    ) -> Iterator[np.ndarray]:
        """One tiled uint8 picture per frame of a batch, flow and mask of the first reference."""
        size = self.fit.size
        flows = to_full_resolution(output.flows[0][-1].float(), size).cpu().numpy()
        if self.flow_legend is None:
            self.flow_legend = flow_maximum(flows)
        for index, structure in enumerate(drawn):
            pictures = []
            for name in self.names:
                if name == "source":
                    pictures.append(self.source)
                elif name == "driving":
                    assert structure is not None
                    pictures.append(structure)
                elif name == "flow":
                    pictures.append(flow_to_rgb(flows[index], self.flow_legend))
                elif name == "mask":
                    pictures.append(mask_picture(output.masks[0][-1][index], size))
                else:
                    pictures.append(tensor_to_uint8(output.image[index]))
            pictures = [self.fit.undo(picture) for picture in pictures]
            yield pictures[0] if len(pictures) == 1 else tile(pictures, self._captions())

    def _captions(self) -> list[str]:
        legend = {"flow": f"flow (full colour {self.flow_legend:.0f} px)"}
        return [legend.get(name, name) for name in self.names]


def _write(out: str | Path, frames: Iterator[np.ndarray], stream: DrivingStream) -> VideoWriter:
    """Write frames as they come; says what is left when it is stopped."""
    first = next(frames, None)
    if first is None:
        raise UserError(f"{out}: there is nothing to write, the driving sequence has no frames")
    with VideoWriter(out, stream.fps, first.shape[:2]) as writer:
        try:
            for frame in progress(chain([first], frames), "animating", stream.length):
                writer.write(frame)
        except BaseException:  # raised again: only says what is left, whatever ended the work
            done = f"stopped: the first {writer.frames} frames are in {writer.partial}"
            print(done, file=sys.stderr)
            raise
    return writer


def add_driver_arguments(
    parser: ArgumentParser,
    config: str | Path | Config,
    cfg_options: Mapping[str, Any] | None = None,
) -> None:
    """Add the options that the driver of a config declares to a command's parser.

    Raises:
        UserError: the config can't be read or names no registered driver.
    """
    settings = load_config(config, cfg_options)
    where = f"{config}: the config"
    _registered(DRIVERS, "driver", settings.get("driver"), where).add_arguments(parser)


def _registered(registry: Registry, kind: str, cfg: Mapping[str, Any] | None, where: str) -> Any:
    """The class of a part of the task; nobody may have imported it (``custom_imports`` would)."""
    name = cfg.get("type") if cfg else None
    found = registry.get(name) if isinstance(name, str) else name
    if not inspect.isclass(found):
        known = ", ".join(sorted(registry.module_dict))
        raise UserError(
            f"{where} names the {kind} {name!r}, which is not registered (there are {known}); "
            "import its task or pass a config that does (custom_imports)"
        )
    return found


def _settings(
    config: Config | str | Path | None,
    cfg_options: Mapping[str, Any] | None,
    meta: Mapping[str, Any],
    checkpoint: str | Path,
) -> Mapping[str, Any]:
    """``size``, ``structure`` and ``driver``: from the config, else from the checkpoint."""
    if config is None:
        if cfg_options:
            raise UserError("--cfg-options: change a config, but none was given")
        settings: Mapping[str, Any] = meta
        where = f"{checkpoint}: the checkpoint"
    else:
        settings = load_config(config, cfg_options)
        name = config.filename if isinstance(config, Config) else config
        where = f"{name}: the config"
        check_task(meta, settings, checkpoint)
    for key in ("size", "structure", "driver"):
        if settings.get(key) is None:
            raise UserError(f"{where} says no {key}, pass a config that does")
    _registered(STRUCTURES, "structure", settings["structure"], where)
    _registered(DRIVERS, "driver", settings["driver"], where)
    return settings


def _panel_names(show: Sequence[str] | str) -> tuple[str, ...]:
    names = show.split(",") if isinstance(show, str) else list(show)
    names = list(dict.fromkeys(name.strip() for name in names if name.strip()))
    for name in names:
        if name not in PANELS:
            raise UserError(f"--show: there is no panel {name!r}, there are {', '.join(PANELS)}")
    return tuple(names) if "result" in names else (*names, "result")


def _to_tensor(picture: np.ndarray) -> Tensor:
    return image_to_tensor(Image.fromarray(picture))


def _paragraph(
    summary: Mapping[str, Any], fit: FrameFit, writer: VideoWriter, device: torch.device
) -> str:
    frames, seconds = summary["frames"], summary["seconds"]
    length = float(frames / writer.fps)
    done = (
        f"{summary['out']}: {frames} frames at {summary['fps']} per second ({length:.2f} s), "
        f"{summary['size'][1]}x{summary['size'][0]}, made in {seconds:.1f} s on {device} "
        f"({frames / max(seconds, 1e-9):.1f} frames per second)"
    )
    source = fit.describe() and f"Source {fit.describe()}"
    video = writer.note and f"Video {writer.note}"
    said = [text[0].upper() + text[1:] for text in summary["report"] if text]
    return ". ".join(filter(None, [done, source, *said, video])) + "."
