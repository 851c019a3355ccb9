"""The field's tables: real ones, both spellings, and every way of being wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from gfla_video.tasks.pose.annotations import (
    Pair,
    find_table,
    person_id,
    read_annotations,
    read_pairs,
    split_id,
)
from gfla_video.utils.errors import UserError

HEADER = "name:keypoints_y:keypoints_x"


def row(name: str, y: list[object], x: list[object]) -> str:
    return f"{name}: {y}: {x}".replace("'", '"')


def table(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    ("file", "frame", "rows", "empty"),
    [
        ("annotations/fasion-annotation-test.csv", (256, 256), 4038, 619),
        ("annotations/market-annotation-train.csv", (128, 64), 12936, 419),
        ("deepfashion/fashion-annotation.csv", (256, 256), 291, 0),
        ("market/market-annotation.csv", (128, 64), 282, 0),
    ],
)
def test_real_tables(
    shared_dir: Path, file: str, frame: tuple[int, int], rows: int, empty: int
) -> None:
    found = read_annotations(shared_dir / "data" / file, frame)
    assert len(found.lines) == rows
    assert found.skipped == empty
    assert len(found.joints) == rows - empty


def test_real_pairs(shared_dir: Path) -> None:
    folder = shared_dir / "data" / "annotations"
    fashion = read_pairs(folder / "fashion-pairs-test.csv")
    assert len(fashion) == 8570
    assert len(read_pairs(folder / "market-pairs-test.csv")) == 12000
    assert fashion[0].line == 2
    assert all(person_id(pair.source) == person_id(pair.target) for pair in fashion)


def test_the_crop_frame_does_not_fit_the_full_table(shared_dir: Path) -> None:
    path = shared_dir / "data" / "annotations" / "fasion-annotation-test.csv"
    with pytest.raises(
        UserError, match=r"line \d+: x of the .* outside annotation_size \(256, 176\)"
    ):
        read_annotations(path, (256, 176))


def test_missing_in_either_coordinate_is_missing(tmp_path: Path) -> None:
    y, x = [5] * 18, [6] * 18
    y[3], x[4] = -1, -1
    found = read_annotations(table(tmp_path / "a.csv", row("p.png", y, x)), (64, 64))
    joints = found.joints["p.png"]
    assert joints.shape == (18, 3)
    assert joints[0].tolist() == [6, 5, 1]
    assert joints[3].tolist() == joints[4].tolist() == [-1, -1, 0]


def test_rows_without_joints_are_counted(tmp_path: Path) -> None:
    y, x = [5] * 9 + [-1] * 9, [-1] * 9 + [5] * 9  # never both
    path = table(tmp_path / "a.csv", row("a.png", y, x), "", row("b.png", [1] * 18, [2] * 18))
    found = read_annotations(path, (64, 64))
    assert found.skipped == 1
    assert found.empty == {"a.png"}
    assert found.lines == {"a.png": 2, "b.png": 4}


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    path = table(
        tmp_path / "a.csv", row("a.png", [1] * 18, [2] * 18), header="name:keypoints_x:keypoints_y"
    )
    assert read_annotations(path, (64, 64)).joints["a.png"][0].tolist() == [1, 2, 1]


GOOD = [3] * 18


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        ([], "name:keypoints_y", r"line 1: has no column 'keypoints_x'"),
        (
            [row("a.png", GOOD, GOOD[:17])],
            HEADER,
            r"line 2: keypoints_x has 17 joints, expected 18",
        ),
        (
            [row("a.png", GOOD[:17], GOOD)],
            HEADER,
            r"line 2: keypoints_y has 17 joints, expected 18",
        ),
        (["a.png: [1, 2"], HEADER, r"line 2: has 2 columns"),
        (["a.png: [1, 2: [3]"], HEADER, r"line 2: keypoints_y is not a JSON list"),
        ([row("a.png", [*GOOD[:17], "x"], GOOD)], HEADER, r"line 2: keypoints_y of the left ear"),
        ([row("a.png", GOOD, [-2, *GOOD[1:]])], HEADER, r"line 2: keypoints_x of the nose is -2"),
        (
            [row("a.png", GOOD, GOOD), row("b.png", GOOD, [3, 64, *GOOD[2:]])],
            HEADER,
            r"line 3: x of the neck is 64, outside annotation_size \(128, 64\)",
        ),
        (
            [row("a.png", [*GOOD[:16], 128, 3], GOOD)],
            HEADER,
            r"line 2: y of the right ear is 128, outside",
        ),
        ([row("a.png", GOOD, GOOD)] * 2, HEADER, r"line 3: a.png was in line 2 already"),
    ],
)
def test_bad_rows(tmp_path: Path, rows: list[str], header: str, message: str) -> None:
    path = table(tmp_path / "bad.csv", *rows, header=header)
    with pytest.raises(UserError, match=message) as caught:
        read_annotations(path, (128, 64))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("frame", [None, 256, (256,), (0, 64), (256.0, 176)])
def test_a_frame_must_be_given(tmp_path: Path, frame: object) -> None:
    path = table(tmp_path / "a.csv", row("a.png", GOOD, GOOD))
    with pytest.raises(UserError, match=r"annotation_size must be \(height, width\)"):
        read_annotations(path, frame)


def test_bad_pairs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="line 1: has no column 'to'"):
        read_pairs(table(tmp_path / "a.csv", "a.png,b.png", header="from,target"))
    with pytest.raises(UserError, match="line 3: expected two image names"):
        read_pairs(table(tmp_path / "b.csv", "a.png,b.png", "a.png", header="from,to"))
    with pytest.raises(UserError, match="cannot be read"):
        read_pairs(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(UserError, match="not a text file"):
        read_pairs(tmp_path / "binary.csv")


@pytest.mark.parametrize("stem", ["fashion", "fasion", "market", "mine"])
def test_find_table_by_phase(tmp_path: Path, stem: str) -> None:
    for phase in ("train", "test"):
        (tmp_path / f"{stem}-annotation-{phase}.csv").touch()
    (tmp_path / f"{stem}-pairs.csv").touch()
    assert find_table(tmp_path, "annotation", "test").name == f"{stem}-annotation-test.csv"
    assert find_table(tmp_path, "pairs", "test").name == f"{stem}-pairs.csv"


def test_find_table_by_name_pattern_and_other_spelling(tmp_path: Path) -> None:
    path = tmp_path / "fasion-pairs-test.csv"
    path.touch()
    assert find_table(tmp_path, "pairs", "test", "fashion-pairs-test.csv") == path
    assert find_table(tmp_path, "pairs", "test", "fas*-pairs-*.csv") == path
    assert find_table(tmp_path, "pairs", "test", str(path)) == path
    elsewhere = tmp_path / "sub" / "fashion-pairs-train.csv"
    elsewhere.parent.mkdir()
    elsewhere.touch()
    assert find_table(tmp_path, "pairs", "test", "sub/fasion-pairs-train.csv") == elsewhere


def test_find_table_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such data folder"):
        find_table(tmp_path / "none", "pairs", "train")
    with pytest.raises(UserError, match=r"no pairs file \(\*-pairs-train.csv or \*-pairs.csv\)"):
        find_table(tmp_path, "pairs", "train")
    for name in ("a-pairs-train.csv", "b-pairs-train.csv"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=r"several files fit .* \(a-pairs-train.csv, b-pairs-"):
        find_table(tmp_path, "pairs", "train")


def test_ids() -> None:
    fashion = "fashionMENJackets_Vestsid0000065304_1front.png"
    assert person_id(fashion) == "fashionMENJackets_Vestsid0000065304"
    assert split_id(fashion) == "fashionMENJackets_Vestsid00000653"
    assert person_id("0432_c5s1_105323_05.jpg") == split_id("0432_c5s1_105323_05.jpg") == "0432"
    assert person_id("-1_c5s1_105323_05.jpg") == "-1"
    assert person_id("anna.png") == "anna"


def test_a_pair_has_a_name() -> None:
    assert Pair("a_1.png", "b.x.jpg").name == "a_1_2_b.x"
