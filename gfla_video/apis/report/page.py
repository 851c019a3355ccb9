"""The HTML of a report: pure text, all links relative, nothing fetched."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from gfla_video.apis.report.curves import curve_svg, drawn_curves
from gfla_video.apis.report.style import STYLE
from gfla_video.apis.tables import format_count, table_title
from gfla_video.apis.training_logs import Curve

GENERATOR = '<meta name="generator" content="gfla_video report">'
_HEAD_OF_REPORT = ("tables", "format", "version")  # what the page does not say as a plain fact
_SHOWN = (  # of a table, with places of their own
    *("protocol", "count", "clips", "expected_count", "broken", "warnings", "test_metrics"),
    *("weights", "results"),
)


@dataclass(frozen=True)
class ShownFile:
    """A picture or a video beside the page.

    Attributes:
        path: relative to the page.
        title: of the panel, or the panels.
        size: (H, W) on the page.
        poster: of a video, its still picture; None: it is a picture.
    """

    path: str
    title: str
    size: tuple[int, int]
    poster: str | None = None


@dataclass(frozen=True)
class ShownSample:
    """A sample of the page: what it is called, and its files."""

    name: str
    score: float
    files: list[ShownFile]


@dataclass(frozen=True)
class ShownSamples:
    """The samples of the page, as :class:`gfla_video.apis.report.ReportSamples` orders them."""

    score: str
    count: int
    best: list[ShownSample]
    worst: list[ShownSample]


def page(
    report: Mapping[str, Any],
    samples: ShownSamples | None,
    curves: Mapping[str, Mapping[str, Curve]],
) -> str:
    """The whole page.

    Args:
        report: what ``results.json`` holds.
        samples: best and worst ones, None leaves them out.
        curves: by stage, then by name.
    """
    sections = [
        ("numbers", "Numbers", "".join(itertools.starmap(_table, enumerate(report["tables"], 1))))
    ]
    if samples is not None and samples.best:
        sections.append(("best", "Best samples", _samples(samples, samples.best, "best")))
    if samples is not None and samples.worst:
        sections.append(("worst", "Worst samples", _samples(samples, samples.worst, "worst")))
    drawn = {stage: drawn_curves(of_stage) for stage, of_stage in curves.items()}
    if any(drawn.values()):
        sections.append(("training", "Training", "".join(_curves(*item) for item in drawn.items())))
    facts = {name: value for name, value in report.items() if name not in _HEAD_OF_REPORT}
    origin = _facts(facts) + '<p><a href="results.json">All of it as JSON</a></p>'
    sections.append(("origin", "Where the numbers are from", origin))
    title = "Evaluation of " + " ".join(
        str(report[key]) for key in ("task", "checkpoint") if report.get(key)
    )
    links = "".join(f'<li><a href="#{anchor}">{name}</a></li>' for anchor, name, _ in sections)
    body = "".join(
        f'<section id="{anchor}" aria-labelledby="{anchor}-title">'
        f'<h2 id="{anchor}-title">{name}</h2>{content}</section>\n'
        for anchor, name, content in sections
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{GENERATOR}\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1>{_subtitle(report)}</header>\n"
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n<main>\n{body}</main>\n'
        "</body>\n</html>\n"
    )


def _subtitle(report: Mapping[str, Any]) -> str:
    parts = [f"config {report['config']}" if report.get("config") else ""]
    if report.get("iterations"):
        parts.append(f"{report['iterations']} iterations")
    if report.get("size"):
        parts.append("x".join(map(str, reversed(report["size"]))) + " pixels (width x height)")
    return f'<p class="soft">{escape(", ".join(filter(None, parts)))}</p>'


def _table(number: int, table: Mapping[str, Any]) -> str:
    """One protocol's numbers, with all that must be known to read them."""
    title, anchor = escape(table_title(table)), f"table-{number}"
    count = format_count(table)
    if table.get("expected_count"):
        count += f" of the {table['expected_count']} that the protocol expects"
    results = table["results"]
    columns = list(dict.fromkeys(key for values in results.values() for key in values))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in ("", *columns))
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{_cell(values.get(column))}</td>" for column in columns)
        + "</tr>"
        for name, values in results.items()
    )
    settings = table.get("protocol") or {}
    others = {key: value for key, value in table.items() if key not in _SHOWN and value}
    details = {
        "The protocol's settings": _facts(settings),
        "Metrics": _facts(dict(enumerate(table.get("test_metrics", []), 1))),
        "Weights": _facts(table.get("weights", {})),
        "Pictures compared with": _facts(others),
    }
    return (
        f'<article><h3 id="{anchor}">{title}</h3>{_warnings(table)}'
        f'<p class="soft">{escape(count)}; - where a value is not defined</p>'
        f'<div class="wide" tabindex="0" role="region" aria-labelledby="{anchor}">'
        f'<table><caption class="hidden">{title}, {escape(count)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        + "".join(_folded(name, text) for name, text in details.items())
        + f"{_broken(table)}</article>"
    )


def _warnings(table: Mapping[str, Any]) -> str:
    warnings = table.get("warnings", [])
    if not warnings:
        return ""
    return f'<div class="warning" role="note"><strong>Warning</strong>{_list(warnings)}</div>'


def _broken(table: Mapping[str, Any]) -> str:
    broken = table.get("broken", [])
    return _folded(f"{len(broken)} broken, left out", _list(broken)) if broken else ""


def _samples(samples: ShownSamples, chosen: Sequence[ShownSample], which: str) -> str:
    text = f"The {len(chosen)} {which} of {samples.count} by {samples.score}, the {which} first."
    return f'<p class="soft">{escape(text)}</p>' + "".join(
        f"<article><h3>{escape(sample.name)}</h3>"
        f'<p class="soft">{escape(samples.score)} {_cell(sample.score)}</p>'
        f'<div class="panels">{"".join(_figure(file, sample.name) for file in sample.files)}</div>'
        "</article>"
        for sample in chosen
    )


def _figure(file: ShownFile, name: str) -> str:
    height, width = file.size
    size = f'width="{width}" height="{height}"'
    label = escape(f"{file.title} of {name}")
    if file.poster is None:
        shown = f'<img src="{escape(file.path)}" {size} alt="{label}" loading="lazy">'
    else:
        shown = (
            f'<video controls loop muted playsinline preload="metadata" {size} '
            f'poster="{escape(file.poster)}" aria-label="{label}">'
            f'<source src="{escape(file.path)}" type="video/mp4">'
            f'<a href="{escape(file.path)}">{label}</a></video>'
        )
    return f"<figure>{shown}<figcaption>{escape(file.title)}</figcaption></figure>"


def _curves(stage: str, curves: Mapping[str, Curve]) -> str:
    charts = "".join(curve_svg(name, curve) for name, curve in curves.items())
    return f'<article><h3>{escape(stage)}</h3><div class="curves">{charts}</div></article>'


def _facts(facts: Mapping[Any, Any]) -> str:
    """Names and values as a list of terms; what is in a value is nested."""
    if not facts:
        return ""
    rows = "".join(
        f"<dt>{escape(str(name))}</dt><dd>{_fact(value)}</dd>" for name, value in facts.items()
    )
    return f"<dl>{rows}</dl>"


def _fact(value: Any) -> str:
    if isinstance(value, Mapping):
        return _facts(value) or "-"
    if isinstance(value, (list, tuple)):
        if any(isinstance(item, Mapping) for item in value):
            return "".join(_fact(item) for item in value)
        return escape(", ".join(map(str, value))) or "-"
    return "-" if value is None else escape(str(value))


def _folded(name: str, content: str) -> str:
    return f"<details><summary>{escape(name)}</summary>{content}</details>" if content else ""


def _list(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4f}"
