"""A protocol: everything that a number about pictures depends on beside the pictures themselves."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from gfla_video.evaluation.protocols.steps import (
    Crop,
    FileFormat,
    Picture,
    Resize,
    Size,
    Step,
    read_size,
    read_step,
    show_size,
    step_settings,
)
from gfla_video.utils.errors import UserError
from gfla_video.utils.options import read_options

WEIGHTS = "weights:"  # begins a metric's value that stands for a weights file, by its name
_DIGITS = 12
_FLOAT_ERROR = 1e-4  # of 255 levels: what 8 bits lose at most as float32 in [-1, 1], and more
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_ROUNDINGS = ("round", "truncate")
STRETCH, PAD = "stretch", "pad"  # how pictures came to their size


@dataclass(frozen=True)
class Prepared:
    """A picture as a protocol measures it.

    Attributes:
        picture: uint8 ``[H, W, 3]``.
        note: what was done because it came in another size; None for one that is expected.
    """

    picture: Picture
    note: str | None


@dataclass(frozen=True)
class Protocol:
    """A named, versioned way to measure.

    A generated picture is brought to 8 bits, goes through the file format, then (where it has none
    of the expected sizes) through ``otherwise``, then through the steps. Reference pictures are
    files already and go through ``otherwise`` and their own steps. A change of any value needs a
    new version; the digest tells versions apart that carry one name by mistake.

    Steps that crop a size belong to whole pictures with margins. Of pictures that were stretched to
    that size ("stretch" as their fit) ``otherwise`` undoes the stretch instead; where nobody says
    how the pictures came to their size, they are cropped and the note says so.

    Attributes:
        name: lower case letters, digits, dots, hyphens.
        version: 1, 2, ...
        source: where the protocol is written down, and what of it was chosen here.
        size: (H, W) that pictures are compared at; None: at whatever size they have.
        sizes: sizes (H, W) that pictures may come in; empty: any.
        otherwise: what brings pictures of other sizes to one of ``sizes``; None: they are measured
            as they are, with a warning.
        generated: steps for generated pictures.
        reference: steps for reference pictures; those of generated ones when None.
        rounding: how generated pictures become 8 bits: "round", or "truncate" as many released
            programs do.
        file: format that generated pictures go through.
        images: which pictures are measured.
        expected_count: how many these are; None where that is open.
        metrics: config dicts. A value ``weights:NAME`` stands for the file of that name.

    Raises:
        UserError: a value is not possible, or the steps do not lead to ``size``.
    """

    name: str
    version: int
    source: str
    metrics: tuple[dict[str, Any], ...]
    size: Size | None = None
    sizes: tuple[Size, ...] = ()
    otherwise: Resize | None = None
    generated: tuple[Step, ...] = ()
    reference: tuple[Step, ...] | None = None
    rounding: str = "round"
    file: FileFormat = field(default_factory=FileFormat)
    images: str = "every sample of the test data"
    expected_count: int | None = None

    def __post_init__(self) -> None:
        label = f"protocol {self.name!r}"
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise UserError(f"{label}: a name has lower case letters, digits, dots and hyphens")
        if not isinstance(self.version, int) or self.version < 1:
            raise UserError(f"{label}: version must be 1, 2, ..., not {self.version!r}")
        if self.rounding not in _ROUNDINGS:
            raise UserError(f"{label}: rounding must be {' or '.join(_ROUNDINGS)}")
        metrics = self.metrics if isinstance(self.metrics, (list, tuple)) else ()
        if not metrics or not all(isinstance(metric, Mapping) for metric in metrics):
            raise UserError(f"{label}: names no metric, give it metrics=[dict(type=...), ...]")
        self._read_values(label)
        self._check_sizes(label)

    def _read_values(self, label: str) -> None:
        """Plain values (of a config) to what the attributes say."""
        own = self.generated if self.reference is None else self.reference
        values = {
            "size": None if self.size is None else read_size(self.size, f"{label}.size"),
            "sizes": tuple(read_size(size, f"{label}.sizes") for size in self.sizes),
            "generated": _steps(self.generated, f"{label}.generated"),
            "reference": _steps(own, f"{label}.reference"),
            "file": read_options(FileFormat, self.file, f"{label}.file"),
            "metrics": tuple(copy.deepcopy(dict(metric)) for metric in self.metrics),
        }
        if self.otherwise is not None:
            values["otherwise"] = read_step(self.otherwise, f"{label}.otherwise")
            if not isinstance(values["otherwise"], Resize):
                raise UserError(f"{label}.otherwise: must be a resize")
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _check_sizes(self, label: str) -> None:
        if self.otherwise is None and self.sizes and (self.generated or self.reference):
            raise UserError(f"{label}: has steps for some sizes, so 'otherwise' must make the rest")
        if self.otherwise is not None and self.otherwise.size not in self.sizes:
            raise UserError(f"{label}.otherwise: must lead to one of the sizes")
        for size in self.sizes:
            for steps in (self.generated, self.reference or ()):
                reached = size
                for step in steps:
                    reached = step.resulting(reached)
                if reached != self.size:
                    raise UserError(
                        f"{label}: the steps bring {show_size(size)} to {show_size(reached)}, "
                        f"not to size {self.size}"
                    )

    def settings(self) -> dict[str, Any]:
        """All of it as plain JSON values, from which :func:`read_protocol` makes it again."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        for key in ("generated", "reference"):
            values[key] = [step_settings(step) for step in values[key]]
        if self.otherwise is not None:
            values["otherwise"] = step_settings(self.otherwise)
        values["file"] = {item.name: getattr(self.file, item.name) for item in fields(self.file)}
        plain: dict[str, Any] = json.loads(json.dumps(values))
        return plain

    @property
    def digest(self) -> str:
        """12 hexadecimal digits of the settings; the words of ``source`` do not count."""
        told = {key: value for key, value in self.settings().items() if key != "source"}
        text = json.dumps(told, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]

    @property
    def title(self) -> str:
        """``gfla-2020 v1 (3c5f... )``: what tells the protocol from every other."""
        return f"{self.name} v{self.version} ({self.digest})"

    @property
    def weights(self) -> tuple[str, ...]:
        """Names of the weights files that the metrics need."""
        return tuple(dict.fromkeys(name for metric in self.metrics for name in weights_of(metric)))

    def prepare_generated(
        self, image: Tensor | Picture, written: str | None = None, fit: str | None = None
    ) -> Prepared:
        """A generated picture as it is measured.

        Args:
            image: ``[3, H, W]`` in [-1, 1]; or uint8 ``[H, W, 3]`` of a file.
            written: the format of that file; a jpg is not made a jpg once more.
            fit: how the picture came to its size, "stretch" or "pad"; None where nobody says.
        """
        picture = to_eight_bits(image, self.rounding) if isinstance(image, Tensor) else image
        if written != "jpg":
            picture = self.file.round_trip(picture)
        return self._prepared(picture, self.generated, fit)

    def prepare_reference(self, image: Tensor | Picture, fit: str | None = None) -> Prepared:
        """A reference picture, ``[3, H, W]`` in [-1, 1] or uint8 ``[H, W, 3]``, as measured."""
        picture = to_eight_bits(image, "round") if isinstance(image, Tensor) else image
        return self._prepared(picture, self.reference or (), fit)

    def move_points(
        self, points: npt.NDArray[np.float64], size: Size, fit: str | None = None
    ) -> npt.NDArray[np.float64]:
        """Points ``[N, 3]`` (x, y, visible) of a reference of ``size`` in the prepared one."""
        for step in (*self._fitting(size, fit), *(self.reference or ())):
            points = step.move(points, size)
            size = step.resulting(size)
        return points

    def _crops(self, size: Size) -> bool:
        """Whether steps cut something off pictures of a size that is expected."""
        if size not in self.sizes:
            return False
        for steps in (self.generated, self.reference or ()):
            reached = size
            for step in steps:
                if isinstance(step, Crop) and step.resulting(reached) != reached:
                    return True
                reached = step.resulting(reached)
        return False

    def _undone(self, size: Size, fit: str | None) -> bool:
        """Whether ``otherwise`` undoes the stretch of pictures of a size, instead of a crop."""
        if fit != STRETCH or self.otherwise is None or not self._crops(size):
            return False
        return not self._crops(self.otherwise.size)

    def _fitting(self, size: Size, fit: str | None) -> tuple[Step, ...]:
        if self.otherwise is None:
            return ()
        expected = not self.sizes or size in self.sizes
        return () if expected and not self._undone(size, fit) else (self.otherwise,)

    def _prepared(self, picture: Picture, steps: tuple[Step, ...], fit: str | None) -> Prepared:
        size = (picture.shape[0], picture.shape[1])
        note = self._note(size, fit)
        for step in (*self._fitting(size, fit), *steps):
            picture = step.apply(picture)
        reached = (picture.shape[0], picture.shape[1])
        if note is None and self.size not in (None, reached):
            note = (
                f"pictures of {show_size(size)} are measured at {show_size(reached)}, not at the "
                f"protocol's {show_size(self.size)}, where its steps do not bring them"
            )
        return Prepared(picture, note)

    def _note(self, size: Size, fit: str | None) -> str | None:
        """What is to be said of pictures that came in a size."""
        shown = show_size(size)
        if self._undone(size, fit):
            return f"pictures that were stretched to {shown} are {self.otherwise}"
        if fit == STRETCH and self._crops(size):
            return f"pictures that were stretched to {shown} are cropped and stay stretched"
        if fit is None and self._crops(size):
            return (
                f"pictures of {shown} are taken as whole ones with margins and cropped: no config "
                "says by picture_fit that they were stretched"
            )
        if not self.sizes or size in self.sizes:
            return None
        wanted = " or ".join(map(show_size, self.sizes))
        if self.otherwise is None:
            return (
                f"the pictures are {shown}, not {wanted}, and measured as they are: the numbers "
                "compare only with others at that size"
            )
        return f"pictures of {shown}, not {wanted}, are {self.otherwise}"


def to_eight_bits(image: Tensor, rounding: str = "round") -> Picture:
    """Picture ``[3, H, W]`` in [-1, 1] to uint8 ``[H, W, 3]``, rounded or cut off, and clamped.

    One that was 8 bits before comes back as it was, also where values are cut off.
    """
    levels = (image.detach().float().cpu() + 1.0) / 2.0 * 255.0
    levels = levels.round() if rounding == "round" else (levels + _FLOAT_ERROR).floor()
    return levels.clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()


def weights_of(metric: Any) -> Iterator[str]:
    """Names of the weights that a metric's config stands for."""
    if isinstance(metric, Mapping):
        for value in metric.values():
            yield from weights_of(value)
    elif isinstance(metric, (list, tuple)):
        for value in metric:
            yield from weights_of(value)
    elif isinstance(metric, str) and metric.startswith(WEIGHTS):
        yield metric.removeprefix(WEIGHTS)


def with_weights(metric: Any, files: Mapping[str, Any]) -> Any:
    """The metric's config with the files in the places of their names (all must be there)."""
    if isinstance(metric, Mapping):
        return {key: with_weights(value, files) for key, value in metric.items()}
    if isinstance(metric, (list, tuple)):
        return [with_weights(value, files) for value in metric]
    if isinstance(metric, str) and metric.startswith(WEIGHTS):
        return files[metric.removeprefix(WEIGHTS)]
    return metric


def _steps(values: Any, label: str) -> tuple[Step, ...]:
    return tuple(read_step(value, f"{label}.{index}") for index, value in enumerate(values))
