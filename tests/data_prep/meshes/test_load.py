"""Reading meshes: colours, textures, transforms, and what is said of meshes that lack something."""

from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from data_prep.meshes.load import MeshError, load

SQUARE = """v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
vt 0 0
vt 1 0
vt 1 1
vt 0 1
"""
FACES = "f 1/1 2/2 3/3\nf 1/1 3/3 4/4\n"


def write_obj(folder: Path, text: str, mtl: str | None = None, name: str = "a.obj") -> Path:
    """An OBJ file, and a material file `a.mtl` beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    if mtl is not None:
        (folder / "a.mtl").write_text(mtl)
    return path


def test_texture_in_the_folder_above_as_shapenet_has_it(tmp_path: Path) -> None:
    pixels = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    (tmp_path / "images").mkdir()
    Image.fromarray(pixels).save(tmp_path / "images" / "t.png")
    mtl = "newmtl m\nKd 1 1 1\nmap_Kd ../images/t.png\n"
    text = f"mtllib a.mtl\n{SQUARE}usemtl m\n{FACES}"
    loaded = load(write_obj(tmp_path / "models", text, mtl))
    (part,) = loaded.model.parts
    assert (part.texture == pixels).all()
    assert part.uv[part.vertices[:, 1] == 1, 1].min() == 1  # v grows upwards
    assert loaded.textured and not loaded.grey and not loaded.notes
    assert part.normals is None  # the file gives none: flat


def test_several_materials_become_several_parts(tmp_path: Path) -> None:
    mtl = "newmtl r\nKd 1 0 0\nnewmtl b\nKd 0 0 1\n"
    one, two = FACES.splitlines()
    text = f"mtllib a.mtl\n{SQUARE}vn 0 0 1\nusemtl r\n{one}\nusemtl b\n{two}\n"
    loaded = load(write_obj(tmp_path, text, mtl))
    assert sorted(part.color for part in loaded.model.parts) == [(0, 0, 1), (1, 0, 0)]
    assert not loaded.textured and not loaded.grey


@pytest.mark.parametrize(
    ("head", "mtl", "missing"),
    [
        ("", None, ""),
        ("mtllib no.mtl\nusemtl m\n", None, "no.mtl"),
        ("mtllib a.mtl\n", "newmtl m\nmap_Kd no.png\n", ""),
    ],
)
def test_no_colour_is_grey_and_said(
    tmp_path: Path, head: str, mtl: str | None, missing: str
) -> None:
    loaded = load(write_obj(tmp_path, head + SQUARE + FACES, mtl))
    assert loaded.grey == 1 and loaded.model.parts[0].color == (0.6, 0.6, 0.6)
    assert "neither colour nor texture" in loaded.notes[-1]
    assert missing in loaded.notes[0]


def test_missing_texture_leaves_the_colour_and_is_said(tmp_path: Path) -> None:
    mtl = "newmtl m\nKd 0 1 0\nmap_Kd no.png\n"
    loaded = load(write_obj(tmp_path, f"mtllib a.mtl\n{SQUARE}usemtl m\n{FACES}", mtl))
    assert loaded.model.parts[0].color == (0, 1, 0) and not loaded.grey
    assert loaded.notes == ["no.png is not there, its parts are drawn without it"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.obj", b""),
        ("a.obj", b"v 0 0 0\nv 1 0 0\n"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n"),
        ("a.obj", b"v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"),
        ("a.glb", b"glTF and then nothing"),
        ("a.ply", b"ply\nformat ascii 1.0\nelement vertex 5\n"),
    ],
)
def test_empty_and_broken_files_are_said_in_one_line(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MeshError) as caught:
        load(tmp_path / name)
    assert str(caught.value).count("\n") == 0
    assert "no triangle" in str(caught.value) or "cannot be read" in str(caught.value)


def test_ply_with_colours_of_vertices_and_of_faces(tmp_path: Path) -> None:
    box = trimesh.creation.box()
    box.visual.vertex_colors = np.tile(np.uint8([255, 0, 51, 255]), (8, 1))
    box.export(tmp_path / "v.ply")
    (part,) = load(tmp_path / "v.ply").model.parts
    np.testing.assert_allclose(part.colors, np.tile([1, 0, 0.2], (8, 1)), atol=1e-6)

    box = trimesh.creation.box()
    colors = np.random.default_rng(0).integers(0, 255, (12, 4), dtype=np.uint8)
    box.visual.face_colors = colors
    box.export(tmp_path / "f.ply")
    loaded = load(tmp_path / "f.ply")
    (part,) = loaded.model.parts
    assert len(part.vertices) == 36 and not loaded.grey
    for i in range(3):
        np.testing.assert_allclose(part.colors[part.faces[:, i]], colors[:, :3] / 255, atol=1e-6)


def test_glb_places_its_nodes_and_its_colours_are_light(tmp_path: Path) -> None:
    box = trimesh.creation.box()
    paint = trimesh.visual.material.PBRMaterial(baseColorFactor=[128, 0, 255, 255])
    box.visual = trimesh.visual.TextureVisuals(material=paint)
    scene = trimesh.Scene()
    scene.add_geometry(box, transform=trimesh.transformations.translation_matrix([5, 0, 0]))
    scene.add_geometry(box, transform=trimesh.transformations.scale_matrix(2))
    (tmp_path / "a.glb").write_bytes(scene.export(file_type="glb"))
    loaded = load(tmp_path / "a.glb")
    boxes = sorted(tuple(np.ptp(part.vertices, axis=0)) for part in loaded.model.parts)
    assert boxes == [(1, 1, 1), (2, 2, 2)]
    assert max(part.vertices[:, 0].max() for part in loaded.model.parts) == 5.5
    assert loaded.up == "y" and loaded.up_known
    # Half the light is 188 of 255 on a screen.
    assert loaded.model.parts[0].color == pytest.approx((188 / 255, 0, 1), abs=0.003)


def test_what_holds_no_triangles_is_said(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    box = trimesh.creation.box()
    box.visual.vertex_colors = [200, 0, 0, 255]
    scene.add_geometry(box)
    scene.add_geometry(trimesh.PointCloud(np.random.default_rng(0).random((5, 3))))
    (tmp_path / "a.glb").write_bytes(scene.export(file_type="glb"))
    loaded = load(tmp_path / "a.glb")
    assert len(loaded.model.parts) == 1
    (note,) = loaded.notes
    assert note.startswith("1 of its 2 parts hold no triangles")


@pytest.mark.parametrize(
    ("shift", "up", "known"),
    [((0, 0, 0.5), "z", True), ((0, 0.5, 0), "y", True), ((0, 0, 0), "y", False)],
)
def test_up_is_where_it_stands_on_the_ground(
    tmp_path: Path, shift: tuple[float, ...], up: str, known: bool
) -> None:
    box = trimesh.creation.box()
    box.apply_translation(shift)
    box.export(tmp_path / "a.ply")
    loaded = load(tmp_path / "a.ply")
    assert (loaded.up, loaded.up_known) == (up, known)
