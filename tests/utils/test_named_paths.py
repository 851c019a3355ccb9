"""NAME=PATH on command lines."""

from __future__ import annotations

import pytest

from gfla_video.utils.errors import UserError
from gfla_video.utils.named_paths import named_paths


def test_names_are_given_or_taken_from_the_path() -> None:
    found = named_paths(["b=x/y.json", "runs/a.json", "runs/c", "d=e=f"], "runs")
    assert list(found.items()) == [
        *(("b", "x/y.json"), ("a", "runs/a.json"), ("c", "runs/c"), ("d", "e=f")),
    ]


@pytest.mark.parametrize("text", ["=x", "a=", "="])
def test_half_a_pair(text: str) -> None:
    with pytest.raises(UserError, match=f"--config {text}: write NAME=PATH"):
        named_paths([text], "--config")


def test_the_folder_above_tells_paths_of_one_name_apart() -> None:
    found = named_paths(["w/x/a", "w/y/a", "b"], "runs")
    assert found == {"x/a": "w/x/a", "y/a": "w/y/a", "b": "b"}


@pytest.mark.parametrize("texts", [["a=x", "a=y"], ["v/x/a", "w/x/a"], ["a=x", "y/a"]])
def test_a_name_twice(texts: list[str]) -> None:
    with pytest.raises(UserError, match=f"runs {texts[1]}: the name '(x/)?a' is taken by"):
        named_paths(texts, "runs")


def test_a_path_twice() -> None:
    with pytest.raises(UserError, match="runs w/a: is given twice"):
        named_paths(["w/a", "w/a"], "runs")
