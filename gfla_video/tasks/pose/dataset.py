"""Pairs of pictures of one person: DeepFashion, Market-1501, and what is laid out like them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.logging import print_log
from PIL import Image
from torch import Tensor

from gfla_video.datasets import (
    AffineRange,
    IdSplit,
    TransferDataset,
    image_to_tensor,
    read_image,
    read_truth,
    resize_image,
)
from gfla_video.registry import DATASETS, STRUCTURES
from gfla_video.tasks.pose.annotations import (
    AnnotationTable,
    Pair,
    check_size,
    find_table,
    person_id,
    read_annotations,
    read_pairs,
    split_id,
)
from gfla_video.tasks.pose.augment import flip, for_target, move
from gfla_video.tasks.pose.joints import Joints, scale_joints, visible
from gfla_video.tasks.pose.structure import PoseStructure
from gfla_video.utils.errors import UserError

ALL_PAIRS = "all"


class View(NamedTuple):
    """A picture and its joints at the sample's size."""

    image: Image.Image
    joints: Joints


@DATASETS.register_module()
class PosePairDataset(TransferDataset):
    """Samples with one source (R = 1): the same person in the source's and in the target's pose.

    Images are resized to ``size`` with Pillow's bilinear filter whatever their shape; joints are
    scaled from ``annotation_size`` to ``size`` on each axis by itself, as the field does.

    Args:
        data_root: folder of the tables and of ``image_dir``.
        image_dir: folder of the images, ``train`` or ``test``.
        annotation_size: (H, W) of the frame that the joints were marked in; see
            ``read_annotations``.
        size: (H, W) of the samples.
        structure: a ``PoseStructure``, or the dict to build it from.
        annotations: name or pattern of the table of joints; None finds
            ``*-annotation-<image_dir>.csv`` or ``*-annotation.csv``.
        pairs: name or pattern of the table of pairs; ``all`` for every ordered pair of one person's
            images; None finds ``*-pairs-<image_dir>.csv`` or ``*-pairs.csv``.
        affine: range of the random affine (``AffineRange`` or its values), None for none.
        flip_prob: how often both images are mirrored; 0 in the released programs.
        split: ``IdSplit`` or its values, to keep one part of the persons.
        max_pairs: keep at most this many, drawn with ``seed``, in the table's order.
        with_truth: add exact flow and visibility from ``truth_dir``.
        truth_dir: folder of ``<from>_2_<to>.npz``, ``<image_dir>_truth`` where None.
        foreground: ``truth`` or ``joints`` adds both people's pixels, from the truth's file or as
            ``PoseStructure.body_mask``; None adds them only with the truth.
        skip_broken: see ``TransferDataset``.
        seed: see ``TransferDataset``.

    Raises:
        UserError: a table, image or option is wrong; the sentence names it.

    Attributes:
        pairs: what the samples are made of, list of ``Pair``.
        table: the joints, ``AnnotationTable``.
        skipped_pairs: pairs left out because an image of theirs has no joint at all.
    """

    augmentations = ("affine", "flip_prob")

    def __init__(
        self,
        data_root: str | Path,
        image_dir: str,
        annotation_size: tuple[int, int],
        size: tuple[int, int],
        structure: PoseStructure | dict[str, Any],
        annotations: str | None = None,
        pairs: str | None = None,
        affine: AffineRange | Mapping[str, Any] | None = None,
        flip_prob: float = 0.0,
        split: IdSplit | Mapping[str, Any] | None = None,
        max_pairs: int | None = None,
        with_truth: bool = False,
        truth_dir: str | None = None,
        foreground: str | None = None,
        skip_broken: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed, skip_broken=skip_broken)
        self.size = check_size(size, "size")
        self.structure = STRUCTURES.build(structure) if isinstance(structure, dict) else structure
        self.affine = None if affine is None else AffineRange.read(affine)
        self.flip_prob = float(flip_prob)
        self.with_truth = with_truth
        self.foreground = "truth" if foreground is None and with_truth else foreground
        if self.foreground not in (None, "truth", "joints"):
            raise UserError(f"foreground must be 'truth', 'joints' or None, got {foreground!r}")
        if self._needs_truth and (self.affine or self.flip_prob):
            raise UserError(
                "the ground truth does not move with affine or flip_prob; leave them out"
            )
        root = Path(data_root)
        phase = Path(image_dir).name
        self.image_folder = root / image_dir
        self.truth_folder = root / (truth_dir or f"{image_dir}_truth")
        table_path = find_table(root, "annotation", phase, annotations)
        self.table = read_annotations(table_path, annotation_size)
        self.pairs_path = None if pairs == ALL_PAIRS else find_table(root, "pairs", phase, pairs)
        self._whole_folder = (annotations, pairs, split, max_pairs) == (None,) * 4
        self.skipped_pairs = 0
        self.pairs = self._choose(None if split is None else IdSplit.read(split), max_pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def _needs_truth(self) -> bool:
        return self.with_truth or self.foreground == "truth"

    def load(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """Make one sample.

        Returns:
            ``inputs`` (sources [3,H,W], source_structures [18,H,W], target_structure [18,H,W]),
            ``targets`` (image [3,H,W]; flow, visible, foreground, source_foreground, points [18,3]
            where asked for) and ``meta`` (name, source, target).

        Raises:
            UserError: an image or the truth of the pair cannot be read.
        """
        pair = self.pairs[index]
        source, target = self._augment(self._view(pair.source), self._view(pair.target), rng)
        targets = {"image": image_to_tensor(target.image), **self._extras(pair, source, target)}
        return {
            "inputs": {
                "sources": [image_to_tensor(source.image)],
                "source_structures": [self.structure.encode(source.joints, self.size)],
                "target_structure": self.structure.encode(target.joints, self.size),
            },
            "targets": targets,
            "meta": {"name": pair.name, "source": pair.source, "target": pair.target},
        }

    def joints_of(self, name: str) -> Joints:
        """Joints of an image, float64 ``[18, 3]`` (x, y, visible) in pixels of ``size``."""
        return scale_joints(self.table.joints[name], self.table.frame, self.size)

    def picture_files(self) -> list[Path] | None:
        """The pictures of the pairs where ``annotations``, ``pairs``, ``split`` or ``max_pairs``
        chose these; None where all of ``image_folder`` are the data set's own."""
        if self._whole_folder:
            return None
        names = {name for pair in self.pairs for name in (pair.source, pair.target)}
        return [self.image_folder / name for name in sorted(names)]

    def read_picture(self, path: Path) -> Image.Image:
        """A picture at ``size``, RGB, nothing else changed.

        Raises:
            UserError: it cannot be read.
        """
        return resize_image(read_image(path), self.size)

    def _view(self, name: str) -> View:
        return View(self.read_picture(self.image_folder / name), self.joints_of(name))

    def _augment(self, source: View, target: View, rng: np.random.Generator) -> tuple[View, View]:
        if self.flip_prob and rng.random() < self.flip_prob:
            source, target = View(*flip(*source)), View(*flip(*target))
        if self.affine is not None:
            drawn = self.affine.draw(rng)
            source = View(*move(drawn, *source))
            target = View(*move(for_target(drawn), *target))
        return source, target

    def _extras(self, pair: Pair, source: View, target: View) -> dict[str, Tensor]:
        if not self.with_truth and self.foreground is None:
            return {}
        points = np.array(target.joints, dtype=np.float32)
        points[:, 2] = visible(target.joints)
        extras = {"points": torch.from_numpy(points)}
        if self._needs_truth:
            truth = read_truth(self.truth_folder / f"{pair.name}.npz", self.size)
            wanted = ("flow", "visible") if self.with_truth else ()
            extras.update({key: truth[key] for key in wanted})
        if self.foreground == "truth":
            extras.update({key: truth[key] for key in ("foreground", "source_foreground")})
        elif self.foreground == "joints":
            extras["foreground"] = self._body(target)
            extras["source_foreground"] = self._body(source)
        return extras

    def _body(self, view: View) -> Tensor:
        return torch.from_numpy(self.structure.body_mask(view.joints, self.size)).float()[None]

    def _choose(self, split: IdSplit | None, max_pairs: int | None) -> list[Pair]:
        if self.pairs_path is None:
            chosen = all_pairs(self.table)
        else:
            chosen = read_pairs(self.pairs_path)
        if split is not None:
            chosen = [
                pair
                for pair in chosen
                if split.holds(split_id(pair.source)) and split.holds(split_id(pair.target))
            ]
        self._check_images(chosen)
        usable = [pair for pair in chosen if not {pair.source, pair.target} & self.table.empty]
        self.skipped_pairs = len(chosen) - len(usable)
        if self.skipped_pairs:
            print_log(
                f"{self.pairs_path}: {self.skipped_pairs} of {len(chosen)} pairs name an image "
                "without any joint and are skipped",
                logger="current",
            )
        if max_pairs is not None and len(usable) > max_pairs:
            drawn = np.random.default_rng(self.seed).choice(len(usable), max_pairs, replace=False)
            usable = [usable[index] for index in sorted(drawn)]
        if not usable:
            raise UserError(
                f"{self.pairs_path or self.table.path}: no pair is left to make samples of; "
                "look at split and at the tables"
            )
        return usable

    def _check_images(self, pairs: list[Pair]) -> None:
        if not self.image_folder.is_dir():
            raise UserError(f"{self.image_folder}: there is no such folder; correct image_dir")
        there = set(os.listdir(self.image_folder))
        for pair in pairs:
            for name in (pair.source, pair.target):
                if pair.line:
                    place = f"{self.pairs_path} line {pair.line}"
                else:
                    place = f"{self.table.path} line {self.table.lines[name]}"
                if name not in there and not (self.image_folder / name).is_file():
                    raise UserError(
                        f"{place}: image {name} is not in {self.image_folder}; "
                        "add the image or remove the row"
                    )
                if name not in self.table.lines:
                    raise UserError(
                        f"{place}: image {name} has no row in {self.table.path}; "
                        "add its joints or remove the pair"
                    )


def all_pairs(table: AnnotationTable) -> list[Pair]:
    """Every ordered pair of images of one person (``person_id``), in the order of the table."""
    people: dict[str, list[str]] = defaultdict(list)
    for name in table.joints:
        people[person_id(name)].append(name)
    return [Pair(*names) for images in people.values() for names in permutations(images, 2)]
