"""Measure anybody's pictures: files of a folder against reference files of another one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from gfla_video.apis.device import choose_device
from gfla_video.apis.evaluation.data import Broken, BrokenFiles, ReadableSamples, readable_loader
from gfla_video.apis.evaluation.head import SCORE, measured_how, report_head
from gfla_video.apis.evaluation.measures import CONFIG, Measures
from gfla_video.apis.evaluation.protocols import PreparedSample
from gfla_video.apis.evaluation.real import pictures_in, real_pictures
from gfla_video.apis.evaluation.tables import ProtocolTable
from gfla_video.apis.evaluation.weights import MetricWeights
from gfla_video.apis.report.write import SampleKeeper, check_report_folder, write_report
from gfla_video.datasets.images import read_image
from gfla_video.evaluation.protocols import Picture, Protocol, find_protocols
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import ensure_writable_folder, write_json
from gfla_video.utils.progress import progress
from gfla_video.utils.workers import plain_worker_errors

_RESULT = "_vis"  # ends the names of generated pictures
_BETWEEN = ("_2_", "___")  # stands between source and target in them
_LISTED = 20  # names in a results file
_BATCH = 16


@dataclass(frozen=True)
class Matches:
    """Generated pictures and their references.

    Attributes:
        pairs: (generated, reference), in the natural order of the generated files.
        alone: generated pictures without a reference.
        missing: references that no generated picture belongs to.
    """

    pairs: list[tuple[Path, Path]]
    alone: list[Path]
    missing: list[Path]

    def told(self) -> dict[str, Any]:
        """For a results file; of the names the first few."""
        return {
            "pictures": len(self.pairs) + len(self.alone),
            "references": len({path for _, path in self.pairs}) + len(self.missing),
            "matched": len(self.pairs),
            "pictures_without_reference": [path.name for path in self.alone[:_LISTED]],
            "references_without_picture": [path.name for path in self.missing[:_LISTED]],
        }

    def warnings(self) -> list[str]:
        """Sentences for the tables."""
        found = []
        total = len(self.pairs) + len(self.alone)
        if self.alone:
            found.append(
                f"{len(self.alone)} of {total} pictures have no reference and are left out, such "
                f"as {self.alone[0].name}"
            )
        if self.missing:
            found.append(
                f"{len(self.missing)} references have no picture, such as {self.missing[0].name}"
            )
        return found


def measure_images(
    images: str | Path,
    reference: str | Path,
    measures: Measures,
    *,
    out: str | Path | None = None,
    report: str | Path | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    command: str | None = None,
) -> dict[str, Any]:
    """Measure pictures against references by one or more protocols.

    A picture that cannot be read, or that does not have its reference's size once both are
    prepared, is named, counted and left out.

    Args:
        images: folder of generated pictures.
        reference: folder of true ones, see :func:`match_pictures`.
        measures: protocols (at least one), weights and training pictures.
        out: JSON file for the result.
        report: folder for a static HTML report.
        device: where the metrics' networks run; the accelerator where there is one when None.
        batch_size: pictures at once.
        command: the command line, for the result.

    Returns:
        What ``out`` holds: as of :func:`evaluate`, without config and checkpoint, but with
        ``images``, ``reference`` and ``matching``.

    Raises:
        UserError: no protocol, no picture that matches, bad weights, or an unwritable output.
    """
    start = time.monotonic()
    if batch_size is not None and batch_size < 1:
        raise UserError(f"--batch-size: at least 1, not {batch_size}")
    if out is not None:
        ensure_writable_folder(Path(out).parent)
    if report is not None:
        check_report_folder(report)
    torch.manual_seed(measures.seed)
    matches, where = match_pictures(images, reference), choose_device(device)
    tables = [_FileTable(table, matches) for table in _tables(measures, where)]
    keeper = SampleKeeper(score=SCORE) if report else None
    broken = _pass(matches, tables, keeper, batch_size or _BATCH)
    found = {
        **report_head(),
        "images": Path(images).name,
        "reference": Path(reference).name,
        "matching": matches.told(),
        **measured_how(measures.seed, where, start, command),
        "tables": [table.report(broken) for table in tables],
    }
    if out is not None:
        write_json(out, found)
    if report is not None and keeper is not None:
        write_report(report, found, keeper.samples())
    return found


def match_pictures(images: str | Path, reference: str | Path) -> Matches:
    """Find the reference of each generated picture by its name.

    ``<name>_vis`` or ``<name>`` belongs to the reference called ``<name>``; where there is none,
    ``<source>_2_<target>`` (or ``<source>___<target>``) to the one called ``<target>``.

    Raises:
        UserError: a folder is not there or holds no picture, two pictures have one name, or no
            picture has a reference.
    """
    references = _by_stem(pictures_in(reference, "--reference"))
    generated = _by_stem(pictures_in(images, "--images"))
    pairs, alone = [], []
    for stem, path in generated.items():
        found = next((references[key] for key in _keys(stem) if key in references), None)
        if found is None:
            alone.append(path)
        else:
            pairs.append((path, found))
    if not pairs:
        raise UserError(
            f"--images {images}: no picture has a reference in {reference}; {alone[0].name} would "
            f"belong to {' or '.join(_keys(alone[0].stem))}"
        )
    used = {path for _, path in pairs}
    return Matches(pairs, alone, [path for path in references.values() if path not in used])


def _keys(stem: str) -> list[str]:
    """Names that a generated picture's reference may have."""
    name = stem.removesuffix(_RESULT)
    targets = [name.rpartition(mark)[2] for mark in _BETWEEN if mark in name]
    return list(dict.fromkeys([name, *targets, stem]))


def _by_stem(paths: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        if path.stem in found:
            raise UserError(
                f"{path}: {found[path.stem]} has the same name; leave one of the two out"
            )
        found[path.stem] = path
    return found


def _tables(measures: Measures, device: torch.device) -> list[ProtocolTable]:
    names = [name for name in measures.protocols if name != CONFIG]
    if not names or len(names) < len(measures.protocols):
        raise UserError("--images needs --protocol NAME: pictures alone say not how to measure")
    protocols = find_protocols(names)
    every = [metric for protocol in protocols for metric in protocol.metrics]
    weights = MetricWeights(measures.weights, every)
    real = real_pictures(measures.train_images) if measures.train_images is not None else None
    return [ProtocolTable(protocol, weights, device, real) for protocol in protocols]


def _pass(
    matches: Matches,
    tables: Sequence[_FileTable],
    keeper: SampleKeeper | None,
    batch_size: int,
) -> BrokenFiles:
    broken = BrokenFiles()
    samples = ReadableSamples(_PairFiles(matches.pairs))
    loader = readable_loader(samples, batch_size, collate=list)
    with plain_worker_errors():
        for pairs, unreadable in progress(loader, "measuring"):
            for one in unreadable:
                broken.add(one)
            for table in tables:
                table.add(pairs or [])
            for pair in pairs or []:
                if keeper is not None and pair.made.shape == pair.reference.shape:
                    panels = {"result": pair.made, "truth": pair.reference}
                    keeper.add(pair.name, pair.difference(), panels)
    return broken


@dataclass(frozen=True)
class _Pair:
    """Two pictures uint8 ``[H, W, 3]`` of one name, and the format of the generated one's file."""

    index: int
    name: str
    made: Picture
    reference: Picture
    written: str

    def difference(self) -> float:
        """Mean absolute difference in [0, 1]."""
        return float(np.abs(self.made.astype(np.float32) - self.reference).mean()) / 255


class _PairFiles(Dataset[_Pair]):
    def __init__(self, pairs: Sequence[tuple[Path, Path]]) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> _Pair:
        made, reference = self.pairs[index]
        written = "jpg" if made.suffix.lower() in (".jpg", ".jpeg") else "png"
        pictures = [np.asarray(read_image(path)) for path in (made, reference)]
        return _Pair(index, made.name, *pictures, written)  # type: ignore[arg-type]


class _FileTable:
    """A protocol's table of pictures from files."""

    def __init__(self, table: ProtocolTable, matches: Matches) -> None:
        self.table = table
        self.refused = BrokenFiles()
        for sentence in matches.warnings():
            table.table.warn(sentence)

    def add(self, pairs: Sequence[_Pair]) -> None:
        """Take a few pictures; one that is not as large as its reference is noted."""
        protocol = self.table.protocol
        samples = []
        for pair in pairs:
            made = protocol.prepare_generated(pair.made, pair.written)
            reference = protocol.prepare_reference(pair.reference)
            if made.picture.shape != reference.picture.shape:
                why = (
                    f"is {_size(made.picture)} under {protocol.name}, its reference "
                    f"{_size(reference.picture)}"
                )
                self.refused.add(Broken(pair.index, pair.name, why))
                continue
            if pair.written != protocol.file.format:
                self.table.table.warn(_other_format(protocol, pair.written))
            notes = tuple(note for note in (made.note, reference.note) if note)
            generated = {"model": made.picture[None]}
            samples.append(PreparedSample(reference.picture[None], generated, notes=notes))
        self.table.add_samples(samples)

    def report(self, broken: BrokenFiles) -> dict[str, Any]:
        """The table as results files hold it.

        Raises:
            UserError: not one picture could be measured.
        """
        every = broken.merged(self.refused)
        if not self.table.table.count:
            raise UserError(f"no picture could be measured, the first: {every.listed()[0]}")
        return self.table.report(every)


def _other_format(protocol: Protocol, written: str) -> str:
    if written == "png":
        return f"the pictures are no jpg and were made one as {protocol.name} says: {protocol.file}"
    return f"the pictures are jpg, {protocol.name} measures png: what was lost stays in the numbers"


def _size(picture: Picture) -> str:
    return f"{picture.shape[0]}x{picture.shape[1]}"
