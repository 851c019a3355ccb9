"""From a picture and a driving sequence to an mp4: the animation as a command and from Python."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from mmengine.config import Config
from PIL import Image
from torch import Tensor, nn

from gfla_video.apis.animation_settings import animation_settings
from gfla_video.apis.device import choose_device
from gfla_video.apis.inference import InferenceOptions, PreparedGenerator
from gfla_video.apis.load import build_network, read_checkpoint
from gfla_video.apis.panels import BatchOnHost, Panels, panel_names
from gfla_video.apis.source_pictures import read_sources, resizing, source_paths
from gfla_video.datasets.images import image_to_tensor
from gfla_video.models.rollout import ClipRollout
from gfla_video.registry import DRIVERS, STRUCTURES
from gfla_video.structures.driving import Driver, DrivingStream, SourceImage
from gfla_video.utils.background import BackgroundIterator
from gfla_video.utils.errors import UserError
from gfla_video.utils.progress import progress
from gfla_video.utils.video import VideoWriter, check_video_target

T = TypeVar("T")
CPU_BATCH, ACCELERATOR_BATCH = 4, 16  # frames per run of the network, where none are asked for
_MULTIPLE, _MIN_SIZE = 32, 64
_AHEAD = 2  # batches that a stage of the work may be ahead of the next one


@dataclass(frozen=True)
class _Driven:
    """One batch of annotations, and their maps ``[B, C, H, W]`` in the CPU's memory."""

    annotations: Sequence[Any]
    target: Tensor


class Animator:
    """Animates pictures with one trained network.

        animator = Animator("configs/pose/sample.py", "work_dirs/demo/model.pth")
        animator.animate("person.jpg", "walk.npz", "out.mp4", source_structure="person.json")
        animator.animate(["left.png", "right.png"], ...)  # tasks of several pictures of one object

    Args:
        config: config file (or config) whose ``size``, ``structure`` and ``driver`` are used; None
            where the checkpoint's own record of them will do.
        checkpoint: file made by training or by the converter.
        device: where the network runs, ``cpu``, ``cuda``, ``cuda:1``, ``mps``; the accelerator
            where there is one, else the CPU, when None.
        cfg_options: changes to the config by dotted path.
        inference: how the network is run: precision, memory layout, compiler, CUDA graphs.

    Raises:
        UserError: a file is missing or does not fit, such as a checkpoint of another task.
    """

    def __init__(
        self,
        config: Config | str | Path | None,
        checkpoint: str | Path,
        device: str | torch.device | None = None,
        cfg_options: Mapping[str, Any] | None = None,
        inference: InferenceOptions | None = None,
    ) -> None:
        chosen = choose_device(device)
        content = read_checkpoint(checkpoint)
        settings = animation_settings(config, cfg_options, content["meta"], checkpoint)
        generator = build_network(content, "generator", checkpoint)
        structure = STRUCTURES.build(dict(settings["structure"]))
        driver = DRIVERS.build(dict(settings["driver"]))
        self._assemble(generator, structure, driver, settings["size"], chosen, inference)

    @classmethod
    def from_network(
        cls,
        generator: nn.Module,
        structure: Any,
        driver: Driver,
        size: Sequence[int],
        device: str | torch.device | None = None,
        inference: InferenceOptions | None = None,
    ) -> Animator:
        """Animate with a network, structure and driver that are built already; size is (H, W).

        The network is made ready for inference in place, see :class:`PreparedGenerator`.
        """
        animator = cls.__new__(cls)
        animator._assemble(generator, structure, driver, size, choose_device(device), inference)
        return animator

    def _assemble(
        self,
        generator: nn.Module,
        structure: Any,
        driver: Driver,
        size: Sequence[int],
        device: torch.device,
        inference: InferenceOptions | None,
    ) -> None:
        try:
            height, width = (int(side) for side in size)
        except (TypeError, ValueError) as error:
            raise UserError(
                f"size: {size!r} is not a height and a width, say two numbers such as 256,256"
            ) from error
        if height % _MULTIPLE or width % _MULTIPLE or min(height, width) < _MIN_SIZE:
            raise UserError(
                f"size: {height}x{width} (height x width) can't be animated, both must be "
                f"multiples of {_MULTIPLE} and at least {_MIN_SIZE}"
            )
        self.device = device
        self.prepared = PreparedGenerator(generator, device, inference)
        self.structure = structure
        self.driver = driver
        self.size = (height, width)

    @property
    def generator(self) -> nn.Module:
        """The network."""
        return self.prepared.network

    def animate(
        self,
        source: str | Path | Sequence[str | Path],
        driving: str | Path,
        out: str | Path,
        batch_size: int | None = None,
        show: Sequence[str] | str = ("result",),
        resize: str | None = None,
        overlap: bool | None = None,
        sound: bool = True,
        **driver_options: Any,
    ) -> dict[str, Any]:
        """Make a clip of ``source`` that moves like ``driving``.

        Frames are generated in batches and written as they come: memory does not depend on the
        length. Reading what drives, the network, and drawing and writing can run at the same time,
        each at most two batches ahead of the next. A network that takes previous frames gets them
        across the batches' borders. Ctrl-C leaves ``<stem>.partial.mp4`` beside ``out``, and an
        older ``out`` as it was.

        Args:
            source: picture of any size and kind, or several of one object if the driver takes them.
            driving: what the task's driver reads.
            out: the ``.mp4`` to write, at the model's scale in the (first) source's proportions.
            batch_size: frames per run of the network; 4 on the CPU and 16 elsewhere when None.
            show: panels beside the result: ``source``, ``driving``, ``flow``, ``mask``.
            resize: how the picture comes to the model's size, ``pad`` or ``stretch``; the driver's
                own way where not given.
            overlap: do these at the same time; the frames are the same. None: where the network
                runs on an accelerator; on the CPU it has all cores already, and gets slower.
            sound: the driving clip's sound, where it has one, goes into the result.
            driver_options: the driver's options (``add_arguments``), dashes as underscores.

        Returns:
            ``out``, ``frames``, ``fps`` (text, exact), ``seconds`` (it took), ``size`` (H, W) of
            the video, ``sound`` (what was done, "" where the driver has none to give), ``device``,
            ``inference`` (how the network ran), ``report`` (sentences of the driver), ``summary``
            (one paragraph).

        Raises:
            UserError: bad input, in one sentence; the output folder is tried before the work.
        """
        names = panel_names(show)
        batch_size = self._batch_size(batch_size)
        paths = source_paths(source, self.driver, self.prepared.previous)
        _keep(out, [*paths, driving, *_named_files(driver_options)])
        picture, said = self._read(paths, resize, driver_options)
        stream = self.driver.open(str(driving), picture, driver_options)
        _keep(out, getattr(stream, "files", ()))  # found beside those that were named
        panels = self._panels(names, picture, stream)
        started = time.monotonic()
        overlap = self.device.type != "cpu" if overlap is None else overlap
        batches = self._generated(stream, panels, picture.others, batch_size, overlap)
        with (
            _maybe_ahead(batches, overlap, "network") as made,
            closing(panels.frames(made)) as frames,
        ):
            writer = _write(out, frames, stream, sound)
        seconds = time.monotonic() - started
        return self._summary(writer, seconds, names, picture, said, stream.report)

    def _summary(
        self,
        writer: VideoWriter,
        seconds: float,
        names: tuple[str, ...],
        source: SourceImage,
        of_source: list[str],
        of_driver: list[str],
    ) -> dict[str, Any]:
        summary = {
            "out": str(writer.path),
            "frames": writer.frames,
            "fps": str(writer.fps),
            "seconds": round(seconds, 3),
            "size": list(writer.size),
            "panels": list(names),
            "sound": writer.sound.note if writer.sound is not None else "",
            "device": str(self.device),
            "inference": asdict(self.prepared.options),
            "report": [*of_source, *of_driver],
        }
        # cropped first, then brought to the model's size
        clauses = [*of_source, *resizing(source), *of_driver]
        summary["summary"] = _paragraph(summary, clauses, writer)
        return summary

    def _read(
        self, paths: Sequence[Path], resize: str | None, options: Mapping[str, Any]
    ) -> tuple[SourceImage, list[str]]:
        return read_sources(paths, self.driver, self.structure, self.size, resize, options)

    def _panels(
        self, names: tuple[str, ...], picture: SourceImage, stream: DrivingStream
    ) -> Panels:
        fitted = picture.fit.image(picture.pixels)
        finish = getattr(stream, "finish", None)
        return Panels(names, fitted, picture.fit, self.structure, finish)

    def _batch_size(self, asked: int | None) -> int:
        if asked is None:
            return CPU_BATCH if self.device.type == "cpu" else ACCELERATOR_BATCH
        if asked < 1:
            raise UserError(f"--batch-size: at least 1, not {asked}")
        return asked

    def _generated(
        self,
        stream: DrivingStream,
        panels: Panels,
        others: Sequence[SourceImage],
        batch_size: int,
        overlap: bool,
    ) -> Iterator[BatchOnHost]:
        """The network's stage; its view of the sources is computed once for the whole clip."""
        place = self.prepared.place
        pictures = [panels.source, *(other.fit.image(other.pixels) for other in others)]
        annotations = [stream.source, *getattr(stream, "other_sources", ())]
        (image, structure), *more = (
            (place(_to_tensor(picture)[None]), place(self._encode([annotation])))
            for picture, annotation in zip(pictures, annotations, strict=True)
        )
        rollout = ClipRollout(self.prepared, image, structure, others=more)
        with _maybe_ahead(self._driven(stream, batch_size), overlap, "driving") as driven:
            for batch in driven:
                try:
                    output = rollout.frames(place(batch.target))
                    # leaving this block may mean leaving the thread: nothing is yielded inside
                    with torch.inference_mode():
                        made = BatchOnHost.of(output, batch.annotations, self.size, panels.names)
                except torch.OutOfMemoryError as error:
                    raise UserError(
                        f"{self.device}: its memory is too small for {batch_size} frames at once, "
                        "lower --batch-size"
                    ) from error
                yield made

    def _driven(self, stream: DrivingStream, batch_size: int) -> Iterator[_Driven]:
        """The driver's stage: annotations and their maps, without the device."""
        annotations = iter(stream)
        while batch := list(islice(annotations, batch_size)):
            target = self._encode(batch)
            yield _Driven(batch, target.pin_memory() if self.device.type == "cuda" else target)

    def _encode(self, annotations: Sequence[Any]) -> Tensor:
        return torch.stack([self.structure.encode(item, self.size) for item in annotations])


def _keep(out: str | Path, read: Iterable[str | Path]) -> None:
    """Refuse to write over what is read, under whatever name, and where nothing can be written."""
    partial = check_video_target(out)
    for written in (Path(out), partial):
        for path in read:
            if written.exists() and os.path.exists(path) and written.samefile(path):
                also = "" if written == Path(out) else f" (its unfinished part is {written.name})"
                raise UserError(
                    f"--out: {out} would overwrite {path}{also}, which is read here; "
                    "pass another name"
                )


def _named_files(options: Mapping[str, Any]) -> list[str]:
    """What may be paths among a driver's options."""
    values: list[Any] = []
    for value in options.values():
        values += value if isinstance(value, (list, tuple)) else [value]
    return [str(value) for value in values if isinstance(value, (str, Path))]


def _maybe_ahead(
    items: Iterator[T], overlap: bool, name: str
) -> AbstractContextManager[Iterable[T]]:
    """``items`` made in a thread, or as they are asked for; closed in the end either way."""
    if overlap:
        return BackgroundIterator(items, _AHEAD, name)
    return closing(items)  # type: ignore[type-var]


def _write(
    out: str | Path, frames: Iterator[np.ndarray], stream: DrivingStream, with_sound: bool
) -> VideoWriter:
    """Write frames as they come; says what is left when it is stopped."""
    sound = getattr(stream, "sound", None) if with_sound else None
    first = next(frames, None)
    if first is None:
        raise UserError(f"{out}: there is nothing to write, the driving sequence has no frames")
    with VideoWriter(out, stream.fps, first.shape[:2], sound=sound) as writer:
        try:
            for frame in progress(chain([first], frames), "animating", stream.length):
                writer.write(frame)
        except BaseException:  # raised again: only says what is left, whatever ended the work
            done = f"stopped: the first {writer.frames} frames are in {writer.partial}"
            print(done, file=sys.stderr)
            raise
    return writer


def _to_tensor(picture: np.ndarray) -> Tensor:
    return image_to_tensor(Image.fromarray(picture))


def _paragraph(summary: Mapping[str, Any], report: Sequence[str], writer: VideoWriter) -> str:
    frames, seconds = summary["frames"], summary["seconds"]
    length = float(frames / writer.fps)
    precision = summary["inference"]["precision"]
    how = summary["device"] + ("" if precision == "float32" else f" in {precision}")
    done = (
        f"{summary['out']}: {frames} frame{'s' * (frames != 1)} at {summary['fps']} per "
        f"second ({length:.2f} s), "
        f"{summary['size'][1]}x{summary['size'][0]}, made in {seconds:.1f} s on {how} "
        f"({frames / max(seconds, 1e-9):.1f} frames per second)"
    )
    sound = summary["sound"] and f"Sound {summary['sound']}"
    video = writer.note and f"Video {writer.note}"
    said = [text[0].upper() + text[1:] for text in report if text]
    return ". ".join(filter(None, [done, *said, sound, video])) + "."
