"""Which weights files the metrics of an evaluation read, by name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gfla_video.evaluation.protocols import KNOWN_WEIGHTS, weights_of, with_weights
from gfla_video.utils.errors import UserError

MetricConfig = Mapping[str, Any]


class MetricWeights:
    """Weights files by the names that metrics call them, ``weights:NAME`` in a config.

    Args:
        given: path by name.
        metrics: all that are measured; other names than theirs and the known ones are refused.

    Raises:
        UserError: a file is not there, or nothing is called by a name.
    """

    def __init__(
        self,
        given: Mapping[str, str | Path] | None = None,
        metrics: Sequence[MetricConfig] = (),
    ) -> None:
        self.given = {name: str(path) for name, path in (given or {}).items()}
        self._digests: dict[str, str] = {}
        for name, value in self.given.items():
            known = {*KNOWN_WEIGHTS, *weights_of(metrics)}
            if name not in known:
                raise UserError(
                    f"--weights {name}: no metric reads that, choose of {', '.join(sorted(known))}"
                )
            if not Path(value).is_file():
                raise UserError(f"--weights {name}={value}: there is no such file; {_what(name)}")

    def split(
        self, metrics: Sequence[MetricConfig]
    ) -> tuple[list[dict[str, Any]], list[tuple[MetricConfig, list[str]]]]:
        """Metrics with their files filled in, and those whose files were not given with why."""
        filled, lacking = [], []
        for metric in metrics:
            absent = [name for name in dict.fromkeys(weights_of(metric)) if name not in self.given]
            if absent:
                lacking.append((metric, absent))
            else:
                filled.append(with_weights(metric, self.given))
        return filled, lacking

    def used_by(self, metrics: Sequence[MetricConfig]) -> dict[str, dict[str, str]]:
        """``{name: {"file": ..., "sha256": ...}}`` of the files that metrics read.

        A file that a metric names by its path is called ``METRIC.SETTING``, such as
        ``LPIPSMetric alex.trunk``.
        """
        names = dict.fromkeys(name for metric in metrics for name in weights_of(metric))
        found = {name: self.given[name] for name in names if name in self.given}
        for metric in metrics:
            found |= {f"{label_of(metric)}.{setting}": path for setting, path in _files(metric)}
        return {name: self._told(path) for name, path in found.items()}

    def _told(self, path: str) -> dict[str, str]:
        if path not in self._digests:
            self._digests[path] = file_digest(Path(path))
        return {"file": Path(path).name, "sha256": self._digests[path]}


def read_weights(given: Sequence[str]) -> dict[str, str]:
    """Files by name from a command line's ``NAME=FILE``.

    Raises:
        UserError: one is written in another way, or a name is given twice.
    """
    found: dict[str, str] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not (name and sign and value):
            raise UserError(f"{text}: write NAME=FILE, such as --weights lpips-squeeze=FILE")
        if name in found:
            raise UserError(f"{text}: the name '{name}' is given twice")
        found[name] = value
    return found


def how_to_give(names: Sequence[str]) -> str:
    """What a user does to have a metric whose weights were not given."""
    return " and ".join(f"--weights {name}=FILE ({_what(name)})" for name in names)


def label_of(metric: MetricConfig) -> str:
    """What a metric is called: its value's name, or its type and network, after its prefix."""
    parts = [metric[key] for key in ("type", "net", "version") if metric.get(key)]
    label = str(metric.get("name") or " ".join(map(str, parts)))
    return f"{metric['prefix']}/{label}" if metric.get("prefix") else label


def _files(value: Any) -> Iterator[tuple[str, str]]:
    """Settings ``a.b`` of a metric whose values are paths of files, and these paths."""
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield from ((f"{key}.{deeper}", path) for deeper, path in _files(inner))
        elif isinstance(inner, (str, Path)) and Path(inner).suffix and Path(inner).is_file():
            yield key, str(inner)


def _what(name: str) -> str:
    return KNOWN_WEIGHTS.get(name, "the file that the protocol means")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
