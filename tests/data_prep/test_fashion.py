"""DeepFashion from a made raw tree to the layout, and what the check says."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.fashion import flat_name, person
from data_prep.pose_tables import HEADER
from gfla_video.tasks.pose.dataset import PosePairDataset
from gfla_video.tasks.pose.structure import PoseStructure

Tool = Callable[..., "subprocess.CompletedProcess[str]"]

RAW = {
    "train": [
        "WOMEN/Dresses/id_00000002/02_1_front.jpg",
        "WOMEN/Dresses/id_00000002/02_4_full.jpg",
    ],
    "test": [
        "MEN/Jackets_Vests/id_00006530/04_1_front.jpg",
        "MEN/Jackets_Vests/id_00006530/04_3_back.jpg",
    ],
}


def joints(low: int, high: int) -> list[int]:
    return [int(value) for value in np.linspace(low, high, 18)]


def make_raw(folder: Path, top: int = 170, pairs: bool = True) -> Path:
    rng = np.random.default_rng(0)
    for phase, files in RAW.items():
        names = [str(flat_name(file)) for file in files]
        for file in files:
            path = folder / "img_highres" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (110, 75, 3), dtype=np.uint8)).save(path)
        rows = [f"{name}: {joints(5, 250)}: {joints(10, top)}" for name in names]
        (folder / f"fasion-annotation-{phase}.csv").write_text("\n".join([HEADER, *rows]) + "\n")
        (folder / f"{phase}.lst").write_text("\n".join(names) + "\n")
        if pairs:
            text = f"from,to\n{names[0]},{names[1]}\n"
            (folder / f"fashion-pairs-{phase}.csv").write_text(text)
    return folder


def test_names_follow_the_fields_rule() -> None:
    assert flat_name(RAW["train"][0]) == "fashionWOMENDressesid0000000202_1front.jpg"
    assert flat_name("x/y/" + RAW["test"][1]) == "fashionMENJackets_Vestsid0000653004_3back.jpg"
    assert flat_name("fashionWOMENDressesid0000000202_1front.jpg") is None
    assert flat_name("WOMEN/Dresses/other/02_1_front.jpg") is None
    assert person("fashionMENJackets_Vestsid0000653004_3back.jpg").endswith("id0000653004")


def test_from_raw_to_a_readable_data_set(tmp_path: Path, run_tool: Tool) -> None:
    raw, out = make_raw(tmp_path / "raw"), tmp_path / "out"
    done = run_tool("data_prep/fashion.py", "--raw", raw, "--out", out, "--size", "256x256")
    assert "complete" in done.stdout
    assert "annotation_size = (256, 176) fits" in done.stdout
    assert "train images" in done.stderr
    for phase, size in (("train", (256, 256)), ("test", (256, 256))):
        dataset = PosePairDataset(
            data_root=out,
            image_dir=phase,
            annotation_size=(256, 176),
            size=size,
            structure=PoseStructure(),
        )
        assert dataset[0]["inputs"]["sources"][0].shape == (3, 256, 256)
        with Image.open(out / phase / dataset.pairs[0].source) as image:
            assert (image.size, image.format) == ((256, 256), "JPEG")
    assert not list(out.rglob(".*"))


def test_a_second_run_keeps_what_is_the_same(tmp_path: Path, run_tool: Tool) -> None:
    raw, out = make_raw(tmp_path / "raw"), tmp_path / "out"
    arguments = ("data_prep/fashion.py", "--raw", raw, "--out", out)
    run_tool(*arguments)
    first, second = sorted((out / "train").iterdir())
    assert first.read_bytes() == (raw / "img_highres" / RAW["train"][0]).read_bytes()
    kept = first.stat().st_ino
    second.write_bytes(b"half")
    run_tool(*arguments)
    assert first.stat().st_ino == kept
    assert second.read_bytes() == (raw / "img_highres" / RAW["train"][1]).read_bytes()


def test_pairs_are_made_where_there_are_none(tmp_path: Path, run_tool: Tool) -> None:
    raw, out = make_raw(tmp_path / "raw", top=255, pairs=False), tmp_path / "out"
    done = run_tool("data_prep/fashion.py", "--raw", raw, "--out", out)
    assert "annotation_size = (256, 256) fits" in done.stdout
    lines = (out / "fashion-pairs-test.csv").read_text().splitlines()
    assert lines[0] == "from,to"
    assert len(lines) == 3
    assert lines[1].split(",") == lines[2].split(",")[::-1]


def test_check_names_what_is_missing(tmp_path: Path, run_tool: Tool) -> None:
    raw, out = make_raw(tmp_path / "raw"), tmp_path / "out"
    (raw / "img_highres" / RAW["test"][0]).unlink()
    done = run_tool("data_prep/fashion.py", "--raw", raw, "--out", out, check=False)
    assert done.returncode == 1
    assert "test: 1 of 2 images are not in" in done.stdout
    (out / "fashion-pairs-train.csv").unlink()
    done = run_tool("data_prep/fashion.py", "--check", out, check=False)
    assert done.returncode == 1
    assert "fashionMENJackets_Vestsid0000653004_1front.jpg" in done.stdout
    assert "*-pairs-train.csv" in done.stdout
    assert "something is missing" in done.stdout
    assert not (out / "test" / "fashionMENJackets_Vestsid0000653004_1front.jpg").exists()


def test_check_counts_rows_of_the_real_tables(
    tmp_path: Path, run_tool: Tool, shared_dir: Path
) -> None:
    source = shared_dir / "data" / "annotations"
    for name in ("fasion-annotation-test.csv", "fashion-pairs-test.csv"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    done = run_tool("data_prep/fashion.py", "--check", tmp_path, check=False)
    assert done.returncode == 1
    row = next(line for line in done.stdout.splitlines() if line.startswith("test "))
    assert row.split() == ["test", "0", "4038", "619", "8570", "4038"]
    assert "y = 255, x = 245; annotation_size = (256, 256) fits" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--raw", "nowhere", "--out", "x"), "nowhere: there is no such folder"),
        (("--check", "nowhere"), "nowhere: there is no such folder"),
        (("--raw", "tests", "--out", "x"), "tests: has no image like img_highres/"),
        ((), "pass --raw and --out, or --check DIR"),
    ],
)
def test_bad_input(run_tool: Tool, arguments: tuple[str, ...], message: str) -> None:
    done = run_tool("data_prep/fashion.py", *arguments, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_row_is_named(tmp_path: Path, run_tool: Tool) -> None:
    raw = make_raw(tmp_path / "raw")
    path = raw / "fasion-annotation-train.csv"
    path.write_text(path.read_text() + f"x.jpg: {[1] * 17}: {[1] * 17}\n")
    done = run_tool("data_prep/fashion.py", "--raw", raw, "--out", tmp_path / "out", check=False)
    assert done.returncode == 2
    assert "fasion-annotation-train.csv line 4: expected 18 joints" in done.stderr
