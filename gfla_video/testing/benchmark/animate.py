"""Frames per second of an animation, from the files on disk to the written mp4."""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from gfla_video.apis.animate import Animator
from gfla_video.apis.inference import PRECISIONS, InferenceOptions
from gfla_video.registry import DRIVERS, STRUCTURES
from gfla_video.testing.benchmark.cases import Case, Settings, Variant
from gfla_video.testing.benchmark.floors import count_flops, nbytes, parameter_bytes
from gfla_video.testing.benchmark.model import gathers
from gfla_video.testing.benchmark.networks import (
    FASHION,
    TINY,
    Plan,
    build_generator,
    random_inputs,
)
from gfla_video.testing.literal import materialised

FRAMES, QUICK_FRAMES = 32, 5
JOINTS = 18


class EncodesEveryFrame(nn.Module):
    """A generator that does not keep what depends on the source alone: it computes it per frame.

    Args:
        generator: the network that is asked.
    """

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def encode_sources(self, sources: list[Tensor]) -> list[Tensor]:
        """Nothing is encoded here."""
        return sources

    def forward(
        self, sources: list[Tensor], structures: list[Tensor], target: Tensor, encoded: Any = None
    ) -> Any:
        """The generator's output; every frame of the batch encodes the source anew."""
        batch = target.shape[0]
        return self.generator([s.expand(batch, -1, -1, -1) for s in sources], structures, target)


def animate_cases(settings: Settings, folder: Path) -> Iterator[Case]:
    """The one case: what is kept, how many frames at once, whether the stages overlap.

    Args:
        settings: of the run.
        folder: for the source, the driving poses and the clips.
    """
    yield _Builder(TINY if settings.quick else FASHION, settings, folder).case()


class _Builder:
    """A generated source, driving poses, and animators over copies of one network."""

    def __init__(self, plan: Plan, settings: Settings, folder: Path) -> None:
        torch.manual_seed(settings.seed)
        self.plan, self.settings, self.folder = plan, settings, folder
        self.frames = settings.frames or (QUICK_FRAMES if settings.quick else FRAMES)
        self.generator = build_generator(plan).eval().requires_grad_(False)
        self.files = _write_inputs(folder, plan.size, self.frames, settings.seed)
        frame = self._flops_of_a_frame()
        self.flops = {True: frame[1] * self.frames, False: frame[0] * self.frames}

    def _flops_of_a_frame(self) -> tuple[int, int]:
        """With the source's features, and without."""
        given = random_inputs(self.plan, 1, torch.device("cpu"))
        extra = gathers(self.plan, 1)
        with torch.inference_mode():
            encoded = self.generator.encode_sources(given["sources"])  # type: ignore[operator]
            whole = count_flops(lambda: self.generator(**given))
            kept = count_flops(lambda: self.generator(**given, encoded=encoded))
        return whole + extra, kept + extra

    def case(self) -> Case:
        """All variants, and which to set against which."""
        batches = self.settings.batches or ((1, 2) if self.settings.quick else (1, 4))
        first, last = batches[0], batches[-1]
        variants = {f"materialised, batch {first}": self._variant("materialised", first)}
        ratios = []
        for batch in batches:
            per_frame = f"native, source encoded per frame, batch {batch}"
            overlapping = f"native, overlapping, batch {batch}"
            ours = f"native, batch {batch}"
            variants[per_frame] = self._variant("per frame", batch)
            variants[overlapping] = self._variant("once", batch, overlap=True)
            variants[ours] = self._variant("once", batch)
            ratios += [(f"materialised, batch {first}", ours), (per_frame, ours)]
            ratios.append((overlapping, ours))
            if batch != first:
                ratios.append((f"native, batch {first}", ours))
        half = f"native bfloat16, batch {last}"
        variants[half] = self._variant("once", last, precision="bfloat16")
        ratios.append((f"native, batch {last}", half))
        return Case(
            f"animate {self.plan.name} {self.plan.size[0]}x{self.plan.size[1]}, "
            f"{self.frames} frames to an mp4",
            {"network": self.plan.name, "size": list(self.plan.size), "frames": self.frames},
            variants,
            ratios,
        )

    def _variant(
        self, source: str, batch: int, overlap: bool = False, precision: str = "float32"
    ) -> Variant:
        literal = source == "materialised"
        network = materialised(self.generator) if literal else copy.deepcopy(self.generator)
        if source != "once":  # the released program computes everything anew for each frame
            network = EncodesEveryFrame(network)
        options = InferenceOptions(precision, channels_last=False if literal else None)
        structure, driver = (
            registry.build({"type": name})
            for registry, name in ((STRUCTURES, "PoseStructure"), (DRIVERS, "PoseDriver"))
        )
        animator = Animator.from_network(
            network, structure, driver, self.plan.size, self.settings.device, options
        )
        out = self.folder / f"{source}_{batch}_{overlap}_{precision}.mp4".replace(" ", "_")

        def run() -> object:
            with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
                return animator.animate(out=out, batch_size=batch, overlap=overlap, **self.files)

        picture = 3 * 4 * self.plan.size[0] * self.plan.size[1]
        maps = JOINTS * picture // 3
        runs = -(-self.frames // batch)  # the weights are read once for each batch
        moved = runs * nbytes(*network.parameters()) + self.frames * (picture + maps)
        layout = "channels_last" if animator.prepared.options.channels_last else "contiguous (NCHW)"
        return Variant(
            run,
            "reference" if literal else "native",
            moved,
            self.flops[source == "once"],
            dtype=PRECISIONS[precision],
            items=self.frames,
            state=parameter_bytes(network),
            note=f"{layout}, {precision}, source kept: {source == 'once'}, overlap: {overlap}",
        )


def _write_inputs(folder: Path, size: tuple[int, int], frames: int, seed: int) -> dict[str, str]:
    """A picture, its joints, and joints that swing: what ``Animator.animate`` takes."""
    numbers = np.random.default_rng(seed)
    height, width = size
    pixels = numbers.integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
    source, own, driving = (folder / name for name in ("source.png", "own.npz", "driving.npz"))
    Image.fromarray(pixels).resize((width, height)).save(source)
    place = numbers.uniform((0.3 * width, 0.1 * height), (0.7 * width, 0.9 * height), (JOINTS, 2))
    swing = 0.1 * width * np.sin(np.arange(frames) / 5)
    clip = np.ones((frames, JOINTS, 3))
    clip[:, :, :2] = place
    clip[:, :, 0] += swing[:, None]
    np.savez(own, keypoints=clip[0], size=size)
    np.savez(driving, keypoints=clip, fps="25", size=size)
    return {"source": str(source), "driving": str(driving), "source_structure": str(own)}
