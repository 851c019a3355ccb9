"""The whole generator in PyTorch's tracers: one graph for compile, one program for export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gfla_video.ops import load_native, using_backend
from gfla_video.registry import MODELS

OPERATOR = "gfla_video.windowed_gather.default"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """Skips without the kernels; no graph of another test is taken again."""
    if reason := load_native("cpu"):
        pytest.skip(reason)
    torch.compiler.reset()


def generator() -> nn.Module:
    """Two attention scales, k = 3 and 5, and few channels."""
    small = {"base_channels": 4, "max_channels": 8}
    attentions = [
        {"type": "LocalAttention", "channels": 8, "kernel_size": k, "hidden": 4} for k in (3, 5)
    ]
    renderer = {"type": "TextureRenderer", "structure_channels": 2, "attentions": attentions}
    flow = {"type": "FlowEstimator", "structure_channels": 2, "gain": 1.0}
    built: nn.Module = MODELS.build(
        {
            "type": "TransferGenerator",
            "source_encoder": {"type": "PyramidEncoder", **small},
            "flow_estimator": {**flow, **small},
            "renderer": {**renderer, **small},
            "gain": 1.0,
        }
    )
    return built.eval().requires_grad_(False)


class Picture(nn.Module):
    """The generator's picture alone: torch saves no named tuples of ours."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Any) -> Tensor:
        """``[B, 3, H, W]``."""
        image: Tensor = self.network(*inputs).image
        return image


def example(batch: int) -> tuple[Any, ...]:
    """Sources, source structures, target structure."""
    picture, structure = torch.rand(batch, 3, 64, 64) * 2 - 1, torch.rand(batch, 2, 64, 64)
    return [picture], [structure], torch.rand(batch, 2, 64, 64)


def test_one_graph() -> None:
    """``fullgraph`` refuses any break; the values are those of the eager network."""
    network, inputs = generator(), example(2)
    with using_backend("native"):
        compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(compiled(*inputs).image, network(*inputs).image)


def test_exported_with_any_batch(tmp_path: Path) -> None:
    """Saved, loaded and run at another batch size; the operator is one node per sampling."""
    network = Picture(generator())
    batch = {0: torch.export.Dim("batch", min=1, max=16)}
    with using_backend("native"):
        shapes = {"inputs": ([batch], [batch], batch)}
        program = torch.export.export(network, example(2), dynamic_shapes=shapes)
        torch.export.save(program, tmp_path / "generator.pt2")
        loaded = torch.export.load(tmp_path / "generator.pt2").module()
        inputs = example(3)
        torch.testing.assert_close(loaded(*inputs), network(*inputs))
    nodes = [node for node in program.graph.nodes if str(node.target) == OPERATOR]
    assert len(nodes) == 4  # per scale: keys and values
