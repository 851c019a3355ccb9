"""Small meshes for the tests of `shapenet.py`."""

from pathlib import Path

import numpy as np
import trimesh
from PIL import Image


def write_box(path: Path, color: tuple[int, int, int] | None = (200, 40, 40)) -> None:
    """A box as PLY, of one colour or of none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    box = trimesh.creation.box(extents=(1, 0.6, 1.6))
    if color is not None:
        box.visual.vertex_colors = np.tile(np.uint8([*color, 255]), (8, 1))
    box.export(path)


def write_shapenet(root: Path, model: str) -> None:
    """A textured square as `<model>/models/model_normalized.obj`, as ShapeNetCore has it."""
    folder = root / model / "models"
    folder.mkdir(parents=True)
    (root / model / "images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(root / model / "images" / "t.png")
    (folder / "model_normalized.mtl").write_text("newmtl m\nKd 1 1 1\nmap_Kd ../images/t.png\n")
    (folder / "model_normalized.obj").write_text(
        "mtllib model_normalized.mtl\nv -1 -1 0\nv 1 -1 0\nv 1 1 0\nv -1 1 0.2\n"
        "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nusemtl m\nf 1/1 2/2 3/3\nf 1/1 3/3 4/4\n"
    )
