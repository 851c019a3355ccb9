"""The toy training on the path, and a finished run of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Work folder of an uninterrupted toy training of both stages. Read only."""
    import toy_training

    from gfla_video.apis import train

    folder = tmp_path_factory.mktemp("toy")
    train(toy_training.toy_file(folder / "toy.py"), folder / "run", device="cpu")
    return folder / "run"
