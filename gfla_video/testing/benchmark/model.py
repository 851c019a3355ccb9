"""The whole generator, frame by frame: released layout, plain torch, native, and how it is run."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from gfla_video.apis.inference import PRECISIONS, InferenceOptions, PreparedGenerator
from gfla_video.testing.benchmark.cases import Case, Settings, Variant, without_gradients
from gfla_video.testing.benchmark.floors import (
    count_flops,
    gather_flops,
    nbytes,
    parameter_bytes,
)
from gfla_video.testing.benchmark.networks import (
    FASHION,
    MARKET,
    TINY,
    Plan,
    build_generator,
    random_inputs,
)
from gfla_video.testing.benchmark.profile import profile_frame
from gfla_video.testing.literal import materialised

KEYS = 128  # channels of the kernel prediction
RELEASED, RELEASED_OUR_LAYERS = "materialised float32", "materialised float32, our other layers"
BEST = "native float32 channels_last"


def plans(settings: Settings) -> tuple[Plan, ...]:
    """What is measured."""
    return (TINY,) if settings.quick else (FASHION, MARKET)


def model_cases(settings: Settings) -> Iterator[Case]:
    """One case for each network and batch size."""
    for plan in plans(settings):
        for batch in settings.batches or (1,):
            yield _Builder(plan, batch, settings).case()


def profiles(settings: Settings) -> list[dict[str, Any]]:
    """Where a frame's time goes, native, in both precisions, the source's features included."""
    found = []
    for plan in plans(settings)[:1]:
        builder = _Builder(plan, (settings.batches or (1,))[0], settings)
        for precision in ("float32", "bfloat16"):
            prepared = builder.prepared(InferenceOptions(precision, channels_last=True))
            run = functools.partial(prepared, **builder.inputs)
            for _ in range(settings.warmup):
                run()
            shares = profile_frame(run, prepared.network, settings.device)
            name = f"{plan.name} native {precision} channels_last"
            found.append({"name": name, "batch": builder.batch, **shares})
    return found


def gathers(plan: Plan, batch: int) -> int:
    """Operations of all gathers of a frame, which torch's counter does not see."""
    total = 0
    for level, kernel, channels in zip(plan.levels, plan.kernels, plan.channels, strict=True):
        positions = batch * (plan.size[0] >> level) * (plan.size[1] >> level)
        total += gather_flops((kernel + 1) ** 2, channels, positions)
        total += gather_flops(4, KEYS, positions)
    return total


def _as_it_is(options: InferenceOptions) -> bool:
    """Single precision, operator by operator: what plain torch is measured with.

    Compiled graphs are shared between networks of one class and keep the backend of the first, so
    plain and native cannot both be compiled in one process.
    """
    return options.precision == "float32" and not (options.compile or options.cuda_graphs)


class _Builder:
    """The variants of one network at one batch size; all have the same weights and inputs."""

    def __init__(self, plan: Plan, batch: int, settings: Settings) -> None:
        torch.manual_seed(settings.seed)
        self.plan, self.batch, self.settings = plan, batch, settings
        self.generator = build_generator(plan).to(settings.device).eval().requires_grad_(False)
        self.inputs = random_inputs(plan, batch, settings.device)
        self.state = parameter_bytes(self.generator)
        picture = self.inputs["sources"][0]
        structures = nbytes(self.inputs["target_structure"], *self.inputs["source_structures"])
        self.moved = self.state + structures + 2 * nbytes(picture)  # the result is as large
        self.gathers = gathers(plan, batch)
        self.flops: dict[bool, int] = {}  # of a frame, by whether its source is encoded before

    def case(self) -> Case:
        """All variants, and which to set against which."""
        variants = {
            RELEASED: self._literal(materialised(self.generator)),
            RELEASED_OUR_LAYERS: self._literal(materialised(self.generator, keep_layers=True)),
        }
        ratios = [(RELEASED, RELEASED_OUR_LAYERS)]
        for name, options in self._ways().items():
            for backend in ("plain", "native"):
                if backend == "plain" and not _as_it_is(options):
                    continue
                for cached in (False, True):
                    if cached and (backend == "plain" or not options.channels_last):
                        continue
                    full = f"{backend} {name}{', source cached' if cached else ''}"
                    variants[full] = self._ours(options, backend, cached)
                    ratios.append((RELEASED, full))
                    if full != BEST and backend == "native":
                        ratios.append((BEST, full))
        ratios += [(RELEASED_OUR_LAYERS, BEST), ("plain float32 channels_last", BEST)]
        height, width = self.plan.size
        return Case(
            f"{self.plan.name} generator {height}x{width} batch {self.batch}",
            {"network": self.plan.name, "size": list(self.plan.size), "batch": self.batch},
            variants,
            ratios,
        )

    def _ways(self) -> dict[str, InferenceOptions]:
        """How our network is run, by name."""
        settings = self.settings
        half = ["bfloat16", "float16"] if settings.device.type == "cuda" else ["bfloat16"]
        ways = {
            f"float32 {layout}": InferenceOptions(channels_last=layout == "channels_last")
            for layout in settings.formats
        }
        if "channels_last" not in settings.formats:
            return ways
        for precision in ("float32", *half):
            ways[f"{precision} channels_last"] = InferenceOptions(precision, channels_last=True)
            if settings.compiled:
                ways[f"{precision} channels_last compiled"] = InferenceOptions(
                    precision, channels_last=True, compile=True
                )
            if settings.graphs:
                ways[f"{precision} channels_last graph"] = InferenceOptions(
                    precision, channels_last=True, cuda_graphs=True
                )
            if settings.graphs and settings.compiled:
                ways[f"{precision} channels_last compiled graph"] = InferenceOptions(
                    precision, channels_last=True, compile=True, cuda_graphs=True
                )
        return ways

    def prepared(self, options: InferenceOptions) -> PreparedGenerator:
        """A copy of the network, made ready as the tools make it."""
        return PreparedGenerator(copy.deepcopy(self.generator), self.settings.device, options)

    def _literal(self, network: nn.Module) -> Variant:
        return Variant(
            without_gradients(lambda: network(**self.inputs)),
            "reference",
            self.moved,
            items=self.batch,
            state=parameter_bytes(network),
            note="contiguous (NCHW)",
        )

    def _ours(self, options: InferenceOptions, backend: str, cached: bool) -> Variant:
        prepared = self.prepared(options)
        given = dict(self.inputs)
        if cached:
            given["encoded"] = prepared.encode_sources(given["sources"])
        return Variant(
            lambda: prepared(**given),
            "reference" if backend == "plain" else backend,
            self.moved,
            self._count(cached),
            dtype=PRECISIONS[options.precision],
            items=self.batch,
            state=self.state,
            note="channels_last" if options.channels_last else "contiguous (NCHW)",
        )

    def _count(self, cached: bool) -> int:
        """Counted once on the eager network: compiled and recorded runs cannot be looked into."""
        if cached not in self.flops:
            given = dict(self.inputs)
            with torch.inference_mode():
                if cached:
                    given["encoded"] = self.generator.encode_sources(given["sources"])  # type: ignore[operator]
                self.flops[cached] = count_flops(lambda: self.generator(**given)) + self.gathers
        return self.flops[cached]
