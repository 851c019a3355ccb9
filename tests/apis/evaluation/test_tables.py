"""Tables of metrics: what is refused when they are built, and what they say of real pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.evaluator import BaseMetric

from gfla_video.apis.evaluation.data import BrokenFiles
from gfla_video.apis.evaluation.tables import ConfigTable, MetricTable, ProtocolTable
from gfla_video.apis.evaluation.weights import MetricWeights
from gfla_video.evaluation.protocols import Protocol
from gfla_video.evaluation.statistics import Statistics
from gfla_video.registry import METRICS
from gfla_video.utils.errors import UserError

TWICE = [{"type": "SSIM"}, {"type": "SSIM", "window": 7, "sigma": None}]


@pytest.fixture
def own_metrics() -> Any:
    """``OwnL1`` gives a value ``l1`` without saying so; ``OwnFID`` takes what it is given."""

    class OwnL1(BaseMetric):  # type: ignore[misc]
        default_prefix = ""

        def process(self, data_batch: Any, data_samples: Any) -> None:
            self.results.append(1)

        def compute_metrics(self, results: list[Any]) -> dict[str, float]:
            return {"l1": 7.0}

    class OwnFID(OwnL1):
        def __init__(self, real: Any, name: str) -> None:
            super().__init__()
            self.name = name

    for one in (OwnL1, OwnFID):
        METRICS.register_module(module=one)
    yield
    for one in (OwnL1, OwnFID):
        METRICS.module_dict.pop(one.__name__)


def test_two_metrics_with_one_value_name_are_refused_before_anything_is_measured() -> None:
    said = r"SSIM and SSIM give values of one name.*give one of them a name="
    with pytest.raises(UserError, match=said):
        ConfigTable(TWICE, MetricWeights(), ["model"])
    protocol = Protocol(name="mine", version=1, source="here", metrics=tuple(TWICE))
    with pytest.raises(UserError, match=said):
        ProtocolTable(protocol, MetricWeights(), torch.device("cpu"))
    with pytest.raises(UserError, match="L1 and L1 give values of one name"):
        ConfigTable([{"type": "L1"}, {"type": "L1"}], MetricWeights(), ["model"])


@pytest.mark.parametrize("own", [{"name": "small"}, {"prefix": "small"}])
def test_with_a_name_of_its_own_each_has_a_column(own: dict[str, Any]) -> None:
    table = MetricTable([TWICE[0], {**TWICE[1], **own}], MetricWeights(), lenient=True)
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    table.samples = 2
    table.process("model", {"targets": {"image": images}}, [{"image": one} for one in -images])
    first, second = table.results()["model"].values()
    assert first != second


def test_a_value_that_would_hide_another_is_left_out(own_metrics: Any) -> None:
    table = MetricTable([{"type": "L1"}, {"type": "OwnL1"}], MetricWeights(), lenient=True)
    images = torch.zeros(2, 3, 16, 16)
    table.samples = 2
    table.process("model", {"targets": {"image": images}}, [{"image": one + 1} for one in images])
    found = table.report(None, BrokenFiles())
    assert found["results"]["model"] == {"l1": 0.5}
    assert found["warnings"] == ["l1 of OwnL1 is left out: another metric gives a value l1"]


def test_the_real_pictures_of_every_metric_are_told(own_metrics: Any) -> None:
    def real(metric: Any) -> Statistics:
        features = torch.zeros(4)
        return Statistics(
            features, torch.eye(4), 9, digest=metric["name"], notes=("pictures of 8x8, not 9x9",)
        )

    metrics = [{"type": "OwnFID", "real": "train", "name": name} for name in ("fid", "kid")]
    found = MetricTable(metrics, MetricWeights(), True, real).report(None, BrokenFiles())
    assert found["real"] == {
        "fid": {"count": 9, "digest": "fid"},
        "kid": {"count": 9, "digest": "kid"},
    }
    assert found["warnings"] == ["pictures of 8x8, not 9x9"]


@pytest.mark.parametrize(
    ("metric", "why"),
    [
        ({"type": "SISM"}, "SISM"),
        ({"type": "SSIM", "windw": 3}, "windw"),
        ({"net": "alex"}, "type"),
    ],
)
def test_a_metric_that_is_not_there_is_one_sentence(metric: dict[str, Any], why: str) -> None:
    protocol = Protocol(name="mine", version=1, source="here", metrics=(metric,))
    with pytest.raises(UserError, match=rf"^the metric .* cannot be built: .*{why}.*; correct it"):
        ProtocolTable(protocol, MetricWeights(), torch.device("cpu"))


def test_files_of_metrics_that_differ_in_their_prefix_are_kept_apart(tmp_path: Path) -> None:
    metrics = []
    for prefix in ("a", "b"):
        (tmp_path / f"{prefix}.npz").write_text(prefix)
        metrics.append({"type": "FID", "prefix": prefix, "real": str(tmp_path / f"{prefix}.npz")})
    told = MetricWeights(metrics=metrics).used_by(metrics)
    assert {name: one["file"] for name, one in told.items()} == {
        "a/FID.real": "a.npz",
        "b/FID.real": "b.npz",
    }
    assert told["a/FID.real"]["sha256"] != told["b/FID.real"]["sha256"]
