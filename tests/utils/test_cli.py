"""How a tool ends."""

from __future__ import annotations

import pytest

from gfla_video.utils import cli
from gfla_video.utils.errors import UserError


@pytest.fixture(autouse=True)
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The settings of a whole process are not for this one; says whether they would be made."""
    calls: list[str] = []
    monkeypatch.setattr(cli, "prepare_process", lambda: calls.append("prepared"))
    return calls


def test_bad_input_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise UserError("a.csv: has no column 'x', add it")

    with pytest.raises(SystemExit) as stopped:
        cli.run(main)
    assert stopped.value.code == 2
    assert capsys.readouterr() == ("", "error: a.csv: has no column 'x', add it\n")


def test_an_interruption_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stopped:
        cli.run(main)
    assert stopped.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_the_processs_settings_come_first_and_success_is_silent(
    prepared: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cli.run(lambda: prepared.append("ran"))
    assert prepared == ["prepared", "ran"]
    assert capsys.readouterr() == ("", "")


def test_a_bug_keeps_its_traceback() -> None:
    def main() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cli.run(main)
