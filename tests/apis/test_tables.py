"""Reading results files: what is damaged is said in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gfla_video.apis.tables import read_results
from gfla_video.utils.errors import UserError

TABLE: dict[str, Any] = {
    "protocol": {"name": "p", "version": 1, "digest": "0123456789ab"},
    "count": 6,
    "warnings": ["few"],
    "test_metrics": [{"type": "L1"}],
    "weights": {"inception": {"file": "a.pth", "sha256": "12"}},
    "results": {"model": {"l1": 0.1, "fid": None}, "copy_source": {"l1": 0.2}},
}
REPORT: dict[str, Any] = {
    "format": "gfla_video results",
    "version": 1,
    "task": "pose",
    "config": None,
    "checkpoint": None,
    "checkpoint_sha256": None,
    "iterations": 7,
    "train_seconds": 61.5,
    "size": [96, 64],
    "command": "tools/test.py",
}


def without(values: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != key}


def test_a_good_file(tmp_path: Path) -> None:
    for table in (TABLE, {**TABLE, "protocol": None}):
        content = {**REPORT, "tables": [table]}
        (tmp_path / "a.json").write_text(json.dumps(content))
        assert read_results(tmp_path / "a.json") == content


@pytest.mark.parametrize("key", TABLE)
def test_a_table_without_something(tmp_path: Path, key: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps({**REPORT, "tables": [TABLE, without(TABLE, key)]}))
    with pytest.raises(UserError, match=rf"a\.json: is damaged \(table 2 has no '{key}'\); pass"):
        read_results(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"protocol": {"name": "p"}}, "the protocol of table 1 has no 'version'"),
        ({"protocol": "p"}, "table 1 has a wrong 'protocol'"),
        ({"count": "6"}, "table 1 has a wrong 'count'"),
        ({"warnings": [1]}, "a warning of table 1 is no text"),
        ({"test_metrics": ["L1"]}, "'test_metrics' of table 1 has a wrong value"),
        ({"real": {"fid": 3}}, "'real' of table 1 has a wrong value"),
        ({"real": None}, "'real' of table 1 has a wrong value"),
        ({"results": {"copy_source": {}}}, "table 1 has no row 'model'"),
        ({"results": {"model": {"l1": "0.1"}}}, "row 'model' of table 1 holds no numbers"),
        ({"results": {"model": {}, "zero_flow": 3}}, "row 'zero_flow' of table 1 holds no"),
    ],
)
def test_a_damaged_table(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps({**REPORT, "tables": [{**TABLE, **changes}]}))
    with pytest.raises(UserError, match=rf"is damaged \({said}"):
        read_results(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({**without(REPORT, "task"), "tables": [TABLE]}, "the head has no 'task'"),
        (
            {**REPORT, "train_seconds": "long", "tables": [TABLE]},
            "the head has a wrong 'train_seconds'",
        ),
        ({**REPORT, "size": [96], "tables": [TABLE]}, "the head has a wrong 'size'"),
        (REPORT, "no 'tables'"),
        ({**REPORT, "tables": []}, "no 'tables'"),
        ({**REPORT, "tables": [3]}, "table 1 is no table"),
    ],
)
def test_a_damaged_head(tmp_path: Path, content: dict[str, Any], said: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=rf"is damaged \({said}"):
        read_results(tmp_path / "a.json")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[" * 100_000, b'{"a": 1'])
def test_what_is_no_json(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.json: is no JSON"):
        read_results(tmp_path / "a.json")
