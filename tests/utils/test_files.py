"""Outputs are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from gfla_video.utils.errors import UserError
from gfla_video.utils.files import atomic_path, ensure_writable_folder, natural_order


def test_an_error_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    with pytest.raises(KeyError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert target.read_text() == "old"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/sub: the output folder cannot be written"):
        ensure_writable_folder(tmp_path / "file" / "sub")
    with pytest.raises(UserError, match="is a folder"), atomic_path(tmp_path):
        pass


def test_numbers_in_names_are_sorted_by_their_value() -> None:
    names = ["a10.png", "2.png", "a9b2.png", "10.png", "a9b10.png", "b.png", "02.png", "²1.png"]
    ordered = ["02.png", "2.png", "10.png", "a9b2.png", "a9b10.png", "a10.png", "b.png", "²1.png"]
    assert sorted(sorted(names), key=natural_order) == ordered
