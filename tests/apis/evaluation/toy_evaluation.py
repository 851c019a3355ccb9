"""Toy networks for evaluations, whose numbers are known, and a config over the sample data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

TOY = '''
"""A network that mixes the source with grey; its flow is (1, 0) on a coarse map."""

import torch

from gfla_video.registry import MODELS
from gfla_video.structures import FlowOutput, GeneratorOutput


@MODELS.register_module()
class ShiftFlow(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.shift = torch.nn.Parameter(torch.ones(1))

    def forward(self, sources, source_structures, target_structure):
        batch, _, height, width = target_structure.shape
        flow = torch.zeros(batch, 2, height // 4, width // 4)
        flow[:, 0] = self.shift
        mask = torch.linspace(0, 1, width // 4).expand(batch, 1, height // 4, width // 4)
        return FlowOutput([[flow]], [[mask]])


@MODELS.register_module()
class ShiftGenerator(torch.nn.Module):
    def __init__(self, keep=0.5):
        super().__init__()
        self.keep = torch.nn.Parameter(torch.tensor(float(keep)))
        self.flow_estimator = ShiftFlow()

    def forward(self, sources, source_structures, target_structure, encoded=None):
        flows, masks = self.flow_estimator(sources, source_structures, target_structure)
        return GeneratorOutput(sources[0] * self.keep, flows, masks)
'''
METRICS = [
    {"type": "SSIM"},
    {"type": "L1"},
    {"type": "ForegroundL1"},
    {"type": "FlowEPE"},
    {"type": "MaskAUC"},
]


def settings(data: Path) -> dict[str, Any]:
    """A pose config over the sample data; 64x64."""
    common = {
        "type": "PosePairDataset",
        "data_root": str(data),
        "annotation_size": (64, 64),
        "size": (64, 64),
        "structure": {"type": "PoseStructure", "sigma": 3.0},
    }
    return {
        "default_scope": "gfla_video",
        "task": "pose",
        "size": (64, 64),
        "structure": {"type": "PoseStructure", "sigma": 3.0},
        "custom_imports": {"imports": ["toy_networks"]},
        "train_dataloader": {"batch_size": 2, "dataset": {**common, "image_dir": "train"}},
        "test_dataloader": {
            "batch_size": 5,
            "dataset": {**common, "image_dir": "test", "with_truth": True},
        },
        "test_metrics": METRICS,
    }


def save(path: Path, networks: dict[str, Any], task: str = "pose") -> Path:
    """A checkpoint of the toys, meta as training writes it."""
    state = {"flow_estimator.shift": torch.ones(1)}
    if "generator" in networks:
        state = {f"generator.{key}": value for key, value in state.items()}
        state["generator.keep"] = torch.tensor(0.5)
    meta = {"task": task, "iter": 7, "train_seconds": 61.5, **networks}
    torch.save({"meta": meta, "state_dict": state}, path)
    return path
