"""Market-1501 from a made raw tree to the layout, with pairs made on the way."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.market import person
from data_prep.pose_tables import HEADER, Joints, make_pairs
from gfla_video.tasks.pose.dataset import PosePairDataset
from gfla_video.tasks.pose.structure import PoseStructure

Tool = Callable[..., "subprocess.CompletedProcess[str]"]

PEOPLE = {"train": ("0002", "0007"), "test": ("0001", "0003")}
JUNK = ("0000_c1s1_000151_01.jpg", "-1_c1s1_000401_03.jpg")


def row(name: str, missing: tuple[int, ...] = ()) -> str:
    down, across = (
        [int(v) for v in np.linspace(3, 126, 18)],
        [int(v) for v in np.linspace(5, 60, 18)],
    )
    for joint in missing:
        down[joint] = across[joint] = -1
    return f"{name}: {down}: {across}"


def make_raw(folder: Path, one_table: bool = False) -> Path:
    rows: dict[str, list[str]] = {}
    for phase, people in PEOPLE.items():
        images = folder / f"bounding_box_{phase}"
        images.mkdir(parents=True)
        names = [f"{p}_c{c}s1_00{c}051_01.jpg" for p in people for c in (1, 2, 3)]
        for name in (*names, *JUNK):
            Image.new("RGB", (64, 128), (90, 120, 30)).save(images / name)
        (images / "Thumbs.db").write_bytes(b"x")
        # The third picture of each person has no left hip: no pair may be made with it.
        rows[phase] = [row(name, (11,) if "_c3" in name else ()) for name in names]
        rows[phase] += [row(name) for name in JUNK]
    if one_table:
        text = "\n".join([HEADER, *rows["train"], *rows["test"]])
        (folder / "market-annotation.csv").write_text(text)
    else:
        for phase, lines in rows.items():
            (folder / f"market-annotation-{phase}.csv").write_text("\n".join([HEADER, *lines]))
    return folder


@pytest.mark.parametrize("one_table", [False, True])
def test_from_raw_to_a_readable_data_set(tmp_path: Path, run_tool: Tool, one_table: bool) -> None:
    raw, out = make_raw(tmp_path / "raw", one_table), tmp_path / "out"
    done = run_tool("data_prep/market.py", "--raw", raw, "--out", out)
    assert "complete" in done.stdout
    assert "annotation_size = (128, 64) fits" in done.stdout
    for phase, people in PEOPLE.items():
        names = sorted(path.name for path in (out / phase).iterdir())
        assert len(names) == 6
        assert {name[:4] for name in names} == set(people)
        dataset = PosePairDataset(
            data_root=out,
            image_dir=phase,
            annotation_size=(128, 64),
            size=(128, 64),
            structure=PoseStructure(),
        )
        assert len(dataset.table.lines) == 6
        assert len(dataset) == 4
        assert all(pair.source[:4] == pair.target[:4] for pair in dataset.pairs)
        assert not any("_c3" in pair.name for pair in dataset.pairs)
        assert dataset[0]["targets"]["image"].shape == (3, 128, 64)


def test_a_given_table_of_pairs_is_kept(tmp_path: Path, run_tool: Tool) -> None:
    raw, tables, out = make_raw(tmp_path / "raw"), tmp_path / "tables", tmp_path / "out"
    tables.mkdir()
    text = "from,to\n0001_c1s1_001051_01.jpg,0001_c3s1_003051_01.jpg\n"
    (tables / "market-pairs-test.csv").write_text(text)
    run_tool("data_prep/market.py", "--raw", raw, "--tables", tables, "--out", out)
    assert (out / "market-pairs-test.csv").read_text() == text


def test_how_many_pairs(tmp_path: Path, run_tool: Tool) -> None:
    raw, out = make_raw(tmp_path / "raw"), tmp_path / "out"
    run_tool("data_prep/market.py", "--raw", raw, "--out", out, "--test-pairs", "2")
    assert len((out / "market-pairs-test.csv").read_text().splitlines()) == 3
    assert len((out / "market-pairs-train.csv").read_text().splitlines()) == 5


def test_made_pairs_need_shoulders_and_hips_and_follow_the_seed() -> None:
    full, none = [5] * 18, [-1] * 18
    rows = {f"{n:04d}_c{c}s1.jpg": (list(full), list(full)) for n in (1, 2) for c in range(4)}
    rows["0001_c9s1.jpg"] = (list(full), none)
    table = Joints(Path("made"), rows)
    every = make_pairs(table, rows, person, None, 0)
    assert len(every) == len(set(every)) == 2 * 4 * 3
    assert not any("c9" in name for pair in every for name in pair)
    some = make_pairs(table, rows, person, 6, 0)
    assert len(some) == 6
    assert some == make_pairs(table, rows, person, 6, 0) == [pair for pair in every if pair in some]
    assert some != make_pairs(table, rows, person, 6, 1)


def test_check_counts_rows_of_the_real_tables(
    tmp_path: Path, run_tool: Tool, shared_dir: Path
) -> None:
    source = shared_dir / "data" / "annotations"
    for name in ("market-annotation-train.csv", "market-pairs-test.csv"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    done = run_tool("data_prep/market.py", "--check", tmp_path, check=False)
    assert done.returncode == 1
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.strip()}
    assert rows["train"] == ["0", "12936", "419", "0", "12936"]
    assert rows["test"][3] == "12000"
    assert "x = 63; annotation_size = (128, 64) fits" in done.stdout


def test_a_folder_that_is_no_download(tmp_path: Path, run_tool: Tool) -> None:
    done = run_tool("data_prep/market.py", "--raw", tmp_path, "--out", tmp_path / "o", check=False)
    assert done.returncode == 2
    assert "bounding_box_train: there is no such folder" in done.stderr
    assert "Traceback" not in done.stderr
