"""What the preview's columns are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import default_collate

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


def test_panels_of_a_row_of_a_batch() -> None:
    first, second = sample(1), sample(1)
    second["targets"]["image"] = torch.ones(3, *SIZE)
    batch = default_collate([first, second])
    panels = preview.batch_panels(batch, 1, {"image": torch.full((3, *SIZE), -1.0)})
    assert list(panels) == ["source", "result", "truth"]
    assert panels["truth"].min() == 255 and panels["result"].max() == 0


def test_panels_of_a_clip_are_clips_without_what_fills_them_up() -> None:
    frames = torch.arange(5.0).view(5, 1, 1, 1) / 5
    clip = {
        "inputs": {
            "sources": [torch.zeros(3, *SIZE)],
            "source_structures": [torch.zeros(1, *SIZE)],
            "target_structures": frames.expand(5, 1, *SIZE),
        },
        "targets": {"image": frames.expand(5, 3, *SIZE)},
        "meta": {"name": "a_0", "frames": 4},
    }
    flow = frames.expand(5, 2, 8, 8) * 10
    made = {"image": frames.expand(5, 3, *SIZE), "flows": [[flow]]}
    panels = preview.batch_panels(default_collate([clip]), 0, made)
    moving = ["result", "truth", "flow", "warped source"]
    assert list(panels) == ["source", *moving, "full colour"]
    assert all(panels[title].shape == (4, *SIZE, 3) for title in moving)
    assert panels["source"].shape == panels["full colour"].shape == (*SIZE, 3)
    assert panels["result"][3, 0, 0, 0] == round((0.6 + 1) * 127.5)
    # one legend for all frames: the same flow has the same colour, a longer one a deeper
    depths = [int(255 - frame.min()) for frame in panels["flow"]]
    assert depths == sorted(depths) and len(set(depths)) == 4
    few = preview.batch_panels(default_collate([clip]), 0, made, frames=2)
    assert len(few["truth"]) == 2
