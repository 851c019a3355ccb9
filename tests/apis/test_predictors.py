"""What a network's outputs become."""

from __future__ import annotations

from typing import Any

import torch

from gfla_video.apis.predictors import network_predictor
from gfla_video.structures import GeneratorOutput

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
