"""What the preview's columns are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from gfla_video.apis import preview

SIZE = (64, 64)


def sample(sources: int) -> dict[str, Any]:
    return {
        "inputs": {
            "sources": [torch.zeros(3, *SIZE)] * sources,
            "source_structures": [torch.zeros(1, *SIZE)] * sources,
            "target_structure": torch.zeros(1, *SIZE),
        },
        "targets": {"image": torch.zeros(3, *SIZE)},
        "meta": {"name": "a_2_b"},
    }


@pytest.mark.parametrize(
    ("sources", "references", "titles"),
    [
        (1, 1, ["source", "truth", "flow", "mask"]),
        (1, 3, ["source", "truth", "flow", "previous flow", "previous 2 flow", "mask"]),
        (2, 2, ["source", "source 2", "truth", "flow", "flow 2", "mask", "mask 2"]),
    ],
)
def test_sources_and_previous_frames_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, sources: int, references: int, titles: list[str]
) -> None:
    seen: list[list[str]] = []

    def sheet(strips: list[dict[str, Any]], path: Path, scale: int) -> Path:
        seen.extend(list(strip) for strip in strips)
        return path

    def predict(batch: dict[str, Any]) -> list[dict[str, Any]]:
        flow, mask = torch.zeros(2, 32, 32), torch.zeros(1, 32, 32)
        return [{"flows": [[flow]] * references, "masks": [[mask]] * references}]

    monkeypatch.setattr(preview, "contact_sheet", sheet)
    preview.write_preview(Path("sheet.png"), predict, [sample(sources)], None)
    (columns,) = seen
    assert columns[: len(titles)] == titles
