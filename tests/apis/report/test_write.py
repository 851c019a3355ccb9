"""The static HTML report, read by a parser: nothing from a network, every link there."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gfla_video.apis.report import (
    ReportSamples,
    SampleKeeper,
    check_report_folder,
    write_report,
)
from gfla_video.apis.report import write as report_module
from gfla_video.apis.report.curves import curve_svg
from gfla_video.apis.training_logs import Curve
from gfla_video.utils.errors import UserError
from gfla_video.utils.video import read_video

VOID = {"meta", "img", "source", "line", "polyline", "br", "link"}


class Reader(HTMLParser):
    """Collects tags with their attributes and the text; fails on tags that do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[list[str]] = []
        self.text = ""
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1][-1] += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def table(**changes: Any) -> dict[str, Any]:
    return {
        "protocol": {
            "name": "gfla-2020",
            "version": 1,
            "digest": "0123456789ab",
            "steps": [{"resize": "pillow", "filter": "bicubic"}],
        },
        "count": 24,
        "expected_count": 8570,
        "broken": ["a_2_b: cut off"],
        "warnings": ["fid: left out, its weights <inception> are not given"],
        "test_metrics": [{"type": "SSIM", "window": 11}],
        "weights": {"lpips-squeeze": {"file": "squeeze.npz", "sha256": "ab12"}},
        "results": {
            "model": {"ssim": 0.81234, "count": 3, "fid": None},
            "copy_source": {"fid": 9.5},
        },
        **changes,
    }


def results(*tables: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": "gfla_video results",
        "version": 1,
        "task": "pose",
        "config": "sample.py",
        "checkpoint": "model.pth",
        "iterations": 1000,
        "size": [96, 64],
        "inference": {"precision": "float32"},
        "command": "tools/test.py a b --report c & d",
        "tables": list(tables) or [table()],
    }


def samples(clips: bool = False) -> ReportSamples:
    keeper = SampleKeeper(best=2, worst=1)
    shape = (3, 16, 24, 3) if clips else (16, 24, 3)
    for number in range(4):
        picture = np.full(shape, 60 * number, np.uint8)
        keeper.add(f"a<{number}>_2_b", number / 10, {"source": picture, "result": picture})
    return keeper.samples()


def read(folder: Path) -> Reader:
    return Reader((folder / "index.html").read_text(encoding="utf-8"))


def test_tables_say_protocol_counts_and_warnings(tmp_path: Path) -> None:
    other = table(protocol=None, expected_count=None, warnings=[], broken=[])
    page = read(write_report(tmp_path / "report", results(table(), other)).parent)
    assert "gfla-2020 v1 (0123456789ab)" in page.text
    assert "24 held-out samples of the 8570 that the protocol expects" in page.text
    assert "the config's own metrics" in page.text
    assert "fid: left out, its weights <inception> are not given" in page.text
    assert "1 broken, left out" in page.text and "a_2_b: cut off" in page.text
    assert page.cells[:3] == [
        ["", "ssim", "count", "fid"],
        ["model", "0.8123", "3", "-"],
        ["copy_source", "-", "-", "9.5000"],
    ]
    scopes = [attributes.get("scope") for attributes in page.all("th")]
    assert scopes == (["col"] * 4 + ["row"] * 2) * 2
    notes = [tag for tag in page.all("div") if tag.get("role") == "note"]
    assert len(notes) == 1  # only where there is a warning
    assert "tools/test.py a b --report c & d" in page.text


@pytest.mark.parametrize("clips", [False, True])
def test_every_link_is_there_and_nothing_comes_from_a_network(tmp_path: Path, clips: bool) -> None:
    folder = write_report(tmp_path / "report", results(), samples(clips)).parent
    page = read(folder)
    links = [
        attributes[name]
        for _, attributes in page.tags
        for name in ("src", "href", "poster")
        if attributes.get(name)
    ]
    anchors = {f"#{attributes['id']}" for _, attributes in page.tags if attributes.get("id")}
    for link in links:
        assert link in anchors or (folder / link).is_file(), link
    linked = {link for link in links if not link.startswith("#")}
    written = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert written == linked | {"index.html"}
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert "://" not in text and "@import" not in text and "url(" not in text
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))


def test_best_and_worst_with_their_scores(tmp_path: Path) -> None:
    page = read(write_report(tmp_path / "report", results(), samples()).parent)
    assert "The 2 best of 4 by l1, the best first." in page.text
    assert "The 1 worst of 4 by l1, the worst first." in page.text
    pictures = page.all("img")
    assert len(pictures) == 3 * 2
    assert pictures[0]["alt"] == "source of a<0>_2_b"
    assert (pictures[0]["width"], pictures[0]["height"]) == ("288", "192")  # enlarged
    assert page.text.index("a<0>_2_b") < page.text.index("a<1>_2_b") < page.text.index("a<3>_2_b")


def test_clips_become_videos_with_a_still_picture(tmp_path: Path) -> None:
    folder = write_report(tmp_path / "report", results(), samples(clips=True)).parent
    page = read(folder)
    videos = page.all("video")
    assert len(videos) == 3 and not page.all("img")
    assert all("controls" in video and video["aria-label"] for video in videos)
    assert len(list(read_video(folder / "videos" / "best_01.mp4"))) == 3


def test_curves_are_drawn_from_the_logs_beside_the_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "run" / "stage1_flow" / "1" / "vis_data" / "scalars.json"
    log.parent.mkdir(parents=True)
    rows = [{"loss": 9.0 / step, "lr": 0.1, "time": 1.0, "step": step} for step in (1, 2, 3)]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    checkpoint = tmp_path / "run" / "model.pth"
    page = read(write_report(tmp_path / "report", results(), checkpoint=checkpoint).parent)
    (chart,) = page.all("svg")
    assert chart["aria-label"] == ("loss: 9 at iteration 1, 3 at 3, smallest 3, largest 9")
    assert "stage1_flow" in page.text
    assert "Training" not in read(write_report(tmp_path / "plain", results()).parent).text
    log.write_text("no numbers\n")  # said, but no reason to lose the evaluation
    page = read(write_report(tmp_path / "broken", results(), checkpoint=checkpoint).parent)
    assert "holds no line of numbers" in capsys.readouterr().err
    assert not page.all("svg")


def test_a_chart_spans_its_frame_and_is_thinned() -> None:
    curve = Curve(list(range(1, 5001)), [float(step) for step in range(1, 5001)])
    reader = Reader(curve_svg("loss<a>", curve))
    (line,) = reader.all("polyline")
    points = [tuple(map(float, pair.split(","))) for pair in str(line["points"]).split()]
    assert len(points) == 302
    assert points[0] == (6.0, 104.0) and points[-1] == (254.0, 20.0)
    assert points == sorted(points)
    flat = Reader(curve_svg("loss", Curve([1, 2], [4.0, 4.0])))
    assert {pair.split(",")[1] for pair in str(flat.all("polyline")[0]["points"]).split()} == {
        "62.0"
    }


def test_a_report_replaces_a_report_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    write_report(folder, results(), samples())
    assert (folder / "pictures").is_dir()
    write_report(folder, results())
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", "results.json"]
    assert json.loads((folder / "results.json").read_text()) == results()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"report: holds thesis.tex, give the report a folder"):
        write_report(folder, results())
    assert (folder / "thesis.tex").is_file()
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="is a file"):
        check_report_folder(tmp_path / "file")
    site = tmp_path / "site"
    site.mkdir()
    check_report_folder(site)  # an empty one may be taken
    (site / "index.html").write_text("<h1>My page</h1>")
    with pytest.raises(UserError, match="holds no report"):
        check_report_folder(site)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "report", "site"]


@pytest.mark.parametrize("strange", ["pictures/mine.png", "videos/cut", "pictures/best_1.txt"])
def test_what_lies_among_a_reports_pictures_is_kept(tmp_path: Path, strange: str) -> None:
    folder = tmp_path / "report"
    write_report(folder, results(), samples())
    write_report(folder, results(), samples(clips=True))  # its own files are no strangers
    write_report(folder, results(), samples())
    (folder / strange).parent.mkdir(exist_ok=True)
    (folder / strange).write_text("years of work")
    with pytest.raises(UserError, match=f"report: holds {strange}, give the report a folder"):
        write_report(folder, results())
    assert (folder / strange).is_file()


def test_a_failure_leaves_the_older_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_report(tmp_path / "report", results(), samples()).parent
    before = (folder / "index.html").read_bytes()

    def fail(*_: Any) -> None:
        raise RuntimeError("no space")

    monkeypatch.setattr(report_module, "page", fail)
    with pytest.raises(RuntimeError, match="no space"):
        write_report(folder, results())
    assert (folder / "index.html").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_where_the_new_report_cannot_take_its_place_the_older_one_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_report(tmp_path / "report", results(), samples()).parent
    before = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    real = Path.rename

    def second_fails(self: Path, target: Path) -> Path:
        if self.name.endswith(".tmp") and self.is_dir():
            raise OSError("disk gone")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(UserError, match=r"report: the report cannot be written \(disk gone\)"):
        write_report(folder, results(table(count=7)))
    after = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert after == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
