"""Anybody's pictures against references: names, formats, sizes, broken files, memory."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gfla_video.apis.evaluation.measure import match_pictures, measure_images
from gfla_video.apis.evaluation.measures import Measures
from gfla_video.apis.tables import format_tables
from gfla_video.evaluation.protocols import FileFormat, Protocol, Resize
from gfla_video.utils.errors import UserError

L1 = ({"type": "L1"},)
PLAIN = Protocol(name="plain", version=1, source="here", metrics=({"type": "SSIM"}, *L1))


def save(folder: Path, name: str, seed: int, size: tuple[int, int] = (32, 24)) -> np.ndarray:
    """A random picture, and what is read back from its file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / name)
    return np.asarray(Image.open(folder / name))


def measured(folder: Path, *protocols: str | Protocol, **more: Any) -> dict[str, Any]:
    """Pictures in ``made`` against ``true``."""
    measures = Measures(protocols or (PLAIN,), **more.pop("measures", {}))
    return measure_images(folder / "made", folder / "true", measures, device="cpu", **more)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference of two pictures in [0, 1]."""
    return float(np.abs(one.astype(float) - other).mean() / 255)


def test_names_are_matched_as_people_write_them(tmp_path: Path) -> None:
    for number, name in enumerate(("a", "b", "man_2_front", "b10", "unused")):
        save(tmp_path / "true", f"{name}.png", number)
    wanted = {
        "a.png": "a.png",
        "b_vis.jpg": "b.png",
        "b10_vis.png": "b10.png",
        "woman_2_a_vis.jpg": "a.png",
        "man_2_front_vis.png": "man_2_front.png",  # the whole name before its end
        "man___b_vis.png": "b.png",
    }
    for name in (*wanted, "nobody_vis.png"):
        save(tmp_path / "made", name, 9)
    found = match_pictures(tmp_path / "made", tmp_path / "true")
    assert {made.name: true.name for made, true in found.pairs} == wanted
    names = [made.name for made, _ in found.pairs]
    assert names.index("b10_vis.png") < names.index("b_vis.jpg")
    assert found.alone == ["nobody_vis.png"]
    assert found.missing == ["unused.png"]
    assert found.told() == {
        "pictures": 7,
        "references": 5,
        "matched": 6,
        "pictures_without_reference": ["nobody_vis.png"],
        "references_without_picture": ["unused.png"],
    }


def test_frames_of_clips_are_matched_within_their_folder(tmp_path: Path) -> None:
    """Every clip has a 00001: matched by name alone, they would be one, or the wrong one."""
    true, expected = {}, []
    for clip in ("c1", "c2", "deep/c3"):
        for frame in range(2):
            name = f"{clip}/{frame:05d}"
            true[name] = save(tmp_path / "true" / clip, f"{frame:05d}.png", len(true))
    for number, name in enumerate(("c1/00000", "c2/00001", "deep/c3/00000", "c4/00000")):
        folder = (tmp_path / "made" / name).parent
        made = save(folder, f"{name[-5:]}_vis.png", 50 + number)
        if name in true:
            expected.append(difference(made, true[name]))
    found = match_pictures(tmp_path / "made", tmp_path / "true")
    assert [path.relative_to(tmp_path).as_posix() for pair in found.pairs for path in pair] == [
        *("made/c1/00000_vis.png", "true/c1/00000.png"),
        *("made/c2/00001_vis.png", "true/c2/00001.png"),
        *("made/deep/c3/00000_vis.png", "true/deep/c3/00000.png"),
    ]
    assert found.alone == ["c4/00000_vis.png"]
    assert found.missing == ["c1/00001.png", "c2/00000.png", "deep/c3/00001.png"]
    (table,) = measured(tmp_path)["tables"]
    assert table["results"]["model"]["l1"] == pytest.approx(np.mean(expected), rel=1e-5)
    for clip in ("c1", "c2"):  # broken ones of one name are two
        save(tmp_path / "made" / clip, "00001_vis.png", 3, size=(9, 9))
    (table,) = measured(tmp_path)["tables"]
    assert [line.split(":")[0] for line in table["broken"]] == [
        "c1/00001_vis.png",
        "c2/00001_vis.png",
    ]


def test_sub_folders_of_one_side_alone_say_nothing(tmp_path: Path) -> None:
    for clip, name in (("men", "a"), ("women", "b")):
        save(tmp_path / "true" / clip, f"{name}.png", 0)
        save(tmp_path / "made", f"{name}_vis.png", 1)
    assert len(match_pictures(tmp_path / "made", tmp_path / "true").pairs) == 2
    save(tmp_path / "true" / "women", "a.png", 0)
    with pytest.raises(UserError, match="has the same name"):
        match_pictures(tmp_path / "made", tmp_path / "true")


def test_sub_folders_of_other_names_say_nothing(tmp_path: Path) -> None:
    save(tmp_path / "true" / "test", "a.png", 0)
    save(tmp_path / "made" / "run1", "a_vis.png", 1)
    assert len(match_pictures(tmp_path / "made", tmp_path / "true").pairs) == 1


def test_numbers_and_the_results_file(tmp_path: Path) -> None:
    expected = []
    for index in range(5):
        true = save(tmp_path / "true", f"{index}.png", index)
        made = save(tmp_path / "made", f"x_2_{index}_vis.png", 10 + index)
        expected.append(difference(made, true))
    save(tmp_path / "made", "other_vis.png", 20)
    out = tmp_path / "out.json"
    report = measured(tmp_path, out=out, report=tmp_path / "report", batch_size=2)
    assert json.loads(out.read_text()) == report
    assert (report["format"], report["checkpoint"], report["images"]) == (
        "gfla_video results",
        None,
        "made",
    )
    (table,) = report["tables"]
    assert table["results"]["model"]["l1"] == pytest.approx(np.mean(expected), rel=1e-5)
    assert table["count"] == 5
    assert table["warnings"] == [
        "1 of 6 pictures have no reference and are left out, such as other_vis.png"
    ]
    assert (tmp_path / "report" / "index.html").is_file()
    again = measured(tmp_path, batch_size=1)["tables"][0]
    assert again["results"]["model"] == pytest.approx(table["results"]["model"])
    assert again["references"] == table["references"]


def test_a_jpg_is_not_compressed_again_and_a_png_is_as_the_protocol_says(tmp_path: Path) -> None:
    jpg = Protocol(
        name="as-jpg", version=1, source="here", metrics=L1, file=FileFormat("jpg", 75, "4:2:0")
    )
    true = save(tmp_path / "true", "a.png", 0)
    made = save(tmp_path / "made", "a_vis.png", 1)
    first, second = measured(tmp_path, PLAIN, jpg)["tables"]
    assert first["results"]["model"]["l1"] == pytest.approx(difference(made, true), rel=1e-5)
    through = FileFormat("jpg", 75, "4:2:0").round_trip(made)
    assert second["results"]["model"]["l1"] == pytest.approx(difference(through, true), rel=1e-5)
    assert "were made one as as-jpg says: jpg 75, 4:2:0" in second["warnings"][0]
    (tmp_path / "made" / "a_vis.png").unlink()
    made = save(tmp_path / "made", "a_vis.jpg", 1)
    first, second = measured(tmp_path, PLAIN, jpg)["tables"]
    for table in (first, second):
        assert table["results"]["model"]["l1"] == pytest.approx(difference(made, true), rel=1e-5)
    assert "plain measures png: what was lost stays" in first["warnings"][0]
    assert second["warnings"] == []


def test_broken_pictures_and_other_sizes_are_named_and_counted(tmp_path: Path) -> None:
    for index in range(4):
        save(tmp_path / "true", f"{index}.png", index)
        save(tmp_path / "made", f"{index}_vis.png", 9, (32, 24) if index else (16, 24))
    (tmp_path / "made" / "1_vis.png").write_bytes(b"none")
    square = Protocol(
        name="square",
        version=1,
        source="here",
        metrics=L1,
        size=(24, 24),
        sizes=((24, 24),),
        otherwise=Resize((24, 24), "pillow", "bicubic"),
        expected_count=4,
    )
    plain, resized = measured(tmp_path, PLAIN, square)["tables"]
    assert plain["count"] == 2
    assert plain["broken"] == [
        "1_vis.png: the image cannot be read (not a picture)",
        "0_vis.png: is 16x24 under plain, its reference 32x24",
    ]
    assert plain["warnings"][0].startswith("2 samples are left out, as 2 pictures cannot be used")
    assert resized["count"] == 3
    assert len(resized["broken"]) == 1
    text = format_tables({"tables": [resized]})
    assert "warning: pictures of 16x24, not 24x24, are resized to 24x24 by pillow bicubic" in text
    assert "warning: pictures of 32x24, not 24x24, are resized" in text
    assert "warning: 3 pictures, not the protocol's 4" in text


def test_a_protocol_that_refuses_all_pictures_does_not_cost_the_others(tmp_path: Path) -> None:
    values = {"version": 1, "source": "here", "metrics": L1, "size": (24, 24), "sizes": ((24, 24),)}
    square = Protocol(name="square", otherwise=Resize((24, 24), "pillow", "box"), **values)
    for index in range(2):
        save(tmp_path / "true", f"{index}.png", index)
        save(tmp_path / "made", f"{index}.png", 9, (16, 24))
    good, empty = measured(tmp_path, square, PLAIN)["tables"]
    assert (good["count"], set(good["results"]["model"])) == (2, {"l1"})
    assert (empty["count"], empty["results"]) == (0, {"model": {}})
    assert empty["warnings"][-1] == "not one picture could be measured"
    assert "plain v1" in format_tables({"tables": [good, empty]})
    with pytest.raises(UserError, match="no picture could be measured, the first: 0.png: is"):
        measured(tmp_path, PLAIN)


def test_what_is_true_of_some_pictures_says_of_how_many(tmp_path: Path) -> None:
    values = {"version": 1, "source": "here", "metrics": L1, "size": (24, 24), "sizes": ((24, 24),)}
    square = Protocol(name="square", otherwise=Resize((24, 24), "pillow", "box"), **values)
    for index in range(4):
        size = (32, 24) if index else (24, 24)
        save(tmp_path / "true", f"{index}.png", index, size)
        save(tmp_path / "made", f"{index}.{'jpg' if index < 2 else 'png'}", 9, size)
    (table,) = measured(tmp_path, square)["tables"]
    sizes, written = table["warnings"]
    assert sizes.startswith("pictures of 32x24, not 24x24, are resized")
    assert sizes.endswith(" (in 3 of 4 samples)")
    assert written.startswith("2 of 4 pictures are jpg, square measures png")


def test_pictures_of_many_sizes_do_not_fill_the_table_with_warnings(tmp_path: Path) -> None:
    for index in range(9):
        for folder in ("true", "made"):
            save(tmp_path / folder, f"{index}.png", index, (20 + index, 24))
    values = {"version": 1, "source": "here", "metrics": L1, "size": (24, 24), "sizes": ((24, 24),)}
    protocol = Protocol(name="square", otherwise=Resize((24, 24), "pillow", "box"), **values)
    (table,) = measured(tmp_path, protocol)["tables"]
    assert table["count"] == 9
    assert len(table["warnings"]) == 4
    assert table["warnings"][-1] == "so are pictures of 5 other sizes"


def test_metrics_of_clips_and_of_joints_are_left_out_with_a_warning(tmp_path: Path) -> None:
    kinds = [{"type": "TemporalWarpingError"}, {"type": "SSIM", "mask": "points", "name": "body"}]
    protocol = Protocol(name="more", version=1, source="here", metrics=(*L1, *kinds))
    save(tmp_path / "true", "a.png", 0)
    save(tmp_path / "made", "a.png", 1)
    (table,) = measured(tmp_path, protocol)["tables"]
    assert set(table["results"]["model"]) == {"l1"}
    assert table["warnings"] == [
        "TemporalWarpingError is left out: the samples give no clips",
        "body is left out: the samples give no target 'points'",
    ]


def test_a_metric_that_refuses_the_pictures_is_left_out_with_its_reason(tmp_path: Path) -> None:
    wide = {"type": "SSIM", "window": 51, "sigma": None, "name": "wide"}
    protocol = Protocol(name="more", version=1, source="here", metrics=(*L1, wide))
    save(tmp_path / "true", "a.png", 0)
    save(tmp_path / "made", "a.png", 1)
    (table,) = measured(tmp_path, protocol)["tables"]
    assert set(table["results"]["model"]) == {"l1"}
    assert table["warnings"][0].startswith("wide is left out: SSIM: the window of 51 pixels does")


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    save(tmp_path / "true", "a.png", 0)
    with pytest.raises(UserError, match="--images .*made: there is no such folder"):
        measured(tmp_path)
    (tmp_path / "made").mkdir()
    with pytest.raises(UserError, match="made: holds no picture"):
        measured(tmp_path)
    save(tmp_path / "made", "x_2_b_vis.png", 0)
    with pytest.raises(UserError, match="x_2_b_vis.png would belong to x_2_b or b or x_2_b_vis"):
        measured(tmp_path)
    save(tmp_path / "made", "a_vis.jpg", 0)
    save(tmp_path / "made", "a_vis.png", 0)
    with pytest.raises(UserError, match="has the same name"):
        measured(tmp_path)
    (tmp_path / "made" / "a_vis.jpg").unlink()
    save(tmp_path / "made", "a.png", 0)  # two pictures of one reference
    with pytest.raises(UserError, match=r"a(_vis)?\.png has the same name"):
        measured(tmp_path)
    (tmp_path / "made" / "a.png").unlink()
    for protocols in ((), ("config",)):
        with pytest.raises(UserError, match="--images needs --protocol NAME"):
            measure_images(tmp_path / "made", tmp_path / "true", Measures(protocols))
    (tmp_path / "made" / "a_vis.png").write_bytes(b"none")
    with pytest.raises(UserError, match=r"no picture could be measured, the first: a_vis.png: the"):
        measured(tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--preview", "p.png"), "--preview"),
        (("--images-out", "out"), "--images-out"),
        (("--baselines", "copy_source"), "--baselines"),
        (("--baselines",), "--baselines"),
        (("--cfg-options", "size=3"), "--cfg-options"),
        (("--precision", "bfloat16"), "--precision"),
        (("--compile",), "--compile"),
        (("--cuda-graphs",), "--cuda-graphs"),
        (("--no-channels-last",), "--channels-last"),
    ],
)
def test_what_only_a_checkpoint_can_do_is_refused(
    options: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, repo_root: Path
) -> None:
    arguments = ("--images", "a", "--reference", "b", "--protocol", "sample", *options)
    monkeypatch.setattr(sys, "argv", ["tools/test.py", *arguments])
    tool = runpy.run_path(str(repo_root / "tools" / "test.py"))
    with pytest.raises(UserError, match=f"{said}: is for a config and its checkpoint"):
        tool["main"]()


def test_the_list_stands_alone(monkeypatch: pytest.MonkeyPatch, repo_root: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["tools/test.py", "--protocol", "list", "sample"])
    tool = runpy.run_path(str(repo_root / "tools" / "test.py"))
    with pytest.raises(UserError, match="--protocol list: .*stands alone"):
        tool["main"]()


@pytest.mark.slow
def test_the_tool(tmp_path: Path, run_tool: Callable[..., Any]) -> None:
    for index in range(3):
        save(tmp_path / "true", f"{index}.png", index)
        save(tmp_path / "made", f"{index}_vis.png", 9)
    folders = ("--images", tmp_path / "made", "--reference", tmp_path / "true")
    out = tmp_path / "out.json"
    done = run_tool("tools/test.py", *folders, "--protocol", "sample", "--out", out)
    assert "3 of 3 pictures in " in done.stdout
    assert "sample v1 (" in done.stdout
    assert "measuring" in done.stderr
    assert json.loads(out.read_text())["command"].startswith("tools/test.py --images ")


MEMORY = """
import resource, sys
from gfla_video.apis.evaluation.measures import Measures
from gfla_video.apis.evaluation.measure import measure_images
from gfla_video.evaluation.protocols import Protocol
L1 = Protocol(name="l1", version=1, source="here", metrics=({"type": "L1"},))
for count in sys.argv[2:]:
    folder = f"{sys.argv[1]}/{count}"
    measure_images(folder, folder, Measures((L1,)), device="cpu")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path: Path) -> None:
    """The same process measures 100 pictures, then 2,000, which together would be 98 MB."""
    pixels = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "one.jpg")
    for count in (100, 2000):
        (tmp_path / str(count)).mkdir()
        for index in range(count):
            os.link(tmp_path / "one.jpg", tmp_path / str(count) / f"{index:05d}.jpg")
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path), "100", "2000"],
        capture_output=True,
        text=True,
        check=True,
    )
    few, many = (int(line) for line in done.stdout.split())
    assert many - few < 20_000, f"{few} kB for 100 pictures, {many} kB for 2,000"
