"""What an evaluation says of files that cannot be read."""

from __future__ import annotations

from gfla_video.apis.evaluation.data import Broken, BrokenFiles
from gfla_video.datasets.images import BrokenImageError


def broken(index: int, path: str) -> Broken:
    """Of a reader's error."""
    return Broken.of(index, BrokenImageError(f"{path}: empty; replace the file", path))


def test_files_of_one_name_in_two_folders_are_two() -> None:
    files = BrokenFiles()
    for index, path in enumerate(("d/a/1.png", "d/b/1.png", "d/b/1.png", "d/2.png")):
        files.add(broken(index, path))
    assert files.listed() == ["a/1.png: empty", "b/1.png: empty", "2.png: empty"]
    assert files.warnings() == [
        "4 samples are left out, as 3 pictures cannot be used: a/1.png, b/1.png, 2.png"
    ]
    other = BrokenFiles()
    other.add(broken(1, "e/2.png"))
    both = files.merged(other)
    assert both.listed()[2:] == ["d/2.png: empty", "e/2.png: empty"]
    assert both.indices == {0, 1, 2, 3}


def test_files_whose_folders_nobody_tells() -> None:
    files = BrokenFiles()
    files.add(Broken(0, "1.png", "empty"))
    files.add(Broken(1, "1.png", "empty"))
    assert files.listed() == ["1.png: empty"]
    assert BrokenFiles().warnings() == []
