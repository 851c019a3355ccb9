"""Tables of several results: what is in them, and what may not be put into one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gfla_video.apis.compare_results import compare_results
from gfla_video.apis.tables import format_table
from gfla_video.utils.errors import UserError

PROTOCOL = {"name": "first", "version": 1, "digest": "0123456789ab"}
OWN = ("task", "size", "config", "device", "train_seconds")  # not of a table


def report(l1: float = 0.1, **changes: Any) -> dict[str, Any]:
    """What ``tools/test.py`` writes, as far as a comparison reads it; one table, unless given."""
    table = {
        "protocol": None,
        "count": 6,
        "expected_count": None,
        "references": "00ff",
        "references_order": "00ff",
        "broken": [],
        "warnings": [],
        "test_metrics": [{"type": "L1"}, {"type": "FlowEPE"}],
        "weights": {},
        "results": {
            "model": {"l1": l1, "flow_epe": 2.5},
            "copy_source": {"l1": 0.2},
            "mean_of_targets": {"l1": 0.3},
            "zero_flow": {"flow_epe": 4.0},
        },
        **{key: value for key, value in changes.items() if key not in OWN},
    }
    return {
        "format": "gfla_video results",
        "version": 1,
        "task": "pose",
        "config": "sample.py",
        "checkpoint": "model.pth",
        "checkpoint_sha256": "0" * 64,
        "iterations": 7,
        "train_seconds": 61.5,
        "size": [64, 64],
        "versions": {"torch": "2"},
        "device": "cpu",
        "inference": {"precision": "float32"},
        "seconds": 3.2,
        "command": "tools/test.py",
        **{key: value for key, value in changes.items() if key in OWN},
        "tables": [table],
    }


def rows(content: dict[str, Any]) -> dict[str, Any]:
    """The rows of a report's one table."""
    return content["tables"][0]["results"]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Any], Path]:
    """``write("one.json", content)`` gives the file's path."""

    def written(name: str, content: Any) -> Path:
        (tmp_path / name).write_text(json.dumps(content))
        return tmp_path / name

    return written


def test_one_row_per_model_and_the_baselines_once(write: Any, tmp_path: Path) -> None:
    other = report(0.15, train_seconds=None, config="other.py", device="cuda")
    rows(other)["model"] = {"l1": 0.15, "flow_epe": None}
    # Rounded elsewhere, and measured without one of the baselines.
    rows(other)["copy_source"]["l1"] = 0.20001
    del rows(other)["mean_of_targets"]
    files = {"other": write("other.json", other), "ours": write("ours.json", report())}
    out = tmp_path / "table" / "comparison.json"
    found = compare_results(files, out=out)
    assert json.loads(out.read_text()) == found
    (table,) = found["tables"]
    assert list(table["results"].items()) == [
        ("other", {"l1": 0.15, "flow_epe": None, "train_s": None}),
        ("ours", {"l1": 0.1, "flow_epe": 2.5, "train_s": 62}),
        ("copy_source", {"l1": 0.20001}),
        ("zero_flow", {"flow_epe": 4.0}),
        ("mean_of_targets", {"l1": 0.3}),
    ]
    assert (table["task"], table["size"], table["count"]) == ("pose", [64, 64], 6)
    assert "clips" not in table
    assert found["models"]["ours"]["train_seconds"] == 61.5
    assert found["models"]["other"]["config"] == "other.py"
    assert found["models"]["other"]["device"] == "cuda"
    lines = [line.split() for line in format_table(table["results"]).splitlines()]
    assert lines[0] == ["l1", "flow_epe", "train_s"]
    assert lines[2] == ["ours", "0.1000", "2.5000", "62"]
    assert lines[3] == ["copy_source", "0.2000", "-", "-"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "face"}, r"'task' differs \(\"pose\" and \"face\"\)"),
        ({"size": [64, 96]}, r"'size' differs \(\[64, 64\] and \[64, 96\]\)"),
        ({"count": 7}, r"'count' differs \(6 and 7\)"),
        ({"clips": 2}, r"'clips' differs \(null and 2\)"),
        ({"test_metrics": [{"type": "L1", "crop": 8}]}, "'test_metrics' differs"),
        ({"references": "00fe"}, "'references' differs .*reference pictures are others"),
        ({"references_order": "00fe"}, "'references_order' differs .*order of the pictures"),
    ],
)
def test_other_settings_are_refused(write: Any, changes: dict[str, Any], message: str) -> None:
    """Also between the second and the third, which alone differ from the other."""
    good, bad = write("good.json", report()), write("bad.json", report(**changes))
    with pytest.raises(UserError, match=rf"good\.json and .*bad\.json: .*{message}"):
        compare_results({"one": good, "two": good, "three": bad})


def test_the_order_is_compared_where_both_depend_on_it(write: Any) -> None:
    one, other = report(), report(l1=0.2)
    del other["tables"][0]["references_order"]
    rows = compare_results({"a": write("a.json", one), "b": write("b.json", other)})
    assert rows["tables"][0]["results"]["b"]["l1"] == 0.2


@pytest.mark.parametrize(
    ("row", "values"),
    [
        ("copy_source", {"l1": 0.201}),
        ("copy_source", {"l1": None}),
        ("zero_flow", {"flow_epe": 3.9}),
        ("mean_of_targets", {"l1": 0.31}),
    ],
)
def test_other_samples_are_refused(write: Any, row: str, values: dict[str, Any]) -> None:
    """The settings may be equal and the data not: the baselines show it."""
    other = report()
    rows(other)[row] = values
    files = {"one": write("one.json", report()), "two": write("two.json", other)}
    with pytest.raises(UserError, match=rf"as \w+ of {row} differs .*on the same samples"):
        compare_results(files)


def test_what_only_one_has_measured_is_a_column_of_its_own(write: Any) -> None:
    """The model without a flow has no metric of it; the other has one more."""
    metrics = [{"type": "L1"}, {"type": "SSIM", "window": 7}]
    other = report(0.15, test_metrics=metrics)
    other["tables"][0]["results"] = {
        "model": {"l1": 0.15, "ssim": 0.7},
        "copy_source": {"l1": 0.2, "ssim": 0.9},
    }
    (table,) = compare_results(
        {"one": write("one.json", report()), "two": write("two.json", other)}
    )["tables"]
    assert table["test_metrics"] == [{"type": "L1"}, {"type": "FlowEPE"}, metrics[1]]
    assert table["results"]["copy_source"] == {"l1": 0.2, "ssim": 0.9}
    assert table["results"]["zero_flow"] == {"flow_epe": 4.0}
    renamed = report(test_metrics=[{"type": "MSSSIM", "name": "x"}])
    for same in ({"type": "SSIM", "name": "x"}, {"type": "MSSSIM", "name": "x", "window": 7}):
        files = {
            "one": write("one.json", renamed),
            "two": write("two.json", report(test_metrics=[same])),
        }
        with pytest.raises(UserError, match="'test_metrics' differs"):
            compare_results(files)


def test_without_a_common_baseline_nothing_shows_that_the_samples_are_the_same(write: Any) -> None:
    one, two = report(references=""), report(references="")
    one["tables"][0]["results"] = {
        "model": {"l1": 0.1},
        "copy_source": {"l1": 0.2},
        "zero_flow": {},
    }
    two["tables"][0]["results"] = {
        "model": {"l1": 0.1},
        "mean_of_targets": {"l1": 0.3},
        "zero_flow": {},
    }
    files = {"one": write("one.json", one), "two": write("two.json", two)}
    with pytest.raises(UserError, match="share no baseline .* --baselines copy_source"):
        compare_results(files)


def test_a_file_that_is_no_result(write: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.json: cannot be read \(No such file"):
        compare_results({"one": tmp_path / "none.json"})
    (tmp_path / "half.json").write_text('{"results": ')
    with pytest.raises(UserError, match=r"half\.json: is no JSON .*tools/test\.py --out"):
        compare_results({"one": tmp_path / "half.json"})
    for content in ([], {"count": 6}, {**report(), "format": "other"}):
        with pytest.raises(UserError, match="is no results file; pass what tools/test.py"):
            compare_results({"one": write("bad.json", content)})
    with pytest.raises(UserError, match="is version 0 of the results format"):
        compare_results({"one": write("bad.json", {**report(), "version": 0})})
    with pytest.raises(UserError, match=r"zero_flow: is a baseline's row"):
        compare_results({"zero_flow": write("good.json", report())})


def test_protocols_are_compared_one_by_one(write: Any) -> None:
    one, two = report(), report(0.15)
    for content, l1 in ((one, 0.3), (two, 0.4)):
        more = report(l1, protocol=PROTOCOL, warnings=["6 of the protocol's 8,570 pictures"])
        content["tables"] += more["tables"]
    files = {"one": write("one.json", one), "two": write("two.json", two)}
    own, first = compare_results(files)["tables"]
    assert (own["protocol"], own["results"]["two"]["l1"]) == (None, 0.15)
    assert (first["protocol"], first["results"]["two"]["l1"]) == (PROTOCOL, 0.4)
    assert first["warnings"][0] == "one: 6 of the protocol's 8,570 pictures"
    assert "size" not in first  # the protocol says it
    (only,) = compare_results(files, protocols=["first"])["tables"]
    assert only == first
    with pytest.raises(UserError, match="--protocol second: no result was measured under it"):
        compare_results(files, protocols=["second"])


@pytest.mark.parametrize(
    "change", [{"name": "second"}, {"version": 2}, {"digest": "ba9876543210"}], ids=str
)
def test_different_protocols_do_not_share_a_column(write: Any, change: dict[str, Any]) -> None:
    files = {
        "one": write("one.json", report(protocol=PROTOCOL)),
        "two": write("two.json", report(protocol={**PROTOCOL, **change})),
    }
    with pytest.raises(UserError, match=r"first v1 \(0123456789ab\) and .*different protocols"):
        compare_results(files)


def test_weights_are_compared_by_their_content_where_both_have_read_them(write: Any) -> None:
    def measured(**weights: tuple[str, str]) -> dict[str, Any]:
        told = {name: {"file": file, "sha256": sha} for name, (file, sha) in weights.items()}
        return report(protocol=PROTOCOL, weights=told)

    first = write("first.json", measured(inception=("a.pth", "12")))
    renamed = write("renamed.json", measured(inception=("b.pth", "12"), alex=("c.pth", "34")))
    other = write("other.json", measured(inception=("a.pth", "13")))
    without = write("without.json", measured())
    assert compare_results({"one": first, "two": renamed, "three": without})
    with pytest.raises(UserError, match="'weights' differs .* with the same weights files"):
        compare_results({"one": first, "two": other})
    moved = measured(inception=("a.pth", "13"))  # which moves the baselines' numbers, too
    rows(moved)["copy_source"] = {"l1": 0.9}
    with pytest.raises(UserError, match="'weights' differs"):
        compare_results({"one": first, "two": write("moved.json", moved)})
    real = write("real.json", report(protocol=PROTOCOL, real={"fid": {"count": 9, "digest": "ab"}}))
    both = {"fid": {"count": 9, "digest": "ab"}, "kid": {"count": 9, "digest": "cd"}}
    more = write("more.json", report(protocol=PROTOCOL, real=both))
    (table,) = compare_results({"one": real, "two": more})["tables"]
    assert table["real"] == both
    for digest, count in (("cd", 9), ("ab", 10)):
        told = {"fid": {"count": count, "digest": digest}, "kid": both["kid"]}
        with pytest.raises(UserError, match="'real' differs .*same training pictures"):
            others = write("others.json", report(protocol=PROTOCOL, real=told))
            compare_results({"one": real, "two": others})


def test_pictures_of_a_folder_stand_beside_a_checkpoint(write: Any) -> None:
    pictures = report(0.4, protocol=PROTOCOL, task=None, size=None)
    pictures["tables"][0]["results"] = {"model": {"l1": 0.4}}
    files = {
        "ours": write("ours.json", report(protocol=PROTOCOL)),
        "theirs": write("theirs.json", pictures),
    }
    (table,) = compare_results(files)["tables"]
    assert table["results"]["theirs"]["l1"] == 0.4
    assert "copy_source" in table["results"]


def test_the_tool(
    write: Any, tmp_path: Path, run_tool: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    good, bad = write("good.json", report()), write("bad.json", report(count=5))
    out = tmp_path / "table.json"
    tool = "tools/compare_results.py"
    lines = run_tool(tool, f"mine={good}", f"yours={good}", "--out", out).stdout.splitlines()
    assert lines[0] == "the config's own metrics: 6 held-out samples"
    assert [line.split()[0] for line in lines[2:4]] == ["mine", "yours"]
    assert set(json.loads(out.read_text())["models"]) == {"mine", "yours"}
    for arguments, message in (
        ((f"mine={good}", f"yours={bad}"), "'count' differs"),
        ((f"mine={good}", f"mine={good}"), "is given twice"),
        ((f"={good}",), "write NAME=PATH"),
    ):
        refused = run_tool(tool, *arguments, check=False)
        assert refused.returncode == 2
        assert refused.stderr.startswith("error: ")
        assert message in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1
