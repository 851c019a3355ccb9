"""Where `shapenet.py` puts views: a folder of PNG files per object, or the released HDF5 file.

Neither is ever seen half written. HDF5 files do not survive a process that is killed while it
writes: each object therefore gets a small file of its own in `parts/`, and only at the end these
are put together, into a new file that then takes the old one's place.
"""

import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data_prep.common import atomic_file, fail, progress
from data_prep.meshes.cameras import Camera, view_name

PHASES = ("train", "test")
# What `atomic_file` and `atomic_folder` call an object's truth and points before they are whole.
_UNFINISHED = re.compile(r"\.(?P<name>.+?)(\.old)?\.[a-z0-9_]{8}(\.npz)?")


class ViewError(Exception):
    """A view that cannot be read; its text goes on after the view's name."""


@dataclass
class Layout(ABC):
    """A data set on disk.

    Args:
        out: its root.
        category: car, chair, ...; only the HDF5 layout uses it.
    """

    out: Path
    category: str | None = None

    @property
    def reports(self) -> Path:
        """Folder of the objects' reports."""
        return self.out / "reports"

    @property
    def parts(self) -> Path:
        """Folder of what is not finished."""
        return self.out / "parts"

    @property
    def report(self) -> Path:
        """The report on all objects."""
        return self.out / "report.json"

    @property
    def pairs(self) -> Path:
        """The table of test pairs."""
        return self.out / "pairs-test.csv"

    def truth(self, name: str) -> Path:
        """Folder of the exact flow of a test object's pairs."""
        return self.out / "test_truth" / name

    def points(self, name: str) -> Path:
        """File of the surface points of a training object."""
        return self.out / "train_points" / f"{name}.npz"

    def others(self) -> dict[str, str]:
        """Names that are taken by objects of this data set's other categories, and by which."""
        return {}

    @abstractmethod
    def has(self, name: str, phase: str, cameras: Sequence[Camera]) -> bool:
        """Whether all views of an object are there."""

    @abstractmethod
    def publish(self, begun: Path, name: str, phase: str, cameras: Sequence[Camera]) -> None:
        """Put an object's views, all of them PNG files in the folder `begun`, where they belong."""

    def forget(self, name: str) -> None:
        """Remove an object that is to be made anew."""
        shutil.rmtree(self.truth(name), ignore_errors=True)
        self.points(name).unlink(missing_ok=True)

    def tidy(self, names: Container[str]) -> None:
        """Remove what killed runs of this category left behind.

        Args:
            names: of all its objects.
        """
        shutil.rmtree(self.parts, ignore_errors=True)
        parts = self.out / "parts"
        if parts.is_dir() and not any(parts.iterdir()):
            parts.rmdir()
        for path in list(self._left_behind(names)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _left_behind(self, names: Container[str]) -> Iterator[Path]:
        """Half written files and folders; those of other categories may be in use."""
        for file in (self.out / "cameras.json", self.report, self.pairs, *self._lists()):
            yield from self.out.glob(f".{file.stem}.????????{file.suffix}")
        yield from self.reports.glob(".*")
        for folder in (self.truth(""), self.points("").parent):
            for path in folder.glob(".*"):
                match = _UNFINISHED.fullmatch(path.name)
                if match and match["name"] in names:
                    yield path

    def _lists(self) -> list[Path]:
        """Further files beside the report."""
        return []

    @abstractmethod
    def finish(self, phases: dict[str, str], cameras: Sequence[Camera]) -> None:
        """Make the data set of all objects that are there (name to phase)."""

    @abstractmethod
    def read(self, name: str, phase: str, camera: Camera) -> NDArray[np.uint8]:
        """A view [H,W,3].

        Raises:
            ViewError: it is not there or broken.
        """


class FolderLayout(Layout):
    """`OUT/<phase>/<object>/<azimuth>_<elevation>.png`."""

    def has(self, name: str, phase: str, cameras: Sequence[Camera]) -> bool:
        """See `Layout`."""
        folder = self.out / phase / name
        return all((folder / f"{view_name(camera)}.png").exists() for camera in cameras)

    def publish(self, begun: Path, name: str, phase: str, cameras: Sequence[Camera]) -> None:
        """See `Layout`."""
        place = self.out / phase / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        os.replace(begun, place)

    def forget(self, name: str) -> None:
        """See `Layout`."""
        super().forget(name)
        for phase in PHASES:
            shutil.rmtree(self.out / phase / name, ignore_errors=True)

    def finish(self, phases: dict[str, str], cameras: Sequence[Camera]) -> None:
        """See `Layout`: each folder is complete as it is."""

    def read(self, name: str, phase: str, camera: Camera) -> NDArray[np.uint8]:
        """See `Layout`."""
        try:
            with Image.open(self.out / phase / name / f"{view_name(camera)}.png") as image:
                return np.array(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError) as error:
            raise ViewError(f"cannot be read ({error})") from error


@dataclass
class Hdf5Layout(Layout):
    """`OUT/data_<category>.hdf5` and its lists, as released: groups `<object>_<az>_<el>`."""

    _keys: set[str] | None = field(default=None, repr=False)

    @property
    def reports(self) -> Path:
        """Folder of the objects' reports."""
        return self.out / "reports" / str(self.category)

    @property
    def parts(self) -> Path:
        """Folder of what is not finished."""
        return self.out / "parts" / str(self.category)

    @property
    def report(self) -> Path:
        """The report on all objects."""
        return self.out / f"report-{self.category}.json"

    @property
    def pairs(self) -> Path:
        """The table of test pairs."""
        return self.out / f"pairs-test-{self.category}.csv"

    @property
    def file(self) -> Path:
        """The one file of all views."""
        return self.out / f"data_{self.category}.hdf5"

    def others(self) -> dict[str, str]:
        """See `Layout`: all categories share the folders of truth and points."""
        folders = [path for path in self.reports.parent.glob("*") if path.is_dir()]
        paths = [path for folder in folders for path in folder.glob("*.json")]
        return {path.stem: path.parent.name for path in paths if path.parent != self.reports}

    def _lists(self) -> list[Path]:
        kinds = ("id", "name")
        lists = [self.out / f"{kind}_{self.category}_{p}.txt" for kind in kinds for p in PHASES]
        return [self.file, *lists]

    def has(self, name: str, phase: str, cameras: Sequence[Camera]) -> bool:
        """See `Layout`: the one file may still hold the views of before while new ones are made."""
        if (self.parts / f"{name}.json").exists():
            return False
        if (self.parts / f"{name}.hdf5").exists():
            return True
        return all(group_name(name, camera) in self._stored() for camera in cameras)

    def publish(self, begun: Path, name: str, phase: str, cameras: Sequence[Camera]) -> None:
        """See `Layout`."""
        with atomic_file(self.parts / f"{name}.hdf5") as part, _h5py().File(part, "w") as file:
            for camera in cameras:
                group = file.create_group(group_name(name, camera))
                with Image.open(begun / f"{view_name(camera)}.png") as image:
                    group.create_dataset("image", data=np.array(image), compression="gzip")
                group["pose"] = np.array(_pose(camera))

    def forget(self, name: str) -> None:
        """See `Layout`: the groups in the one file are replaced when the new ones are there."""
        super().forget(name)
        (self.parts / f"{name}.hdf5").unlink(missing_ok=True)

    def finish(self, phases: dict[str, str], cameras: Sequence[Camera]) -> None:
        """See `Layout`."""
        parts = sorted(p for p in self.parts.glob("*.hdf5") if not p.name.startswith("."))
        if parts:
            with atomic_file(self.file) as whole:
                self._put_together(parts, whole)
            self._keys = None
            for part in parts:
                part.unlink()
        for phase in PHASES:
            names = [name for name, own in sorted(phases.items()) if own == phase]
            ids = [group_name(name, camera) for name in names for camera in cameras]
            _write_lines(self.out / f"id_{self.category}_{phase}.txt", ids)
            _write_lines(self.out / f"name_{self.category}_{phase}.txt", names)

    def _put_together(self, parts: list[Path], whole: Path) -> None:
        h5py = _h5py()
        if self.file.exists():
            shutil.copyfile(self.file, whole)
        else:
            whole.unlink()
        with h5py.File(whole, "a") as file:
            for path in progress(parts, "objects put together", len(parts)):
                with h5py.File(path, "r") as part:
                    for key in part:
                        if key in file:
                            del file[key]
                        part.copy(key, file)

    def read(self, name: str, phase: str, camera: Camera) -> NDArray[np.uint8]:
        """See `Layout`."""
        try:
            with _h5py().File(self.file, "r") as file:
                group = file[group_name(name, camera)]
                image, pose = group["image"][()], group["pose"][()].tolist()
        except (OSError, KeyError) as error:
            raise ViewError(f"cannot be read ({error})") from error
        if pose != _pose(camera):
            raise ViewError(f"has the pose {pose}, expected {_pose(camera)}")
        return image

    def _stored(self) -> set[str]:
        if self._keys is None:
            self._keys = set()
            if self.file.exists():
                try:
                    with _h5py().File(self.file, "r") as file:
                        self._keys = set(file)
                except OSError as error:
                    fail(f"{self.file}: cannot be read ({error}), delete it and run this again")
        return self._keys


LAYOUTS = {"folder": FolderLayout, "hdf5": Hdf5Layout}


def group_name(name: str, camera: Camera) -> str:
    """Group of a view in the released file: azimuth in steps of 10 degrees, then elevation."""
    step, elevation = _pose(camera)
    return f"{name}_{step}_{elevation}"


def _pose(camera: Camera) -> list[int]:
    return [round(camera.azimuth / 10), round(camera.elevation)]


def _write_lines(path: Path, lines: list[str]) -> None:
    with atomic_file(path) as part:
        part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        fail(f"h5py cannot be imported ({error}), install it: pip install h5py")
    return h5py
