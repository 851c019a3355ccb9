"""The page of models: what stands together, what does not, and that the page is up to date."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gfla_video.apis.model_zoo import model_zoo, write_model_zoo
from gfla_video.utils.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
PROTOCOL = {"name": "market-128x64", "version": 2, "digest": "ab12cd34ef56"}


def results(folder: Path, name: str, l1: float, count: int = 6, **more: Any) -> Path:
    """A results file of one model, under a protocol and by its config's own metrics."""
    rows = {"model": {"l1": l1}, "copy_source": {"l1": 0.5}}
    table = {
        "protocol": None,
        "count": count,
        "references": "r1",
        "weights": {},
        "results": rows,
        "warnings": [],
        "test_metrics": [{"type": "L1"}],
    }
    under = {**table, "protocol": PROTOCOL, "results": {"model": {"ssim_51": l1 / 2}}}
    head = {
        "format": "gfla_video results",
        "version": 1,
        "task": "pose",
        "config": f"{name}.py",
        "checkpoint": "model.pth",
        "checkpoint_sha256": "0123456789abcdef" * 4,
        "iterations": 500,
        "train_seconds": 100.4,
        "size": [96, 64],
        "seed": 3,
        "command": f"tools/test.py {name}.py model.pth",
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps({**head, "tables": [table, under], **more}))
    return path


def test_models_that_were_measured_alike_share_a_table(tmp_path: Path) -> None:
    files = {name: results(tmp_path, name, l1) for name, l1 in (("one", 0.25), ("two", 0.125))}
    lines = model_zoo(files).splitlines()
    titles = [line for line in lines if line.startswith("## ")]
    assert titles == [
        "## pose at 96 x 64: the config's own metrics, 6 held-out samples",
        "## pose: market-128x64 v2 (ab12cd34ef56), 6 held-out samples",
        "## Where they come from",
    ]
    first = lines.index(titles[0])
    assert lines[first + 2 : first + 7] == [
        *("|  | l1 |", "| --- | --- |"),
        *("| one | 0.2500 |", "| two | 0.1250 |", "| copy_source | 0.5000 |"),
    ]
    assert (
        "| one | `one.py` | `model.pth` 0123456789ab | 500 | 100 s | "
        "`tools/test.py one.py model.pth` |"
    ) in lines


@pytest.mark.parametrize("other", [{"count": 5}, {"size": [128, 64]}, {"task": "face"}])
def test_others_do_not(tmp_path: Path, other: dict[str, Any]) -> None:
    files = {
        "one": results(tmp_path, "one", 0.25),
        "two": results(tmp_path, "two", 0.125, **other),
    }
    text = model_zoo(files)
    own = text[text.index("## pose at 96 x 64") :].split("\n## ")[0]
    assert "| one |" in own and "| two |" not in own


def changed(path: Path, **changes: Any) -> Path:
    """A results file whose first table is another."""
    report = json.loads(path.read_text())
    report["tables"][0] |= changes
    path.write_text(json.dumps(report))
    return path


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ({}, {"test_metrics": [{"type": "L1", "crop": 8}]}, "'test_metrics' differs"),
        (
            {"real": {"fid": {"count": 9, "digest": "a"}}},
            {"real": {"fid": {"count": 8, "digest": "b"}}},
            "'real' differs",
        ),
        ({}, {"references": "r2"}, "'references' differs"),
        (
            {"weights": {"alex": {"file": "a", "sha256": "1"}}},
            {"weights": {"alex": {"file": "a", "sha256": "2"}}},
            "'weights' differs",
        ),
        (
            {},
            {"results": {"model": {"l1": 0.1}, "copy_source": {"l1": 0.6}}},
            "l1 of copy_source differs (0.5 and 0.6)",
        ),
    ],
)
def test_what_was_measured_otherwise_stands_apart_and_says_why(
    tmp_path: Path, ours: dict[str, Any], theirs: dict[str, Any], said: str
) -> None:
    """The third belongs to the first again; no baseline's row hides another."""
    files = {name: results(tmp_path, name, 0.25) for name in ("one", "two", "three")}
    changed(files["one"], **ours)
    changed(files["two"], **theirs)
    changed(files["three"], **ours)
    parts = model_zoo(files).split("\n## ")
    same = [part for part in parts if part.startswith("pose at 96 x 64: the config's own")]
    assert [("| one |" in part, "| two |" in part, "| three |" in part) for part in same] == [
        (True, False, True),
        (False, True, False),
    ]
    assert f"Not in one table with one, as {said}" in same[1]
    assert "Not in one table" not in same[0]


def test_only_weights_that_both_have_read_must_be_equal(tmp_path: Path) -> None:
    files = {name: results(tmp_path, name, 0.25) for name in ("one", "two")}
    changed(files["one"], weights={"alex": {"file": "a", "sha256": "1"}})
    text = model_zoo(files)
    assert text.count("## pose at 96 x 64") == 1


def test_a_model_is_not_called_like_a_baseline(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="copy_source: is a baseline's row"):
        model_zoo({"copy_source": results(tmp_path, "one", 0.25)})


def test_a_stroke_in_a_cell_does_not_end_it(tmp_path: Path) -> None:
    text = model_zoo({"one": results(tmp_path, "one", 0.25, command="tools/test.py a | b")})
    assert r"| `tools/test.py a \| b` |" in text


def test_warnings_are_shown(tmp_path: Path) -> None:
    path = changed(results(tmp_path, "one", 0.25), warnings=["6 of 8,570 pictures"])
    assert "one: 6 of 8,570 pictures" in model_zoo({"one": path})


def test_what_is_no_results_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("{}")
    with pytest.raises(UserError, match="is no results file"):
        model_zoo({"a": path})


def test_no_other_page_is_written_over(tmp_path: Path) -> None:
    files = {"one": results(tmp_path, "one", 0.25)}
    page = write_model_zoo(files, tmp_path / "zoo.md")
    before = page.read_text()
    assert write_model_zoo(files, page).read_text() == before
    (tmp_path / "README.md").write_text("# Mine\n")
    for path in (tmp_path / "README.md", tmp_path):
        with pytest.raises(UserError, match="--out .*holds something else than a page of models"):
            write_model_zoo(files, path)
    with pytest.raises(UserError, match="there are no results"):
        write_model_zoo({}, page)
    assert (tmp_path / "README.md").read_text() == "# Mine\n"
    assert page.read_text() == before


def test_the_page_is_up_to_date(run_tool: Any, tmp_path: Path) -> None:
    done = run_tool("tools/model_zoo.py", "--out", tmp_path / "zoo.md")
    assert done.stdout == f"wrote {tmp_path / 'zoo.md'}\n"
    made = (tmp_path / "zoo.md").read_text()
    assert made == (ROOT / "docs" / "model_zoo.md").read_text()
    assert made.count("| ") > 1
