"""A notice is printed once."""

from __future__ import annotations

import pytest

from gfla_video.utils.notice import say_once


def test_the_same_sentence_comes_once(capsys: pytest.CaptureFixture[str]) -> None:
    say_once.cache_clear()
    for _ in range(3):
        say_once("the first")
    say_once("the second")
    assert capsys.readouterr().err == "note: the first\nnote: the second\n"
