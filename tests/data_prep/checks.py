"""What the tests of the sample makers share."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from data_prep import make_samples

Array = NDArray[np.float64]


def digest(folder: Path) -> dict[str, str]:
    """Relative path to hash of every file but the note."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.name != make_samples.NOTE
    }


def bilinear(image: Array, x: Array, y: Array) -> Array:
    """Sample image [H,W,C] at pixel positions x, y [N]."""
    height, width = image.shape[:2]
    x0 = np.clip(np.floor(x).astype(int), 0, width - 2)
    y0 = np.clip(np.floor(y).astype(int), 0, height - 2)
    a, b = (x - x0)[:, None], (y - y0)[:, None]
    top = (1 - a) * image[y0, x0] + a * image[y0, x0 + 1]
    low = (1 - a) * image[y0 + 1, x0] + a * image[y0 + 1, x0 + 1]
    return (1 - b) * top + b * low


def warp_error(source: Array, target: Array, flow: Array, where: NDArray[np.bool_]) -> float:
    """Mean absolute colour error, in [0, 1], of the source warped by `flow` at `where`."""
    y, x = np.nonzero(where)
    found = bilinear(source / 255, x + flow[0, y, x], y + flow[1, y, x])
    return float(np.abs(found - target[y, x] / 255).mean())


def inner(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of a mask whose eight neighbours are in it."""
    padded = np.pad(mask, 1)
    h, w = mask.shape
    return np.all([padded[i : i + h, j : j + w] for i in range(3) for j in range(3)], axis=0)


def expect_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]
) -> None:
    """`make_samples` with these arguments ends with one sentence that has these words."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        make_samples.main(arguments)
    assert stopped.value.code == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: ")
    assert len(said.splitlines()) == 1
    for word in words:
        assert word in said
