"""Views of objects on disk; those of the layout ``<phase>/<object>/<azimuth>_<elevation>.png``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

from PIL import Image

from gfla_video.datasets import read_image
from gfla_video.tasks.view_synthesis.cameras import Camera, parse_view, read_cameras
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import natural_order

CAMERAS_FILE = "cameras.json"
_IMAGES = (".png", ".jpg", ".jpeg")


class View(NamedTuple):
    """One picture of an object; objects with the same cameras share their views.

    Attributes:
        name: what tables call it, the stem of its file: ``020_10``.
        camera: where it was seen from.
        file: its file in the object's folder, or the end of its group's name.
    """

    name: str
    camera: Camera
    file: str


class ViewStore(Protocol):
    """Views of many objects.

    Attributes:
        path: the folder or file that holds them.
        objects: the views of each object by its name.
        tested: the objects that the released test goes through, in its order.
    """

    path: Path
    objects: dict[str, tuple[View, ...]]
    tested: tuple[str, ...]

    def read(self, name: str, view: View) -> Image.Image:
        """One view of the object ``name`` as 8-bit RGB, on white where it is transparent.

        Raises:
            BrokenImageError: it is there but cannot be read.
            UserError: it is not there.
        """


class FolderViews:
    """A folder per object; see ``ViewStore``.

    Pictures are named by their cameras, ``<azimuth>_<elevation>.png`` in degrees, unless the
    object's folder has a ``cameras.json`` (``read_cameras``) that says which picture has which
    camera; pictures that it does not name are left alone.

    Args:
        root: folder of the data set.
        phase: folder of the objects in it.

    Raises:
        UserError: a folder is missing or empty, or a picture has no camera.
    """

    def __init__(self, root: Path | str, phase: str) -> None:
        self.path = Path(root) / phase
        if not self.path.is_dir():
            raise UserError(f"{self.path}: there is no such folder; correct data_root or phase")
        with os.scandir(self.path) as entries:
            folders = [e.name for e in entries if e.is_dir() and not e.name.startswith(".")]
        shared: dict[View, View] = {}
        self.objects = {
            name: tuple(shared.setdefault(view, view) for view in _views_of(self.path / name))
            for name in sorted(folders)
        }
        self.tested = tuple(self.objects)
        if not self.objects:
            raise UserError(
                f"{self.path}: holds no object, expected <object>/<azimuth>_<elevation>.png"
            )

    def read(self, name: str, view: View) -> Image.Image:
        """See ``ViewStore``."""
        return read_image(self.path / name / view.file)


def read_list(path: Path) -> list[str]:
    """The lines of a list, without empty ones.

    Raises:
        UserError: it cannot be read or is empty.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise UserError(f"{path}: cannot be read ({reason}); correct the path") from error
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise UserError(f"{path}: the list is empty; correct the path")
    return found


def _views_of(folder: Path) -> Iterable[View]:
    names = sorted(
        (n for n in os.listdir(folder) if n.lower().endswith(_IMAGES) and n[0] != "."),
        key=natural_order,
    )
    table = folder / CAMERAS_FILE
    cameras = read_cameras(table) if table.is_file() else _named_cameras(folder, names)
    if not cameras:
        raise UserError(f"{folder}: holds no picture (.png or .jpg); add pictures or remove it")
    lost = sorted(set(cameras).difference(names))
    if lost:
        raise UserError(f"{table}: names {lost[0]}, which is not in its folder; correct the table")
    views = {Path(name).stem: View(Path(name).stem, cameras[name], name) for name in cameras}
    if len(views) < len(cameras):
        twice = [name for name in cameras if views[Path(name).stem].file != name]
        raise UserError(
            f"{folder / twice[0]}: {views[Path(twice[0]).stem].file} has the same name; remove one"
        )
    return views.values()


def _named_cameras(folder: Path, names: list[str]) -> dict[str, Camera]:
    cameras = {}
    for name in names:
        camera = parse_view(Path(name).stem)
        if camera is None:
            raise UserError(
                f"{folder / name}: the name says no camera, expected <azimuth>_<elevation>.png "
                f"such as 020_10.png; rename it or write a {CAMERAS_FILE} beside it"
            )
        cameras[name] = camera
    return cameras
