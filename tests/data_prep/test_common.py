"""The data tools' helpers: errors, progress, atomic files and folders."""

import os
from pathlib import Path

import pytest

from data_prep.common import (
    atomic_file,
    atomic_folder,
    fail,
    in_processes,
    progress,
    read_json,
    write_json,
)


def test_fail_says_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        fail("a.csv lacks the column name, add it")
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "error: a.csv lacks the column name, add it\n"


def test_progress_yields_all_and_says_how_far(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(iter(range(25)), "images", 25)) == list(range(25))
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("images: 25/25")
    assert 8 <= len(lines) <= 14


def test_atomic_file_replaces_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.csv"
    with atomic_file(path) as part:
        assert part.suffix == ".csv"
        part.write_text("one")
    with pytest.raises(SystemExit), atomic_file(path) as part:
        fail(f"stopped after {part.write_text('half of')} letters, go on")
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]


def test_atomic_folder_replaces_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "data"
    for text in ("one", "two"):
        with atomic_folder(path) as part:
            (part / text).write_text(text)
    with pytest.raises(SystemExit), atomic_folder(path) as part:
        fail(f"stopped after {(part / 'three').write_text('half of')} letters, go on")
    assert [file.name for file in path.iterdir()] == ["two"]
    assert list(path.parent.iterdir()) == [path]
    path.rename(tmp_path / "moved")
    path.mkdir()  # an empty folder may be there
    with atomic_folder(path) as part:
        (part / "four").write_text("four")
    assert [file.name for file in path.iterdir()] == ["four"]


def test_json_is_written_whole_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    assert read_json(path) == {}
    write_json(path, {"a": [1, 2.5]})
    assert read_json(path) == {"a": [1, 2.5]} and list(path.parent.iterdir()) == [path]
    with pytest.raises(TypeError):
        write_json(path, {"a": path})
    assert read_json(path) == {"a": [1, 2.5]} and list(path.parent.iterdir()) == [path]
    path.write_text("half of")
    assert read_json(path) == {}


def test_in_processes_uses_others_and_stops_them_at_an_error() -> None:
    start = (os.umask, 0o22)
    pids = set(in_processes(os.getpid, [()] * 4, 2, start))
    assert pids and os.getpid() not in pids
    assert list(in_processes(os.getpid, [()] * 2, 1, start)) == [os.getpid()] * 2
    stopped: list[bool] = []
    with pytest.raises(FileNotFoundError):
        list(in_processes(os.stat, [("no file",)] * 4, 2, start, lambda: stopped.append(True)))
    assert stopped == [True]
