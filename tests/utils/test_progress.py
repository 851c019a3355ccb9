"""A bar for a terminal, lines for a file."""

from __future__ import annotations

import io

import pytest

from gfla_video.utils.progress import clock, progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_file_gets_a_line_each_tenth() -> None:
    stream = io.StringIO()
    assert list(progress(range(50), "training", stream=stream)) == list(range(50))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[4].startswith("training [##############--------------] 25/50 ")
    assert lines[-1].startswith("training [" + "#" * 28 + "] 50/50 ")
    assert "\r" not in stream.getvalue()


def test_every_item_of_few_is_a_line() -> None:
    stream = io.StringIO()
    list(progress("abc", "x", stream=stream))
    assert [line.split()[2] for line in stream.getvalue().splitlines()] == ["1/3", "2/3", "3/3"]


def test_a_terminal_gets_one_bar_that_ends_full() -> None:
    stream = Terminal()
    list(progress(range(1000), "x", stream=stream))
    text = stream.getvalue()
    assert text.startswith("\r")
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert "1000/1000" in text.rsplit("\r", 1)[1]


def test_without_a_total_it_counts() -> None:
    stream = io.StringIO()
    assert sum(progress((n for n in range(5)), "frames", stream=stream)) == 10
    assert stream.getvalue().startswith("frames: 5 done, ")
    assert stream.getvalue().count("\n") == 1
    stream = io.StringIO()
    list(progress((n for n in range(4)), "frames", total=4, stream=stream))
    assert "4/4" in stream.getvalue()


def test_what_is_not_finished_is_not_said_to_be() -> None:
    stream = io.StringIO()
    for item in progress(range(10), "x", stream=stream):
        if item == 3:
            break
    assert stream.getvalue().splitlines()[-1].split()[2] == "3/10"
    stream = io.StringIO()
    assert list(progress([], "x", stream=stream)) == []


def test_standard_error_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    list(progress([1], "x"))
    said = capsys.readouterr()
    assert said.out == ""
    assert "1/1" in said.err


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3600, "1:00:00")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
