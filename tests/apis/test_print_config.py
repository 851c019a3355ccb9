"""What is printed is the config that counts, and can be used as one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.config import Config

from gfla_video.apis.config import load_config
from gfla_video.apis.print_config import config_text
from gfla_video.utils.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "configs" / "pose" / "sample.py"


def read(text: str) -> dict[str, object]:
    found: dict[str, object] = Config.fromstring(text, ".py").to_dict()
    return found


def public(config: Config) -> dict[str, object]:
    return {key: value for key, value in config.to_dict().items() if not key.startswith("_")}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "configs").glob("[!_]*/*.py")), ids=lambda p: p.stem
)
def test_every_config_survives_being_printed(path: Path) -> None:
    assert read(config_text(path)) == public(load_config(path))


def test_bases_options_and_defaults_are_in() -> None:
    text = config_text(SAMPLE, {"stages.1.train_cfg.max_iters": 77})
    found = read(text)
    assert "_base_" not in text and "_flow_losses" not in text
    assert found["task"] == "pose"  # of a base
    assert found["randomness"] == {"seed": 0}  # of the engine
    assert found["stages"][1]["train_cfg"]["max_iters"] == 77  # type: ignore[index]


def test_one_stage() -> None:
    found = read(config_text(SAMPLE, stage=1))
    assert found["model"]["type"] == "FlowModel"  # type: ignore[index]
    assert found["train_cfg"] == {"type": "ResumableTrainLoop", "max_iters": 550}
    assert "stages" not in found and "work_dir" not in found
    with pytest.raises(UserError, match="--stage 3: the config has stages 1 to 2"):
        config_text(SAMPLE, stage=3)


def test_wrong_keys_are_refused() -> None:
    with pytest.raises(UserError, match="max_iter"):
        config_text(SAMPLE, {"stages.0.train_cfg.max_iter": 3})


def test_the_command(run_tool: Callable[..., object]) -> None:
    done = run_tool("tools/print_config.py", SAMPLE, "--stage", "2")
    assert read(done.stdout) == read(config_text(SAMPLE, stage=2))  # type: ignore[attr-defined]
