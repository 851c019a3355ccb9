"""Pairs of views of one object: a source camera, or several, and a target camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from torch import Tensor

from gfla_video.datasets import (
    IdSplit,
    TransferDataset,
    image_to_tensor,
    read_truth,
    resize_image,
)
from gfla_video.registry import DATASETS, STRUCTURES
from gfla_video.tasks.view_synthesis.cameras import Camera, angular_distance
from gfla_video.tasks.view_synthesis.hdf5_views import Hdf5Views
from gfla_video.tasks.view_synthesis.pairs import (
    ViewChoice,
    ViewPair,
    all_pairs,
    drawn_pairs,
    released_pairs,
    table_pairs,
)
from gfla_video.tasks.view_synthesis.points import SurfacePoints
from gfla_video.tasks.view_synthesis.structure import CameraAngles, CameraBins
from gfla_video.tasks.view_synthesis.view_files import (
    FolderViews,
    View,
    ViewStore,
    read_list,
)
from gfla_video.utils.errors import UserError

_LAYOUTS = ("folder", "hdf5")
_NAMED_PAIRS = {"all": all_pairs, "released": released_pairs}
_LIST_SUFFIX = ".txt"


@DATASETS.register_module()
class ViewDataset(TransferDataset):
    """Samples with R source views of an object and one target view.

    The sources come nearest to the target first, so that copying the first one is the best that
    copying can do. Pictures are resized to ``size`` whatever their shape.

    Args:
        data_root: folder of the data set.
        size: (H, W) of the samples.
        structure: ``CameraBins`` or ``CameraAngles``, or the dict to build it from.
        layout: ``folder`` (``FolderViews``) or ``hdf5`` (``Hdf5Views``).
        phase: ``train``, ``test``, ...: the objects' folder; of HDF5 files, the id list.
        category: of HDF5 files, ``car`` in ``data_car.hdf5``.
        ids: list of the groups of an HDF5 file, in ``data_root``; None takes
            ``id_<category>_<phase>.txt``.
        sources: R.
        objects: a name or pattern such as ``chair*``, several of these, or a file ``*.txt`` in
            ``data_root`` with one on each line; None takes all.
        split: ``IdSplit`` or its values, to keep one part of the objects.
        azimuths: of the views that may be targets: numbers, or text such as ``"0:360:20"``
            (``read_angles``); None takes all.
        source_azimuths: of those that may be sources; None takes ``azimuths``.
        elevations: of both; None takes all.
        across_elevations: whether source and target may differ in elevation. They don't in the
            released program.
        pairs: None makes a sample of each source view, its target drawn anew in each pass (and
            the same view now and then, as released); ``all`` every source with every other view;
            ``released`` the released test; else a table ``object,from,to`` in ``data_root``.
        with_truth: add exact flow and visibility; for one source only.
        truth_dir: folder of ``<object>/<from>_2_<to>.npz``, ``<phase>_truth`` where None.
        with_points: add the same surface points of target and sources, from
            ``<phase>_points/<object>.npz`` (``SurfacePoints``).
        max_pairs: keep at most this many, drawn with ``seed``, in their order.
        skip_broken: see ``TransferDataset``.
        seed: see ``TransferDataset``.

    Raises:
        UserError: a folder, file or option is wrong; the sentence names it.

    Attributes:
        store: the views, ``ViewStore``.
        pairs: what the samples are made of, list of ``ViewPair``.
        skipped_pairs: pairs left out because the object has too few views for R sources.
    """

    augmentations = ()

    def __init__(
        self,
        data_root: str | Path,
        size: tuple[int, int],
        structure: CameraBins | CameraAngles | dict[str, Any],
        layout: str = "folder",
        phase: str = "train",
        category: str | None = None,
        ids: str | None = None,
        sources: int = 1,
        objects: str | Sequence[str] | None = None,
        split: IdSplit | Mapping[str, Any] | None = None,
        azimuths: Any = None,
        source_azimuths: Any = None,
        elevations: Any = None,
        across_elevations: bool = False,
        pairs: str | None = None,
        with_truth: bool = False,
        truth_dir: str | None = None,
        with_points: bool = False,
        max_pairs: int | None = None,
        skip_broken: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed, skip_broken=skip_broken)
        self.size = (int(size[0]), int(size[1]))
        self.structure = STRUCTURES.build(structure) if isinstance(structure, dict) else structure
        self.sources = int(sources)
        self.with_truth = with_truth
        if self.sources < 1 or (with_truth and self.sources > 1):
            raise UserError(
                f"sources must be at least 1, and 1 where with_truth is set, got {sources}"
            )
        if max_pairs is not None and max_pairs < 1:
            raise UserError(f"max_pairs must be at least 1, or None for all, got {max_pairs}")
        self.root = Path(data_root)
        self.truth_folder = self.root / (truth_dir or f"{phase}_truth")
        self.points = SurfacePoints(self.root / f"{phase}_points") if with_points else None
        self.store = _open_store(self.root, layout, phase, category, ids)
        self.choice = ViewChoice(azimuths, source_azimuths, elevations, across_elevations)
        self.skipped_pairs = 0
        wanted = _chosen_objects(self.store, self.root, objects)
        if split is not None:
            part = IdSplit.read(split)
            wanted = {name for name in wanted if part.holds(name)}
        self.pairs = self._choose(pairs, wanted, max_pairs)
        self._check_cameras()

    def __len__(self) -> int:
        return len(self.pairs)

    def load(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """Make one sample.

        Returns:
            ``inputs`` (sources R x [3,H,W], source_structures R x [C,1,1], target_structure
            [C,1,1]), ``targets`` (image [3,H,W]; flow [2,H,W], visible, foreground and
            source_foreground [1,H,W] where asked for; points [N,3] and source_points, one or R of
            them) and ``meta`` (name, source, target).

        Raises:
            BrokenImageError: a picture cannot be read.
            UserError: a view or the truth is not there.
        """
        name, first, target = self.pairs[index]
        if target is None:
            target = _draw(self._together(self.pairs[index])[1], 1, rng)[0]
        sources = [first, *_draw(self._others(name, first, target), self.sources - 1, rng)]
        camera = target.camera
        sources.sort(key=lambda view: angular_distance(view.camera, camera))
        pair = f"{first.name}_2_{target.name}"
        targets = {"image": self._image(name, target)}
        if self.with_truth:
            targets.update(read_truth(self.truth_folder / name / f"{pair}.npz", self.size))
        if self.points is not None:
            targets["points"] = self.points.of(name, target.name, self.size)
            seen = [self.points.of(name, view.name, self.size) for view in sources]
            targets["source_points"] = seen if len(seen) > 1 else seen[0]
        encode = self.structure.encode
        return {
            "inputs": {
                "sources": [self._image(name, view) for view in sources],
                "source_structures": [encode(view.camera, self.size) for view in sources],
                "target_structure": encode(camera, self.size),
            },
            "targets": targets,
            "meta": {
                "name": f"{name}_{pair}",
                "source": " ".join(f"{name}/{view.name}" for view in sources),
                "target": f"{name}/{target.name}",
            },
        }

    def _image(self, name: str, view: View) -> Tensor:
        return image_to_tensor(resize_image(self.store.read(name, view), self.size))

    def _together(self, pair: ViewPair) -> tuple[tuple[View, ...], tuple[View, ...]]:
        """Sources and targets that a sample of this pair may have."""
        levels = self.choice.levels(self.store.objects[pair.object])
        return levels[self.choice.level_of(pair.source)]

    def _others(self, name: str, source: View, target: View | None) -> list[View]:
        sources, _ = self._together(ViewPair(name, source, target))
        return [view for view in sources if view not in (source, target)]

    def _choose(self, pairs: str | None, wanted: set[str], max_pairs: int | None) -> list[ViewPair]:
        if pairs is None:
            found = drawn_pairs(self.store, self.choice)
        elif pairs in _NAMED_PAIRS:
            found = _NAMED_PAIRS[pairs](self.store, self.choice)
        else:
            found = table_pairs(self.store, self.choice, self.root / pairs)
        chosen = [pair for pair in found if pair.object in wanted]
        usable = chosen if self.sources == 1 else [p for p in chosen if self._has_sources(p)]
        self.skipped_pairs = len(chosen) - len(usable)
        if self.skipped_pairs:
            print_log(
                f"{self.store.path}: {self.skipped_pairs} of {len(chosen)} samples are left out, "
                f"their objects have too few views for {self.sources} sources beside the target",
                logger="current",
            )
        if not usable:
            raise UserError(
                f"{self.store.path}: no pair of views is left to make samples of "
                f"({len(wanted)} of {len(self.store.objects)} objects chosen); look at objects, "
                "split, azimuths, source_azimuths, elevations, sources and pairs"
            )
        if max_pairs is None or len(usable) <= max_pairs:
            return usable
        rng = np.random.default_rng(self.seed)
        return [usable[place] for place in sorted(rng.choice(len(usable), max_pairs, False))]

    def _check_cameras(self) -> None:
        """Refuse a camera that the structure can't encode now, not after an hour of training."""
        cameras: set[Camera] = set()
        together: dict[int, tuple[View, ...]] = {}
        for pair in self.pairs:
            cameras.update(view.camera for view in pair[1:] if view is not None)
            if pair.target is None or self.sources > 1:
                together.update({id(views): views for views in self._together(pair)})
        cameras.update(view.camera for views in together.values() for view in views)
        for camera in sorted(cameras):
            try:
                self.structure.encode(camera, self.size)
            except UserError as error:
                raise UserError(
                    f"{self.store.path}: {error}, or leave such views out (azimuths and elevations "
                    "of the data)"
                ) from error

    def _has_sources(self, pair: ViewPair) -> bool:
        others = self._others(*pair)
        # A target that is drawn later may take one of them away.
        drawn = pair.target is None and any(view in others for view in self._together(pair)[1])
        return len(others) - drawn >= self.sources - 1


def _draw(views: Sequence[View], count: int, rng: np.random.Generator) -> list[View]:
    return [views[place] for place in rng.choice(len(views), count, replace=False)] if count else []


def _open_store(
    root: Path, layout: str, phase: str, category: str | None, ids: str | None
) -> ViewStore:
    if layout not in _LAYOUTS:
        raise UserError(f"layout must be one of {', '.join(_LAYOUTS)}, got {layout!r}")
    if layout == "hdf5":
        if category is None:
            raise UserError("layout='hdf5' needs category, such as 'car' for data_car.hdf5")
        return Hdf5Views(root, category, phase, ids)
    if category is not None or ids is not None:
        raise UserError("category and ids belong to layout='hdf5'; leave them out or set it")
    return FolderViews(root, phase)


def _chosen_objects(store: ViewStore, root: Path, objects: str | Sequence[str] | None) -> set[str]:
    if objects is None:
        return set(store.objects)
    patterns = [objects] if isinstance(objects, str) else list(objects)
    if len(patterns) == 1 and patterns[0].endswith(_LIST_SUFFIX):
        patterns = read_list(root / patterns[0])
    chosen: set[str] = set()
    for pattern in patterns:
        # A name may hold what a pattern would read as its own signs.
        found = {n for n in store.objects if n == pattern or fnmatchcase(n, pattern)}
        if not found:
            raise UserError(f"{store.path}: holds no object {pattern}; correct the option objects")
        chosen |= found
    return chosen
