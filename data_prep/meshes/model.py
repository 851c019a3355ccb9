"""A textured object: triangles with a colour or a texture each, in a normalised frame."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
GREY = (0.6, 0.6, 0.6)  # of parts without a colour of their own


@dataclass(frozen=True)
class Part:
    """Triangles of one material, matt on both sides.

    Args:
        vertices: float32 [V,3].
        faces: int32 [F,3], rows of `vertices`.
        color: (r, g, b) from 0 to 1 as a screen shows it (sRGB); unused where there is a texture
            or `colors`.
        uv: texture coordinates [V,2] as in OBJ files: (0, 0) is the texture's lower left corner;
            beyond 0 to 1 the texture repeats.
        texture: uint8 [h,w,3], sRGB, first row on top.
        normals: [V,3] for smooth shading; None shades flat.
        colors: [V,3] from 0 to 1, a colour for each vertex; unused where there is a texture.

    Raises:
        ValueError: the arrays do not fit together.
    """

    vertices: Floats
    faces: NDArray[np.int32]
    color: tuple[float, float, float] = GREY
    uv: Floats | None = None
    texture: NDArray[np.uint8] | None = None
    normals: Floats | None = None
    colors: Floats | None = None

    def __post_init__(self) -> None:
        count = len(self.vertices)
        if self.vertices.shape != (count, 3) or self.faces.shape != (len(self.faces), 3):
            shapes = f"{self.vertices.shape} and {self.faces.shape}"
            raise ValueError(f"vertices and faces are {shapes}, expected [V,3] and [F,3]")
        if self.faces.size and not 0 <= self.faces.min() <= self.faces.max() < count:
            raise ValueError(f"faces name vertices that are not among the {count} there are")
        if not np.isfinite(self.vertices).all():
            raise ValueError("vertices are not all finite numbers")
        for name, width in (("uv", 2), ("normals", 3), ("colors", 3)):
            array = getattr(self, name)
            if array is not None and array.shape != (count, width):
                raise ValueError(f"{name} is {array.shape}, expected ({count}, {width})")
        if self.texture is not None:
            if self.uv is None:
                raise ValueError("a texture needs uv")
            if self.texture.ndim != 3 or self.texture.shape[2] != 3:
                raise ValueError(f"texture is {self.texture.shape}, expected [h,w,3]")


@dataclass(frozen=True)
class Model:
    """An object: its parts, in one frame."""

    parts: list[Part]

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest corner [3] of the box around all triangles.

        Raises:
            ValueError: there is no triangle.
        """
        used = [part.vertices[np.unique(part.faces)] for part in self.parts if part.faces.size]
        if not used:
            raise ValueError("has no triangle")
        points = np.concatenate(used).astype(np.float64)
        return points.min(0), points.max(0)

    def turned(self, up: Literal["y", "z"] = "y", front: float = 0.0) -> "Model":
        """The object with y up and its front towards +z.

        Args:
            up: the axis that points up now; z: (x, y, z) becomes (x, z, -y).
            front: azimuth in degrees at which its front is seen once y is up (0 = from +z).
        """
        turn = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float) if up == "z" else np.eye(3)
        cos, sin = np.cos(np.radians(front)), np.sin(np.radians(front))
        turn = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]]) @ turn
        return Model([_moved(part, turn, np.zeros(3), 1.0) for part in self.parts])

    def normalized(self) -> "Model":
        """The object with its box centred at the origin and the box's diagonal 1 long.

        Raises:
            ValueError: there is no triangle, or all lies in one point.
        """
        low, high = self.bounds()
        diagonal = float(np.linalg.norm(high - low))
        if not diagonal > 1e-12:
            raise ValueError("has no extent, all its triangles are one point")
        centre = (low + high) / 2
        return Model([_moved(part, np.eye(3), centre, 1 / diagonal) for part in self.parts])


def _moved(part: Part, turn: NDArray, centre: NDArray, scale: float) -> Part:
    vertices = (part.vertices.astype(np.float64) - centre) * scale @ turn.T
    normals = part.normals
    if normals is not None:
        normals = (normals.astype(np.float64) @ turn.T).astype(np.float32)
    return replace(part, vertices=vertices.astype(np.float32), normals=normals)
