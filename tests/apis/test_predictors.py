"""What a network's outputs become."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gfla_video.apis import predictors
from gfla_video.apis.predictors import mean_of_targets, network_predictor
from gfla_video.datasets import BrokenImageError, TransferDataset
from gfla_video.structures import GeneratorOutput
from gfla_video.utils.errors import UserError

SIZE = (8, 6)


def batch(count: int) -> dict[str, Any]:
    maps = torch.zeros(count, 1, *SIZE)
    sources = [torch.rand(count, 3, *SIZE)]
    inputs = {"sources": sources, "source_structures": [maps], "target_structure": maps}
    return {"inputs": inputs, "targets": {"image": sources[0]}}


def test_one_dict_per_sample() -> None:
    def network(sources: Any, source_structures: Any, target_structure: Any) -> GeneratorOutput:
        flow = torch.arange(2.0).view(2, 1, 1, 1).expand(2, 2, 4, 3)
        return GeneratorOutput(sources[0] / 2, [[flow]], [[flow[:, :1]]])

    given = batch(2)
    first, second = network_predictor(network)(given)
    torch.testing.assert_close(second["image"], given["inputs"]["sources"][0][1] / 2)
    assert first["flows"][0][0].eq(0).all() and second["flows"][0][0].eq(1).all()
    assert second["masks"][0][0].shape == (1, 4, 3)


def test_a_network_without_flow_predicts_none() -> None:
    """A metric of the flow is then left out, as it is for a copied source."""

    def network(sources: Any, source_structures: Any, target_structure: Any) -> GeneratorOutput:
        return GeneratorOutput(sources[0], [], [])

    assert [set(made) for made in network_predictor(network)(batch(2))] == [{"image"}] * 2


class Levels(TransferDataset):
    """Picture i is i everywhere; some cannot be read, and others would take their places."""

    def __init__(self, broken: set[int]) -> None:
        super().__init__(skip_broken=9)
        self.broken = broken

    def __len__(self) -> int:
        return 5

    def load(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        if index in self.broken:
            raise BrokenImageError(f"a/{index}.png: not a picture; replace it", f"a/{index}.png")
        return {"targets": {"image": torch.full((3, 2, 2), float(index))}}


def test_the_mean_of_targets_leaves_broken_pictures_out(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(predictors, "print_log", lambda message, **_: said.append(message))
    (made,) = mean_of_targets(Levels({1, 3}))({"targets": {"image": torch.zeros(1, 3, 2, 2)}})
    assert made["image"].eq(2).all()  # of 0, 2 and 4
    assert said == [
        "mean_of_targets: 2 samples are left out, as 2 pictures cannot be used: 1.png, 3.png"
    ]
    with pytest.raises(UserError, match=r"no training target can be read \(0.png: not a picture"):
        mean_of_targets(Levels(set(range(5))))
