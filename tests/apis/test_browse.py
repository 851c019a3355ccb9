"""Pictures of a data set: which samples, which panels, and that pixels are the data set's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gfla_video.apis import browse
from gfla_video.apis.browse import browse_dataset
from gfla_video.apis.config import load_config
from gfla_video.registry import DATASETS
from gfla_video.utils.errors import UserError
from gfla_video.visualization import tensor_to_uint8

SMOKE = Path(__file__).resolve().parents[2] / "configs" / "_smoke"
SHOWN = ["source", "source's structure", "structure", "truth"]


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[list[dict[str, Any]]]:
    """The panels of every picture that is written."""
    seen: list[list[dict[str, Any]]] = []
    write = browse.contact_sheet

    def kept(panels: list[dict[str, Any]], *arguments: Any) -> Path:
        seen.append(panels)
        return write(panels, *arguments)

    monkeypatch.setattr(browse, "contact_sheet", kept)
    return seen


def on(data: Path, **more: Any) -> dict[str, Any]:
    roots = {f"{part}_dataloader.dataset.data_root": str(data) for part in ("train", "test")}
    return {**roots, **more}


def test_stills_with_both_structures(sample_data: Path, tmp_path: Path, rows: Any) -> None:
    written = browse_dataset(SMOKE / "pose.py", tmp_path, count=3, cfg_options=on(sample_data))
    assert len(written) == 3 and all(path.is_file() for path in written)
    assert written[0].name == "000000_person00001v0_2_person00001v1.png"
    settings = load_config(SMOKE / "pose.py", on(sample_data)).train_dataloader.dataset
    dataset = DATASETS.build(settings)
    numbers = [int(path.name[:6]) for path in written]
    assert numbers == [0, round((len(dataset) - 1) / 2), len(dataset) - 1]
    for number, (panels,) in zip(numbers, rows, strict=True):
        assert list(panels) == SHOWN
        sample = dataset[number]
        np.testing.assert_array_equal(panels["truth"], tensor_to_uint8(sample["targets"]["image"]))
        source = tensor_to_uint8(sample["inputs"]["sources"][0])
        np.testing.assert_array_equal(panels["source"], source)
        assert (panels["structure"] != panels["source's structure"]).any()
        assert panels["structure"].any()


def test_a_clip_is_a_row_per_frame(face_samples: Path, tmp_path: Path, rows: Any) -> None:
    settings = {"part": "test", "count": 1, "frames": 3, "cfg_options": on(face_samples)}
    (path,) = browse_dataset(SMOKE / "face.py", tmp_path, **settings)
    (frames,) = rows
    assert [list(row) for row in frames] == [SHOWN] * 3
    assert (frames[0]["source"] == frames[2]["source"]).all()
    assert (frames[0]["truth"] != frames[2]["truth"]).any()
    assert (frames[0]["structure"] != frames[2]["structure"]).any()
    assert Image.open(path).height > 3 * 64


def test_codes_are_drawn_too(view_samples: Path, tmp_path: Path, rows: Any) -> None:
    options = on(view_samples)
    browse_dataset(SMOKE / "view_synthesis.py", tmp_path, samples=[2], cfg_options=options)
    ((panels,),) = rows
    assert list(panels) == SHOWN


def test_augmentation_is_that_of_the_epoch(sample_data: Path, tmp_path: Path, rows: Any) -> None:
    turned = {"train_dataloader.dataset.affine": {"angle": 40, "shift": 8, "scale": (0.7, 1.3)}}
    options = on(sample_data, **turned)
    for epoch in (0, 0, 1):
        browse_dataset(SMOKE / "pose.py", tmp_path, samples=[1], epoch=epoch, cfg_options=options)
    first, again, later = (panels["source"] for (panels,) in rows)
    assert (first == again).all() and (first != later).any()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"samples": [4, 99999]}, r"--samples \[99999\]: the train data hold \d+ samples, from 0"),
        ({"count": 0}, "--count, --frames: must be at least 1"),
        ({"epoch": -1}, "--epoch -1: must be 0 or more"),
    ],
)
def test_what_is_not_there(
    settings: dict[str, Any], said: str, sample_data: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        browse_dataset(SMOKE / "pose.py", tmp_path, **settings, cfg_options=on(sample_data))


def test_the_command(run_tool: Any, sample_data: Path, tmp_path: Path) -> None:
    root = f"test_dataloader.dataset.data_root={sample_data}"
    chosen = ("--part", "test", "--samples", "1", "--out", tmp_path, "--cfg-options", root)
    done = run_tool("tools/browse_dataset.py", SMOKE / "pose.py", *chosen)
    (picture,) = tmp_path.glob("000001_*.png")
    assert done.stdout == f"wrote {picture}\n"
