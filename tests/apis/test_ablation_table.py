"""Means and spreads over seeds, worked by hand."""

from __future__ import annotations

from typing import Any

import pytest

from gfla_video.apis.ablation_table import ablation_markdown, summarise
from gfla_video.utils.errors import UserError

PROTOCOL = {"name": "gfla-2020", "version": 1, "digest": "0123456789ab", "ssim_window": 51}


def report(values: dict[str, float | None], count: int = 6, **more: Any) -> dict[str, Any]:
    results = {"model": values, "copy_source": {"l1": 0.5}}
    table = {"protocol": PROTOCOL, "count": count, "results": results}
    return {"tables": [{**table, **more}]}


def test_mean_and_sample_deviation() -> None:
    runs = [("a", report({"l1": 1.0})), ("a", report({"l1": 2.0})), ("a", report({"l1": 6.0}))]
    (table,) = summarise([*runs, ("b", report({"l1": 7.0, "epe": 1.0}))])
    # deviations from 3: -2, -1, 3; squares 4 + 1 + 9 = 14; over n - 1 = 2: 7
    assert table["results"]["a"]["l1"] == {
        "mean": 3.0,
        "spread": pytest.approx(7**0.5),
        "values": [1.0, 2.0, 6.0],
    }
    assert table["results"]["b"] == {
        "l1": {"mean": 7.0, "spread": None, "values": [7.0]},
        "epe": {"mean": 1.0, "spread": None, "values": [1.0]},
    }
    assert table["results"]["copy_source"]["l1"]["mean"] == 0.5
    assert table["protocol"] == PROTOCOL and table["count"] == 6


def test_a_value_that_one_seed_has_not_has_no_mean() -> None:
    (table,) = summarise([("a", report({"l1": 1.0})), ("a", report({"l1": None}))])
    assert table["results"]["a"]["l1"] == {"mean": None, "spread": None, "values": [1.0, None]}


OWN = {
    "test_metrics": [{"type": "L1"}],
    "real": {"fid": {"count": 9, "digest": "a"}},
    "weights": {"alex": {"file": "a", "sha256": "1"}},
}


@pytest.mark.parametrize(
    "other",
    [
        *({"count": 5}, {"protocol": None}, {"references": "ab"}),
        {"test_metrics": [{"type": "L1", "crop": 8}]},
        {"real": {"fid": {"count": 9, "digest": "b"}}},
        {"weights": {"alex": {"file": "a", "sha256": "2"}}},
        {"results": {"model": {"l1": 1.0}, "copy_source": {"l1": 0.6}}},
    ],
)
def test_runs_that_were_measured_otherwise_are_refused(other: dict[str, Any]) -> None:
    changed = report({"l1": 1.0}, **other)
    runs = [("a", report({"l1": 1.0}, **OWN)), ("a", report({"l1": 1.0}, **OWN)), ("b", changed)]
    with pytest.raises(UserError, match="a and b: cannot stand in one table, as .*measure both"):
        summarise(runs)


def test_every_run_has_as_many_tables() -> None:
    more = report({"l1": 1.0})
    more["tables"] *= 2
    with pytest.raises(UserError, match="not measured under as many protocols"):
        summarise([("a", report({"l1": 1.0})), ("b", more)])


def test_a_model_without_flow_needs_no_metric_of_it() -> None:
    both = [{"type": "L1"}, {"type": "FlowEPE"}]
    runs = [
        ("plain", report({"l1": 1.0}, test_metrics=both[:1])),
        ("full", report({"l1": 2.0, "epe": 3.0}, test_metrics=both)),
    ]
    assert set(summarise(runs)[0]["results"]) == {"plain", "full", "copy_source"}


def test_a_model_is_not_called_like_a_baseline() -> None:
    with pytest.raises(UserError, match="copy_source: is a baseline's row"):
        summarise([("copy_source", report({"l1": 1.0}))])


def test_warnings_are_said_once() -> None:
    few = {"warnings": ["6 of 8,570 pictures"]}
    runs = [("a", report({"l1": 1.0}, **few)), ("b", report({"l1": 1.0}, **few))]
    (table,) = summarise(runs)
    assert table["warnings"] == ["6 of 8,570 pictures"]


def test_markdown() -> None:
    model = {
        "config": "configs/pose/sample.py",
        "parameters": 4_476_573,
        "iterations": {"flow": 275, "full": 500},
        "train_seconds": [100.0, 110.0],
    }
    runs = [("a", report({"l1": 1.0})), ("a", report({"l1": 2.0}, warnings=["few"]))]
    text = ablation_markdown(
        {"seeds": [0, 1], "models": {"a": model}, "tables": summarise(runs)},
    )
    assert "Mean and standard deviation over the seeds 0, 1." in text
    assert "| a | `configs/pose/sample.py` | 4.48 M | flow 275, full 500 | 105 s |" in text
    assert "gfla-2020 v1 (0123456789ab), 6 held-out samples:" in text
    assert "| a | 1.5000 ± 0.7071 |" in text
    assert "| copy_source | 0.5000 |" in text
    assert "Warning: few" in text
