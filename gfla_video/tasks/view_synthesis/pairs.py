"""Which view of an object is made from which: filters, tables of pairs, the released test."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gfla_video.tasks.view_synthesis.cameras import (
    SAME_ANGLE,
    Camera,
    azimuth_difference,
    read_angles,
    view_name,
)
from gfla_video.tasks.view_synthesis.view_files import View, ViewStore
from gfla_video.utils.errors import UserError

COLUMNS = ("object", "from", "to")
_RELEASED_AZIMUTHS = tuple(range(0, 360, 20))


class ViewPair(NamedTuple):
    """What a sample is made of.

    Attributes:
        object: name of the object.
        source: the view that is given.
        target: the view that is asked for; None where it is drawn anew each time.
    """

    object: str
    source: View
    target: View | None


class Level(NamedTuple):
    """The views of one object that a sample may combine: all of one elevation, or all."""

    sources: tuple[View, ...]
    targets: tuple[View, ...]


class ViewChoice:
    """Which views may be sources and targets.

    Args:
        azimuths: of the targets (``read_angles``); None takes all.
        source_azimuths: of the sources; None takes ``azimuths``.
        elevations: of both; None takes all.
        across_elevations: whether source and target may differ in elevation.

    Raises:
        UserError: an option is no list of angles.
    """

    def __init__(
        self,
        azimuths: Any = None,
        source_azimuths: Any = None,
        elevations: Any = None,
        across_elevations: bool = False,
    ) -> None:
        self.azimuths = _angles(azimuths, "azimuths")
        self.source_azimuths = _angles(source_azimuths, "source_azimuths")
        if source_azimuths is None:
            self.source_azimuths = self.azimuths
        self.elevations = _angles(elevations, "elevations")
        self.across_elevations = bool(across_elevations)
        self._known: dict[tuple[View, ...], dict[float | None, Level]] = {}

    def levels(self, views: tuple[View, ...]) -> dict[float | None, Level]:
        """The views of an object by what ``level_of`` says, without those that are left out."""
        known = self._known.get(views)
        if known is None:
            found: dict[float | None, list[View]] = defaultdict(list)
            for view in views:
                found[self.level_of(view)].append(view)
            known = {
                level: Level(
                    tuple(view for view in together if self.may_be_source(view)),
                    tuple(view for view in together if self.may_be_target(view)),
                )
                for level, together in found.items()
            }
            self._known[views] = known
        return known

    def level_of(self, view: View) -> float | None:
        """Views with the same value may be combined."""
        return None if self.across_elevations else round(view.camera.elevation, 2)

    def may_be_source(self, view: View) -> bool:
        """Whether a view may be given."""
        return self._fits(view.camera, self.source_azimuths)

    def may_be_target(self, view: View) -> bool:
        """Whether a view may be asked for."""
        return self._fits(view.camera, self.azimuths)

    def _fits(self, camera: Camera, azimuths: tuple[float, ...] | None) -> bool:
        return (
            azimuths is None
            or any(azimuth_difference(camera.azimuth, known) < SAME_ANGLE for known in azimuths)
        ) and (
            self.elevations is None
            or any(abs(camera.elevation - known) < SAME_ANGLE for known in self.elevations)
        )


def drawn_pairs(store: ViewStore, choice: ViewChoice) -> Iterator[ViewPair]:
    """Every source view once; its target is drawn when it is loaded, as released."""
    for name, views in store.objects.items():
        for level in choice.levels(views).values():
            if level.targets:
                yield from (ViewPair(name, source, None) for source in level.sources)


def all_pairs(store: ViewStore, choice: ViewChoice) -> Iterator[ViewPair]:
    """Every source view with every other view that may be its target."""
    for name, views in store.objects.items():
        for level in choice.levels(views).values():
            for source in level.sources:
                for target in level.targets:
                    if target != source:
                        yield ViewPair(name, source, target)


def released_pairs(store: ViewStore, choice: ViewChoice) -> Iterator[ViewPair]:
    """The released test: elevation 0, 18 targets per object, one source azimuth (FACTS 1.7).

    Object number i of ``store.tested`` has its source at azimuth 20 (i mod 18), which is one of
    the targets too.

    Raises:
        UserError: an object lacks a view.
    """
    for number, name in enumerate(store.tested):
        views = {view_name(view.camera): view for view in store.objects[name]}
        asked = []
        for azimuth in _RELEASED_AZIMUTHS:
            wanted = view_name(Camera(azimuth, 0))
            if wanted not in views:
                raise UserError(
                    f"{store.path}: {name} has no view {wanted}, which the released test needs; "
                    "add it or choose other pairs"
                )
            asked.append(views[wanted])
        source = asked[number % len(asked)]
        pairs = (ViewPair(name, source, target) for target in asked)
        yield from _allowed(pairs, choice)


def table_pairs(store: ViewStore, choice: ViewChoice, path: Path) -> Iterator[ViewPair]:
    """The rows of ``pairs-<phase>.csv``, header ``object,from,to``, as far as they are chosen.

    Raises:
        UserError: the table cannot be read, or a row names what is not there.
    """
    views: dict[str, dict[str, View]] = {}
    for number, (name, source, target) in _rows(path):
        if name not in store.objects:
            raise UserError(f"{path} line {number}: there is no object {name} in {store.path}")
        if name not in views:
            views[name] = {view.name: view for view in store.objects[name]}
        for view in (source, target):
            if view not in views[name]:
                raise UserError(
                    f"{path} line {number}: {name} has no view {view} in {store.path}; "
                    "add it or remove the row"
                )
        pair = ViewPair(name, views[name][source], views[name][target])
        yield from _allowed(iter([pair]), choice)


def _allowed(pairs: Iterator[ViewPair], choice: ViewChoice) -> Iterator[ViewPair]:
    for pair in pairs:
        assert pair.target is not None
        if choice.may_be_source(pair.source) and choice.may_be_target(pair.target):
            yield pair


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.reader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise UserError(f"{path}: cannot be read ({reason}); correct the option pairs") from error
    header = [cell.strip() for cell in rows[0]] if rows else []
    for column in COLUMNS:
        if column not in header:
            raise UserError(
                f"{path}: has no column '{column}', the first line must be {','.join(COLUMNS)}"
            )
    places = [header.index(column) for column in COLUMNS]
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        cells = [row[place].strip() if place < len(row) else "" for place in places]
        if not all(cells):
            raise UserError(f"{path} line {number}: expected an object and two views")
        yield number, cells


def _angles(value: Any, label: str) -> tuple[float, ...] | None:
    return None if value is None else read_angles(value, label)
