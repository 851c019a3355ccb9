"""Pictures and geometry of an object, by Mitsuba 3 on the CPU.

The object is lit by an even sky and one lamp that stands still in the OBJECT's world, and is matt:
a surface point looks the same from every camera, so that flow between views means something.
"""

import functools
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep.common import fail
from data_prep.meshes.cameras import Camera, Lens
from data_prep.meshes.model import Model, Part

SKY = 0.5  # radiance of the even light; with the lamp's less than white, so that white is seen
LAMP = 0.42  # what the lamp adds at most, as a part of white
TO_LAMP = (0.55, 0.75, 0.4)
SKY_RAYS = 4  # to the sky, per sample


@dataclass(frozen=True)
class View:
    """A picture: image uint8 [H,W,3], RGB."""

    image: NDArray[np.uint8]


@dataclass(frozen=True)
class Geometry:
    """What each pixel's centre sees.

    points: float64 [H,W,3], in the world, 0 where nothing is hit; normals: float64 [H,W,3], the
    triangle's, towards the camera; hit: bool [H,W].
    """

    points: NDArray[np.float64]
    normals: NDArray[np.float64]
    hit: NDArray[np.bool_]


@functools.cache
def mitsuba() -> ModuleType:
    """Mitsuba in the variant that needs nothing but its wheel."""
    try:
        import mitsuba as mi
    except ImportError as error:
        fail(f"mitsuba cannot be imported ({error}), install it: pip install mitsuba trimesh")
    mi.set_variant("scalar_rgb")
    return mi


def set_threads(count: int) -> None:
    """Let this process render with so many threads (several processes: 1 each)."""
    mitsuba()
    import drjit

    drjit.set_thread_count(count - 1)  # the calling thread renders as well


class Scene:
    """An object before cameras that share a lens.

    Args:
        model: normalised (`Model.normalized`), y up.
        lens: of all cameras.
        background: (r, g, b) from 0 to 255, as it will stand in the pictures.
        samples: per pixel, a square number.

    Raises:
        ValueError: the model has no triangle, or `samples` is no square number.
    """

    def __init__(
        self,
        model: Model,
        lens: Lens,
        background: tuple[int, int, int] = (255, 255, 255),
        samples: int = 16,
    ) -> None:
        if round(samples**0.5) ** 2 != samples or samples < 1:
            raise ValueError(f"samples is {samples}, expected a square number such as 4, 9 or 16")
        self.lens, self.background, self.samples = lens, background, samples
        mi = mitsuba()
        parts = [part for part in model.parts if part.faces.size]
        if not parts:
            raise ValueError("has no triangle")
        # One scene per light: drawing one of several lights at random is noisy. The even sky shades
        # nothing by its angle, and rays around a smoothed normal would strike their own surface.
        flat = {f"part{i}": _shape(part, smooth=False) for i, part in enumerate(parts)}
        smooth = {f"part{i}": _shape(part, smooth=True) for i, part in enumerate(parts)}
        self._sky = mi.load_dict({"type": "scene", **flat, "sky": _sky()})
        self._lamp = mi.load_dict({"type": "scene", **smooth, "lamp": _lamp()})

    def render(self, camera: Camera) -> View:
        """The picture that a camera takes; the same again for the same arguments."""
        sensor = self._sensor(camera, self.samples)
        sky = _rendered(self._sky, sensor, _direct(bsdf_samples=SKY_RAYS))
        lamp = _rendered(self._lamp, sensor, _direct(emitter_samples=1))
        behind = linear(np.array(self.background) / 255) * (1 - sky[..., 3:])
        shown = screen(sky[..., :3] + lamp[..., :3] + behind)
        return View(np.rint(shown * 255).astype(np.uint8))

    def geometry(self, camera: Camera) -> Geometry:
        """What the rays through the pixels' centres hit."""
        integrator = {"type": "aov", "aovs": "point:position,normal:geo_normal"}
        found = _rendered(self._sky, self._sensor(camera, 1, jitter=False), integrator)
        points, normals = found[..., :3].astype(np.float64), found[..., 3:].astype(np.float64)
        hit = (normals != 0).any(axis=-1)
        to_camera = self.lens.position(camera) - points
        away = (normals * to_camera).sum(axis=-1, keepdims=True) < 0
        return Geometry(points, np.where(away, -normals, normals), hit)

    def reached(self, points: NDArray[np.float64], camera: Camera) -> NDArray[np.bool_]:
        """Whether nothing stands between each of the points [N,3] and a camera: bool [N]."""
        mi = mitsuba()
        rays = self.lens.position(camera) - points
        lengths = np.linalg.norm(rays, axis=1)
        rays = rays / lengths[:, None]
        every = zip(points.tolist(), rays.tolist(), lengths.tolist(), strict=True)
        blocked = [
            self._sky.ray_test(mi.Ray3f(start, ray, length, 0.0, []))
            for start, ray, length in every
        ]
        return ~np.array(blocked, bool)

    def _sensor(self, camera: Camera, samples: int, jitter: bool = True) -> Any:
        mi = mitsuba()
        pose = np.eye(4)
        pose[:3, :3] = camera.axes().T * [-1.0, 1.0, -1.0]  # Mitsuba: left, up, forward
        pose[:3, 3] = self.lens.position(camera)
        height, width = self.lens.size
        film = {"type": "hdrfilm", "height": height, "width": width, "pixel_format": "rgba"}
        film |= {"component_format": "float32", "rfilter": {"type": "box"}}
        return mi.load_dict(
            {
                "type": "perspective",
                "fov": self.lens.fov,
                "fov_axis": "y",
                "to_world": mi.ScalarTransform4f(pose),
                "film": film,
                "sampler": {"type": "stratified", "sample_count": samples, "jitter": jitter},
            }
        )


def _sky() -> dict[str, Any]:
    return {"type": "constant", "radiance": {"type": "rgb", "value": SKY}}


def _lamp() -> dict[str, Any]:
    light = {"type": "rgb", "value": LAMP * float(np.pi)}
    return {"type": "directional", "direction": [-v for v in TO_LAMP], "irradiance": light}


def _direct(bsdf_samples: int = 0, emitter_samples: int = 0) -> dict[str, Any]:
    """Light that comes straight from the lights, the sky itself unseen."""
    counts = {"bsdf_samples": bsdf_samples, "emitter_samples": emitter_samples}
    return {"type": "direct", "hide_emitters": True, **counts}


def _rendered(scene: Any, sensor: Any, integrator: dict[str, Any]) -> NDArray[np.float32]:
    """The channels [H,W,C] that an integrator finds."""
    mi = mitsuba()
    return np.array(mi.render(scene, sensor=sensor, integrator=mi.load_dict(integrator), seed=0))


def _shape(part: Part, smooth: bool) -> Any:
    """A part as Mitsuba's mesh, shaded by its normals if it has any and is to be smooth."""
    mi = mitsuba()
    props = mi.Properties()
    props["material"] = mi.load_dict(_material(part))
    smooth, textured = smooth and part.normals is not None, part.texture is not None
    props["face_normals"] = not smooth
    counts = (len(part.vertices), len(part.faces))
    mesh = mi.Mesh(
        "part", *counts, has_vertex_normals=smooth, has_vertex_texcoords=textured, props=props
    )
    arrays = mi.traverse(mesh)
    arrays["vertex_positions"] = part.vertices.astype(np.float32).ravel()
    arrays["faces"] = part.faces.astype(np.uint32).ravel()
    if smooth:
        arrays["vertex_normals"] = part.normals.astype(np.float32).ravel()
    if textured:
        down = part.uv * np.float32([1, -1]) + np.float32([0, 1])  # its v grows downwards
        arrays["vertex_texcoords"] = down.astype(np.float32).ravel()
    arrays.update()
    if part.colors is not None and not textured:
        mesh.add_attribute("vertex_color", 3, linear(np.clip(part.colors, 0, 1)).ravel())
    return mesh


def _material(part: Part) -> dict[str, Any]:
    """Matt on both sides."""
    mi = mitsuba()
    if part.texture is None and part.colors is not None:
        paint: dict[str, Any] = {"type": "mesh_attribute", "name": "vertex_color"}
    elif part.texture is None:
        light = [float(v) for v in linear(np.clip(np.array(part.color), 0, 1))]
        paint = {"type": "rgb", "value": light}
    else:
        image = mi.Bitmap(np.ascontiguousarray(part.texture))
        paint = {"type": "bitmap", "bitmap": image}
    return {"type": "twosided", "matt": {"type": "diffuse", "reflectance": paint}}


def linear(shown: NDArray) -> NDArray:
    """Light of a screen's values (sRGB), both from 0 to 1."""
    return np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)


def screen(light: NDArray) -> NDArray:
    """A screen's values (sRGB) of light, both from 0 to 1."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
