"""The demo script: which tools it runs, in which order, with which arguments."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

# Instead of Python: notes its arguments and makes the files that the next tool needs.
STAND_IN = """#!/usr/bin/env bash
echo "$*" >> calls.txt
case "$*" in *"${FAILS:-nothing fails}"*) exit 3 ;; esac
case "$1" in
data_prep/make_samples.py) mkdir -p work_dirs/demo/toy/data ;;
tools/compare_results.py) echo "the table of all" ;;
tools/test.py) echo "the table of $2" ;;
esac
"""
WORK = "work_dirs/demo/toy"


@pytest.fixture
def checkout(tmp_path: Path, repo_root: Path) -> Path:
    """The script with a task ``toy`` and a stand-in for everything that it starts."""
    files = {
        "tools/setup.sh": "#!/bin/sh\n",
        ".venv/bin/python": STAND_IN,
        "data_prep/samples/toy.py": "",
        "configs/toy/sample.py": "",
        "configs/toy/demo.args": "# comment\n--source\n@DATA@/a picture.png\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    shutil.copy(repo_root / "tools" / "demo.sh", tmp_path / "tools")
    return tmp_path


def demo(
    checkout: Path, *arguments: str, task: str = "toy", **environment: str
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """What it printed, and the calls of this run."""
    calls = checkout / "calls.txt"
    calls.write_text("")
    done = subprocess.run(
        ["bash", str(checkout / "tools" / "demo.sh"), task, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done, calls.read_text().splitlines()


def test_a_task_with_one_sample_config(checkout: Path) -> None:
    done, calls = demo(checkout)
    assert done.returncode == 0, done.stderr
    config = "configs/toy/sample.py"
    measured = f"--out {WORK}/metrics.json --preview {WORK}/preview.png"
    animated = f"--source {WORK}/data/a picture.png --out {WORK}/demo.mp4"
    assert calls == [
        f"data_prep/make_samples.py --task toy --out {WORK}/data",
        f"tools/train.py {config} --work-dir {WORK}",
        f"tools/test.py {config} {WORK}/model.pth {measured}",
        f"tools/animate.py {config} {WORK}/model.pth {animated}",
    ]
    assert "[demo] 4/4 animation" in done.stdout
    files = [f"{WORK}/{name}" for name in ("demo.mp4", "preview.png", "metrics.json")]
    assert done.stdout.splitlines()[-5:] == [f"the table of {config}", "", *files]


def test_other_methods_are_trained_measured_and_compared(checkout: Path) -> None:
    for name in ("sample_warp.py", "sample_mean_colour.py", "samples_not.py"):
        (checkout / "configs" / "toy" / name).write_text("")
    done, calls = demo(checkout)
    assert done.returncode == 0, done.stderr
    expected = []
    for method in ("mean_colour", "warp"):
        config, work = f"configs/toy/sample_{method}.py", f"{WORK}/{method}"
        measured = f"--out {work}/metrics.json --preview {work}/preview.png"
        expected += [
            f"tools/train.py {config} --work-dir {work}",
            f"tools/test.py {config} {work}/model.pth --baselines copy_source zero_flow {measured}",
        ]
    results = [f"{name}={WORK}/{name}/metrics.json" for name in ("mean_colour", "warp")]
    compared = " ".join([f"gfla={WORK}/metrics.json", *results])
    assert calls[3:-1] == [
        *expected,
        f"tools/compare_results.py {compared} --out {WORK}/comparison.json",
    ]
    assert calls[-1].startswith("tools/animate.py configs/toy/sample.py")
    assert "[demo] 5/5 animation" in done.stdout
    last = done.stdout.splitlines()[-6:]
    assert last[:2] == ["the table of all", ""]
    assert last[-1] == f"{WORK}/comparison.json"


def test_resume_reaches_every_training(checkout: Path) -> None:
    (checkout / "configs" / "toy" / "sample_warp.py").write_text("")
    done, _ = demo(checkout, FAILS="train.py configs/toy/sample_warp.py")
    assert done.returncode == 3
    kept = checkout / WORK / "kept"
    kept.write_text("")
    done, calls = demo(checkout, "--resume")
    assert done.returncode == 0, done.stderr
    assert kept.exists()
    assert not any("make_samples" in call for call in calls)
    trained = [call for call in calls if call.startswith("tools/train.py")]
    assert len(trained) == 2
    assert all(call.endswith(" --resume") for call in trained)
    demo(checkout)  # from the beginning
    assert not kept.exists()


def test_a_task_without_a_demo_is_refused(checkout: Path) -> None:
    done, calls = demo(checkout, task="nothing")
    assert (done.returncode, calls) == (2, [])
    assert done.stderr == (
        "error: 'nothing' has no demo, data_prep/samples/nothing.py is missing\n"
    )
