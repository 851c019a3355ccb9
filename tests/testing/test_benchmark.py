"""Every command at tiny sizes: the file has what is promised, and the networks are the configs'."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from gfla_video.registry import MODELS
from gfla_video.testing.benchmark import COMMANDS, Settings, benchmark, format_report
from gfla_video.testing.benchmark.cases import native_problem
from gfla_video.testing.benchmark.networks import (
    FASHION,
    MARKET,
    Plan,
    build_discriminator,
    build_generator,
)
from gfla_video.testing.benchmark.profile import profile_frame
from gfla_video.utils.errors import UserError

CPU = torch.device("cpu")
NATIVE = not native_problem(CPU, torch.float32)
QUICK = Settings(quick=True, warmup=1)
# of each command: words in the names of its cases, and variants that every case has
PROMISED = {
    "op": ({"gather", "attention block"}, set()),
    "model": ({"generator"}, {"materialised float32", "plain float32 channels_last"}),
    "train": ({"stage-2 step"}, {"materialised and redundant float32"}),
    "animate": ({"animate"}, {"materialised, batch 1"}),
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """The report of a command's quick run, as it stands in the file; each is run once."""
    folder = tmp_path_factory.mktemp("benchmarks")
    return functools.cache(lambda command: run(command, folder / command))


def run(command: str, folder: Path) -> dict[str, Any]:
    """Run a command, and hold the file against what Python gets."""
    torch.set_num_threads(1)
    file = folder / "out.json"
    said: list[str] = []
    report = benchmark(command, QUICK, file, said.append)
    written = json.loads(file.read_text())
    assert written == json.loads(json.dumps(report))
    assert said and all(case["name"] in "\n".join(said) for case in report["cases"])
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    return written


def check_case(case: dict[str, Any]) -> None:
    """Time with its spread, memory and floor of every variant; only native ones may be missing."""
    assert all("native" in name for name in case["left_out"])
    if NATIVE:
        assert not case["left_out"]
    for name, entry in case["variants"].items():
        seconds = entry["seconds"]
        assert len(seconds["samples"]) == 2, name
        low, middle, high = (seconds[key] for key in ("min", "median", "max"))
        assert 0 < low <= seconds["q1"] <= middle <= seconds["q3"] <= high
        assert entry["flops"] > 0 and entry["bytes_moved_once"] > 0
        assert entry["floor"]["seconds"] > 0
        assert entry["floor"]["bound_by"] in ("memory", "arithmetic")
        assert entry["fraction_of_floor"] == pytest.approx(entry["floor"]["seconds"] / middle)
        assert entry["items_per_second"] == pytest.approx(entry["items"] / middle)
        if sys.platform == "linux":
            assert entry["peak_bytes"] == entry["peak_extra_bytes"] + entry["state_bytes"]
    assert case["ratios"] or not NATIVE
    for pair, compared in case["ratios"].items():
        slow, fast = pair.split(" / ")
        assert slow in case["variants"] and fast in case["variants"]
        assert compared["time"]["min"] <= compared["time"]["median"] <= compared["time"]["max"]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_file_of_every_command(command: str, reports: Callable[[str], dict[str, Any]]) -> None:
    report = reports(command)
    assert report["command"] == command
    assert report["settings"]["quick"] is True and report["settings"]["device"] == "cpu"
    assert report["versions"]["torch"] == torch.__version__
    assert {"python", "commit", "changed_files"} <= set(report["versions"])
    machine = report["machine"]
    assert machine["cpu"] and machine["cores"] >= 1 and machine["threads"] == 1
    assert report["date"].startswith("20")
    assert isinstance(report["native_build"], dict)
    assert report["rates"]["copy_bytes_per_second"] > 0
    words, variants = PROMISED[command]
    for word in words:
        assert any(word in case["name"] for case in report["cases"]), word
    for case in report["cases"]:
        check_case(case)
        assert variants <= set(case["variants"])
    text = format_report(report)
    assert all(name in text for case in report["cases"] for name in case["variants"])
    assert "these figures mean nothing" in text


def test_op_has_each_size_forward_and_backward_in_both_formats(
    reports: Callable[[str], dict[str, Any]],
) -> None:
    report = reports("op")
    gathers = [case for case in report["cases"] if case["name"].startswith("gather")]
    assert {case["settings"]["window"] for case in gathers} == {2, 4}
    assert sum(case["settings"]["backward"] for case in gathers) == len(gathers) // 2
    blocks = [case for case in report["cases"] if case["name"].startswith("attention")]
    assert [case["settings"]["backward"] for case in blocks] == [False, True]
    for case in blocks:
        assert {"materialised", "convolutions contiguous", "plain channels_last"} <= set(
            case["variants"]
        )
        if NATIVE:
            assert "native channels_last / convolutions channels_last" in case["ratios"]
            assert "materialised / native contiguous" in case["ratios"]


def test_model_tells_where_the_time_goes(reports: Callable[[str], dict[str, Any]]) -> None:
    report = reports("model")
    if not NATIVE:
        pytest.skip("the native op is not built here")
    single, half = report["profiles"]
    assert "float32" in single["name"] and "bfloat16" in half["name"]
    for found in (single, half):
        parts = found["attention_convolutions_ms"] + found["attention_outside_convolutions_ms"]
        assert parts == pytest.approx(found["attention_ms"])
        assert 0 < found["attention_convolutions_ms"] < found["attention_ms"] < found["frame_ms"]
        assert 0 < found["attention_outside_convolutions_share"] < 1
        assert any("convolution" in top["operator"] for top in found["top"])


def test_a_profile_leaves_the_network_as_it_was() -> None:
    network = build_generator(Plan("t", (64, 64), (3, 2), (3, 5), (8, 8), (4, 8), (4, 8))).eval()
    picture, maps = torch.rand(1, 3, 64, 64), torch.rand(1, 18, 64, 64)
    with torch.inference_mode():
        before = network([picture], [maps], maps).image
        profile_frame(lambda: network([picture], [maps], maps), network, CPU, runs=1)
        assert torch.equal(network([picture], [maps], maps).image, before)
    for block in network.renderer.attentions:
        assert "forward" not in vars(block) and "encode_source" not in vars(block)


@pytest.mark.parametrize(("plan", "config"), [(FASHION, "fashion"), (MARKET, "market")])
def test_the_networks_are_the_configs(plan: Plan, config: str, repo_root: Path) -> None:
    settings = Config.fromfile(repo_root / "configs" / "pose" / f"{config}.py")
    stage = settings.stages[1].model
    assert tuple(settings.size) == plan.size
    for ours, theirs in (
        (build_generator(plan), stage.generator),
        (build_discriminator(plan), stage.discriminator),
    ):
        built = MODELS.build(theirs.to_dict())
        shapes = [
            {name: value.shape for name, value in network.state_dict().items()}
            for network in (ours, built)
        ]
        assert shapes[0] == shapes[1]
    losses = stage.losses
    assert tuple(losses.regularization.kernel_sizes) == plan.kernels


def test_a_fault_of_our_own_is_no_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gfla_video.testing.benchmark.model", raising=False)
    monkeypatch.setitem(sys.modules, "gfla_video.apis.inference", None)
    with pytest.raises(ModuleNotFoundError, match=r"gfla_video\.apis\.inference"):
        benchmark("model", QUICK, say=lambda text: None)


@pytest.mark.slow
def test_gather_runs_without_mmengine(run_tool: Callable[..., Any], tmp_path: Path) -> None:
    code = (
        "import runpy, sys\n"
        "for name in ('mmengine', 'timm', 'torchvision', 'av', 'cv2'): sys.modules[name] = None\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    file = tmp_path / "op.json"
    done = run_tool("-c", code, "tools/benchmark.py", "op", "--quick", "--json", file)
    assert "left out: attention block: mmengine is not installed here" in done.stdout
    report = json.loads(file.read_text())
    assert report["left_out"] == {"attention block": "mmengine is not installed here"}
    assert len(report["cases"]) == 6
    refused = run_tool("-c", code, "tools/benchmark.py", "train", "--quick", check=False)
    assert refused.returncode == 2
    assert refused.stderr.endswith(
        "error: benchmark train: mmengine is not installed here, which it needs\n"
    )


def test_an_unknown_command() -> None:
    with pytest.raises(UserError, match="there are the benchmarks op, model, train, animate"):
        benchmark("speed", QUICK)


def test_the_command_line_refuses_bad_values(run_tool: Callable[..., Any]) -> None:
    done = run_tool("tools/benchmark.py", "op", "--quick", "--repeats", "0", check=False)
    assert done.returncode == 2
    assert done.stderr == "error: --repeats 0: at least 1\n"


def test_a_file_that_cannot_be_written_is_said_before_measuring(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file"):
        benchmark("op", Settings(quick=True), tmp_path / "file" / "op.json", said.append)
    assert not said
