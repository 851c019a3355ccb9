"""Reading meshes of others: OBJ with MTL, GLB, PLY; what they lack is said."""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data_prep.common import fail
from data_prep.meshes.model import Model, Part
from data_prep.meshes.render import linear, screen

SUFFIXES = (".obj", ".glb", ".gltf", ".ply")
MOST_TEXELS = 1024  # a side; larger textures would only flicker in pictures of an object
_ON_GROUND = 0.01  # of the diagonal: how near to 0 an object's lowest point is that stands on it

# A loader has many ways to fail at a broken file; ImportError: a compression it does not know.
_BROKEN = (ArithmeticError, AssertionError, AttributeError, EOFError, ImportError, LookupError)
_BROKEN += (OSError, RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error)


class MeshError(Exception):
    """A mesh that nothing can be drawn of; its text goes on after the file's name."""


@dataclass(frozen=True)
class Loaded:
    """A mesh as it was read.

    model: not turned, not scaled; up: the axis that points up, y where `up_known` is False; grey:
    how many parts have neither colour nor texture; notes: what is odd, in sentences.
    """

    model: Model
    up: Literal["y", "z"]
    up_known: bool
    grey: int
    notes: list[str]

    @property
    def textured(self) -> bool:
        """Whether any part has a texture."""
        return any(part.texture is not None for part in self.model.parts)


def load(path: Path) -> Loaded:
    """Read a mesh with its colours and textures.

    Transparency is left out: glass becomes opaque. Up is y in GLB, as its standard says; else y or
    z where the object stands on 0 along that axis alone.

    Raises:
        MeshError: it cannot be read or holds no triangle.
    """
    resolver = _resolver(path)
    try:
        scene = _trimesh().load_scene(path, process=False, resolver=resolver)
        parts, grey, empty = _parts(scene, path.suffix.lower() in (".glb", ".gltf"))
    except _BROKEN as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise MeshError(f"cannot be read ({why})") from error
    model = Model(parts)
    try:
        low, high = model.bounds()
    except ValueError as error:
        raise MeshError(f"{error}") from error
    missing = dict.fromkeys(resolver.missing)
    notes = [f"{name} is not there, its parts are drawn without it" for name in missing]
    if empty:
        notes.append(
            f"{empty} of its {empty + len(parts)} parts hold no triangles (points or lines, or "
            "nothing) and are left out"
        )
    if grey:
        which = "it has" if grey == len(parts) else f"{grey} of its {len(parts)} parts have"
        notes.append(f"{which} neither colour nor texture, drawn grey")
    up = "y" if path.suffix.lower() in (".glb", ".gltf") else _stands_along(low, high)
    return Loaded(model, up or "y", up is not None, grey, notes)


def _trimesh() -> Any:
    try:
        import trimesh
    except ImportError as error:
        fail(f"trimesh cannot be imported ({error}), install it: pip install mitsuba trimesh")
    return trimesh


def _resolver(path: Path) -> Any:
    """Finds what a mesh file names, in other folders too, and remembers what it did not find."""
    base = _trimesh().resolvers.FilePathResolver

    class Resolver(base):
        missing: list[str] = []

        def get(self, name: str) -> bytes:
            try:
                return super().get(name)
            except OSError:
                self.missing.append(name)
                raise

    resolver = Resolver(str(path), allow_anywhere=True)  # ShapeNetCore: ../images/texture0.jpg
    resolver.missing = []
    return resolver


def _stands_along(low: NDArray, high: NDArray) -> Literal["y", "z"] | None:
    """The one axis of y and z along which a box's lowest corner is at 0."""
    on_ground = np.abs(low) < _ON_GROUND * np.linalg.norm(high - low)
    if on_ground[1] == on_ground[2]:
        return None
    return "y" if on_ground[1] else "z"


def _parts(scene: Any, is_linear: bool) -> tuple[list[Part], int, int]:
    """The triangles of a scene; how many parts have no colour; how many have no triangles.

    Args:
        scene: of trimesh.
        is_linear: whether its colours are light, as glTF has them, or a screen's values.
    """
    parts, grey, empty = [], 0, 0
    for node in scene.graph.nodes_geometry:
        pose, name = scene.graph[node]
        mesh = scene.geometry[name]
        if not isinstance(mesh, _trimesh().Trimesh) or not len(mesh.faces):
            empty += 1
            continue
        looks = _looks(mesh, is_linear)
        grey += not looks
        points = mesh.vertices @ pose[:3, :3].T + pose[:3, 3]
        normals = _normals(mesh)
        if normals is not None:
            normals = _finite_or_none(normals @ np.linalg.inv(pose[:3, :3]))
        face_colors = looks.pop("face_colors", None)
        faces = np.asarray(mesh.faces)
        if face_colors is not None:  # every triangle gets corners of its own
            points, faces = points[faces].reshape(-1, 3), np.arange(faces.size).reshape(-1, 3)
            normals, looks["colors"] = None, np.repeat(face_colors, 3, axis=0)
        vertices = points.astype(np.float32)
        parts.append(Part(vertices, faces.astype(np.int32), normals=normals, **looks))
    return parts, grey, empty


def _normals(mesh: Any) -> NDArray | None:
    """The normals [V,3] that the file gives; trimesh would make some up where it gives none."""
    if "vertex_normals" not in mesh._cache:
        return None
    return np.asarray(mesh.vertex_normals)


def _finite_or_none(normals: NDArray) -> NDArray | None:
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or lengths.min() < 1e-9:
        return None
    return (normals / lengths).astype(np.float32)


def _looks(mesh: Any, is_linear: bool) -> dict[str, Any]:
    """What of a Part says its colour: nothing where the mesh says nothing."""
    visual = mesh.visual
    to_screen = screen if is_linear else np.asarray
    if visual.kind in ("vertex", "face"):
        name = "colors" if visual.kind == "vertex" else "face_colors"
        every = visual.vertex_colors if visual.kind == "vertex" else visual.face_colors
        return {name: to_screen(every[:, :3] / 255).astype(np.float32)}
    material = getattr(visual, "material", None)
    if material is None:
        return {}
    return _material_looks(material, visual.uv, to_screen)


def _material_looks(material: Any, uv: NDArray | None, to_screen: Any) -> dict[str, Any]:
    if hasattr(material, "baseColorFactor"):
        factor = material.baseColorFactor
        image = material.baseColorTexture
    else:
        image = material.image
        # Without a material of this name trimesh puts a tiny picture and a colour of its own.
        named = "kd" in material.kwargs
        factor = material.diffuse if named else None
        image = image if named or max(getattr(image, "size", (0, 0))) > 2 else None
    light = np.ones(3) if factor is None else np.asarray(factor[:3]) / 255
    if image is None or uv is None or not len(uv):
        return {} if factor is None else {"color": tuple(float(v) for v in to_screen(light))}
    texture = _texels(image)
    if to_screen is screen and (light < 1).any():
        shown = screen(linear(texture[..., :3] / 255) * light)
        texture[..., :3] = np.rint(shown * 255).astype(np.uint8)
    return {"uv": np.nan_to_num(uv).astype(np.float32), "texture": texture}


def _texels(image: Any) -> NDArray[np.uint8]:
    """A picture of Pillow as uint8 [h,w,3], no larger than `MOST_TEXELS`."""
    image = image.convert("RGB")
    image.thumbnail((MOST_TEXELS, MOST_TEXELS))
    return np.array(image)
