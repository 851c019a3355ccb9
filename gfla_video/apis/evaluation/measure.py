"""Measure anybody's pictures: files of a folder against reference files of another one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
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
from gfla_video.apis.evaluation.outputs import check_outputs
from gfla_video.apis.evaluation.protocols import PreparedSample
from gfla_video.apis.evaluation.real import pictures_in, real_pictures
from gfla_video.apis.evaluation.tables import ProtocolTable
from gfla_video.apis.evaluation.weights import MetricWeights
from gfla_video.apis.report import SampleKeeper, write_report
from gfla_video.datasets.images import read_image
from gfla_video.evaluation.protocols import Picture, Protocol, find_protocols
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import write_json
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
        images: folder of the generated pictures.
        reference: folder of the references.
        pairs: (generated, reference), in the natural order of the generated files.
        alone: generated pictures without a reference, paths in their folder.
        missing: references that no generated picture belongs to, paths in their folder.
    """

    images: Path
    reference: Path
    pairs: list[tuple[Path, Path]]
    alone: list[str]
    missing: list[str]

    def told(self) -> dict[str, Any]:
        """For a results file; of the names the first few."""
        return {
            "pictures": len(self.pairs) + len(self.alone),
            "references": len({path for _, path in self.pairs}) + len(self.missing),
            "matched": len(self.pairs),
            "pictures_without_reference": self.alone[:_LISTED],
            "references_without_picture": self.missing[:_LISTED],
        }

    def warnings(self) -> list[str]:
        """Sentences for the tables."""
        found = []
        total = len(self.pairs) + len(self.alone)
        if self.alone:
            found.append(
                f"{len(self.alone)} of {total} pictures have no reference and are left out, such "
                f"as {self.alone[0]}"
            )
        if self.missing:
            found.append(
                f"{len(self.missing)} references have no picture, such as {self.missing[0]}"
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
        UserError: no protocol, no picture that matches or can be measured, bad weights, or an
            unwritable output.
    """
    start = time.monotonic()
    if batch_size is not None and batch_size < 1:
        raise UserError(f"--batch-size: at least 1, not {batch_size}")
    check_outputs(out=out, report=report)
    torch.manual_seed(measures.seed)
    matches, where = match_pictures(images, reference), choose_device(device)
    tables = [_FileTable(table, matches) for table in _tables(measures, where)]
    keeper = SampleKeeper(score=SCORE) if report else None
    broken = _pass(matches, tables, keeper, batch_size or _BATCH)
    if not any(table.table.table.count for table in tables):
        first = broken.merged(tables[0].refused).listed()[0]
        raise UserError(f"no picture could be measured, the first: {first}")
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
    ``<source>_2_<target>`` (or ``<source>___<target>``) to the one called ``<target>``. Where both
    folders have sub-folders, such as one per clip, a reference lies in the sub-folder of the same
    name; where none does, and otherwise, sub-folders say nothing.

    Raises:
        UserError: a folder is not there or holds no picture, two pictures have one name, or no
            picture has a reference.
    """
    roots = Path(images), Path(reference)
    made, true = pictures_in(images, "--images"), pictures_in(reference, "--reference")
    nested = all(
        any(path.parent != root for path in paths)
        for root, paths in zip(roots, (made, true), strict=True)
    )
    for by_folder in (True, False) if nested else (False,):
        generated = _by_name(made, roots[0] if by_folder else None, _RESULT)
        references = _by_name(true, roots[1] if by_folder else None)
        pairs, alone = _paired(generated, references)
        if pairs:
            break
    else:
        first = _keys(next(iter(generated)))
        raise UserError(
            f"--images {images}: no picture has a reference in {reference}; "
            f"{_inside(alone[0], roots[0])} would belong to {' or '.join(first)}"
        )
    used = {path for _, path in pairs}
    missing = [path for path in references.values() if path not in used]
    return Matches(
        *(*roots, pairs),
        alone=[_inside(path, roots[0]) for path in alone],
        missing=[_inside(path, roots[1]) for path in missing],
    )


def _paired(
    generated: Mapping[str, Path], references: Mapping[str, Path]
) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """Each generated picture with its reference, and those that have none."""
    pairs, alone = [], []
    for name, path in generated.items():
        found = next((references[key] for key in _keys(name) if key in references), None)
        if found is None:
            alone.append(path)
        else:
            pairs.append((path, found))
    return pairs, alone


def _keys(name: str) -> list[str]:
    """Names that a generated picture's reference may have, in the same sub-folder."""
    folder, slash, stem = name.rpartition("/")
    plain = stem.removesuffix(_RESULT)
    targets = [plain.rpartition(mark)[2] for mark in _BETWEEN if mark in plain]
    return [f"{folder}{slash}{key}" for key in dict.fromkeys([plain, *targets, stem])]


def _by_name(paths: Sequence[Path], root: Path | None, end: str = "") -> dict[str, Path]:
    """By the name without its suffix, and with the sub-folders of ``root`` where one is given.

    Two with one name are refused; ``end`` makes no difference between names.
    """
    found: dict[str, Path] = {}
    plain: dict[str, Path] = {}
    for path in paths:
        name = path.stem if root is None else _inside(path.with_suffix(""), root)
        other = plain.setdefault(name.removesuffix(end), path)
        if other is not path:
            raise UserError(f"{path}: {other} has the same name; leave one of the two out")
        found[name] = path
    return found


def _inside(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


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
    samples = ReadableSamples(_PairFiles(matches))
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
    def __init__(self, matches: Matches) -> None:
        self.images, self.pairs = matches.images, matches.pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> _Pair:
        made, reference = self.pairs[index]
        written = "jpg" if made.suffix.lower() in (".jpg", ".jpeg") else "png"
        pictures = [np.asarray(read_image(path)) for path in (made, reference)]
        name = _inside(made, self.images)
        return _Pair(index, name, *pictures, written)  # type: ignore[arg-type]


class _FileTable:
    """A protocol's table of pictures from files."""

    def __init__(self, table: ProtocolTable, matches: Matches) -> None:
        self.table = table
        self.refused = BrokenFiles()
        self.other_format: Counter[str] = Counter()
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
                self.other_format[pair.written] += 1
            notes = dict.fromkeys(note for note in (made.note, reference.note) if note)
            generated = {"model": made.picture[None]}
            samples.append(PreparedSample(reference.picture[None], generated, notes=tuple(notes)))
        self.table.add_samples(samples)

    def report(self, broken: BrokenFiles) -> dict[str, Any]:
        """The table as results files hold it."""
        table = self.table.table
        for written, count in self.other_format.items():
            which = "the" if count == table.count else f"{count} of {table.count}"
            table.warn(f"{which} pictures are {_other_format(self.table.protocol, written)}")
        if not table.count:
            table.warn("not one picture could be measured")
        return self.table.report(broken.merged(self.refused))


def _other_format(protocol: Protocol, written: str) -> str:
    if written == "png":
        return f"no jpg and were made one as {protocol.name} says: {protocol.file}"
    return f"jpg, {protocol.name} measures png: what was lost stays in the numbers"


def _size(picture: Picture) -> str:
    return f"{picture.shape[0]}x{picture.shape[1]}"
