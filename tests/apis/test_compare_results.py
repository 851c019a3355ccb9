"""Tables of several results: what is in them, and what may not be put into one."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gfla_video.apis.compare_results import compare_results
from gfla_video.apis.tables import format_table
from gfla_video.utils.errors import UserError


def report(l1: float = 0.1, **changes: Any) -> dict[str, Any]:
    """What ``tools/test.py`` writes, as far as a comparison reads it."""
    return {
        "task": "pose",
        "config": "sample.py",
        "checkpoint": "model.pth",
        "checkpoint_sha256": "0" * 64,
        "iterations": 7,
        "train_seconds": 61.5,
        "size": [64, 64],
        "protocol": None,
        "test_metrics": [{"type": "L1"}, {"type": "FlowEPE"}],
        "versions": {"torch": "2"},
        "count": 6,
        "results": {
            "model": {"l1": l1, "flow_epe": 2.5},
            "copy_source": {"l1": 0.2},
            "mean_of_targets": {"l1": 0.3},
            "zero_flow": {"flow_epe": 4.0},
        },
        "device": "cpu",
        "inference": {"precision": "float32"},
        "seconds": 3.2,
        **changes,
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Any], Path]:
    """``write("one.json", content)`` gives the file's path."""

    def written(name: str, content: Any) -> Path:
        (tmp_path / name).write_text(json.dumps(content))
        return tmp_path / name

    return written


def test_one_row_per_model_and_the_baselines_once(write: Any, tmp_path: Path) -> None:
    other = report(0.15, train_seconds=None, config="other.py", device="cuda")
    other["results"]["model"] = {"l1": 0.15, "flow_epe": None}
    # Rounded elsewhere, and measured without one of the baselines.
    other["results"]["copy_source"]["l1"] = 0.20001
    del other["results"]["mean_of_targets"]
    files = {"other": write("other.json", other), "ours": write("ours.json", report())}
    out = tmp_path / "table" / "comparison.json"
    table = compare_results(files, out=out)
    assert json.loads(out.read_text()) == table
    assert list(table["results"].items()) == [
        ("other", {"l1": 0.15, "flow_epe": None, "train_s": None}),
        ("ours", {"l1": 0.1, "flow_epe": 2.5, "train_s": 62}),
        ("copy_source", {"l1": 0.20001}),
        ("zero_flow", {"flow_epe": 4.0}),
        ("mean_of_targets", {"l1": 0.3}),
    ]
    assert (table["task"], table["size"], table["count"]) == ("pose", [64, 64], 6)
    assert "clips" not in table
    assert table["models"]["ours"]["train_seconds"] == 61.5
    assert table["models"]["other"]["config"] == "other.py"
    assert table["models"]["other"]["device"] == "cuda"
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
        ({"protocol": {"name": "first"}}, "'protocol' differs"),
        ({"test_metrics": [{"type": "L1", "crop": 8}]}, "'test_metrics' differs"),
    ],
)
def test_other_settings_are_refused(write: Any, changes: dict[str, Any], message: str) -> None:
    """Also between the second and the third, which alone differ from the other."""
    good, bad = write("good.json", report()), write("bad.json", report(**changes))
    with pytest.raises(UserError, match=rf"good\.json and .*bad\.json: .*{message}"):
        compare_results({"one": good, "two": good, "three": bad})


@pytest.mark.parametrize(
    ("row", "values"),
    [
        ("copy_source", {"l1": 0.201}),
        ("copy_source", {"l1": None}),
        ("copy_source", {"l1": 0.2, "ssim": 0.9}),
        ("zero_flow", {"flow_epe": 3.9}),
        ("mean_of_targets", {"l1": 0.31}),
    ],
)
def test_other_samples_are_refused(write: Any, row: str, values: dict[str, Any]) -> None:
    """The settings may be equal and the data not: the baselines show it."""
    other = report()
    other["results"][row] = values
    files = {"one": write("one.json", report()), "two": write("two.json", other)}
    with pytest.raises(UserError, match=rf"as \w+ of {row} differs .*on the same samples"):
        compare_results(files)


def test_without_a_common_baseline_nothing_shows_that_the_samples_are_the_same(write: Any) -> None:
    one, two = report(), report()
    one["results"] = {"model": {"l1": 0.1}, "copy_source": {"l1": 0.2}, "zero_flow": {}}
    two["results"] = {"model": {"l1": 0.1}, "mean_of_targets": {"l1": 0.3}, "zero_flow": {}}
    files = {"one": write("one.json", one), "two": write("two.json", two)}
    with pytest.raises(UserError, match="share no baseline .* --baselines copy_source"):
        compare_results(files)


def test_a_file_that_is_no_result(write: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.json: cannot be read \(No such file"):
        compare_results({"one": tmp_path / "none.json"})
    (tmp_path / "half.json").write_text('{"results": ')
    with pytest.raises(UserError, match=r"half\.json: is no JSON .*tools/test\.py --out"):
        compare_results({"one": tmp_path / "half.json"})
    for content in ([], {"count": 6}, report(results={"model": {"l1": "0.1"}})):
        with pytest.raises(UserError, match="holds no table 'results'"):
            compare_results({"one": write("bad.json", content)})
    lacking = copy.deepcopy(report())
    del lacking["results"]["model"]
    with pytest.raises(UserError, match="lacks the row 'model'"):
        compare_results({"one": write("bad.json", lacking)})
    with pytest.raises(UserError, match=r"zero_flow=.*is a baseline's row"):
        compare_results({"zero_flow": write("good.json", report())})


def test_the_tool(
    write: Any, tmp_path: Path, run_tool: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    good, bad = write("good.json", report()), write("bad.json", report(count=5))
    out = tmp_path / "table.json"
    tool = "tools/compare_results.py"
    lines = run_tool(tool, f"mine={good}", f"yours={good}", "--out", out).stdout.splitlines()
    assert lines[0] == "6 held-out samples"
    assert [line.split()[0] for line in lines[2:4]] == ["mine", "yours"]
    assert set(json.loads(out.read_text())["models"]) == {"mine", "yours"}
    for arguments, message in (
        ((f"mine={good}", f"yours={bad}"), "'count' differs"),
        ((f"mine={good}", f"mine={good}"), "the name 'mine' is given twice"),
        ((str(good),), "write NAME=JSON"),
    ):
        refused = run_tool(tool, *arguments, check=False)
        assert refused.returncode == 2
        assert refused.stderr.startswith("error: ")
        assert message in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1
