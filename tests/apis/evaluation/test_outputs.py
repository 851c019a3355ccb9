"""Outputs are refused before an evaluation begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gfla_video.apis.evaluation import evaluate as module
from gfla_video.apis.evaluation.evaluate import evaluate
from gfla_video.apis.evaluation.measure import measure_images
from gfla_video.apis.evaluation.measures import Measures
from gfla_video.apis.evaluation.outputs import check_outputs
from gfla_video.utils.errors import UserError


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({"out": ""}, "--out .*: is a folder, give it the name of a file"),
        ({"preview": ""}, "--preview .*: is a folder"),
        ({"preview": "p.xyz"}, r"--preview .*p\.xyz: must end in \.png"),
        ({"report": "r", "out": "r/a.json"}, r"--out .*: lies in the folder of --report"),
        ({"report": "r", "preview": "r/x/p.png"}, "--preview .*: lies in the folder"),
        ({"report": "r", "images_out": "r/made"}, "--images-out .*: lies in the folder"),
        ({"report": "r", "images_out": "r"}, "--images-out .*: lies in the folder"),
        ({"report": "", "out": "a.json"}, "--out .*: lies in the folder"),
    ],
)
def test_what_could_not_be_written_in_the_end(
    tmp_path: Path, outputs: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths: dict[str, Any] = {name: tmp_path / path for name, path in outputs.items()}
    with pytest.raises(UserError, match=said):
        check_outputs(**paths)
    monkeypatch.setattr(module, "load_config", None)  # nothing is read before
    with pytest.raises(UserError, match=said):
        evaluate("config.py", "model.pth", **paths)
    if paths.keys() <= {"out", "report"}:
        with pytest.raises(UserError, match=said):
            measure_images(tmp_path, tmp_path, Measures(("sample",)), **paths)
    assert not list(tmp_path.iterdir())


def test_outputs_beside_each_other(tmp_path: Path) -> None:
    check_outputs(
        out=tmp_path / "o" / "report.json",
        report=tmp_path / "o" / "report",
        preview=tmp_path / "p.PNG",
        images_out=tmp_path / "report_images",
    )
    assert (tmp_path / "o").is_dir() and (tmp_path / "report_images").is_dir()
