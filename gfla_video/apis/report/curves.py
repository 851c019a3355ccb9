"""Curves of a training as inline SVG, which needs no script and takes the page's colours."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from gfla_video.apis.training_logs import Curve

_SIZE = (260, 120)  # width and height of one chart, in pixels of the page
_INSET = (6, 20, 6, 16)  # left, top, right, bottom
_POINTS = 300  # a chart is not wider
_NOT_DRAWN = ("time", "data_time", "memory", "grad_norm")


def drawn_curves(curves: Mapping[str, Curve]) -> dict[str, Curve]:
    """Those that say how the training went: not learning rates, times and memory."""
    return {
        name: curve
        for name, curve in curves.items()
        if name not in _NOT_DRAWN and not name.endswith("lr") and len(curve.steps) > 1
    }


def curve_svg(name: str, curve: Curve) -> str:
    """One chart, its own scale from its smallest to its largest value.

    Args:
        name: of the value; the chart's title, also for screen readers.
        curve: at least two steps.
    """
    width, height = _SIZE
    left, top, right, bottom = _INSET
    low, high = min(curve.values), max(curve.values)
    first, last = curve.steps[0], curve.steps[-1]
    label = (
        f"{name}: {curve.values[0]:.4g} at iteration {first}, {curve.values[-1]:.4g} at {last}, "
        f"smallest {low:.4g}, largest {high:.4g}"
    )
    points = []
    for step, value in _thinned(curve):
        x = left + (width - left - right) * (step - first) / (last - first)
        part = (value - low) / (high - low) if high > low else 0.5
        y = height - bottom - (height - top - bottom) * part
        points.append(f"{x:.1f},{y:.1f}")
    base = height - bottom
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(label)}">'
        f'<text x="{left}" y="12" class="name">{escape(name)}</text>'
        f'<text x="{width - right}" y="12" class="end">{high:.4g} to {low:.4g}</text>'
        f'<line x1="{left}" y1="{base}" x2="{width - right}" y2="{base}" class="axis"/>'
        f'<polyline points="{" ".join(points)}" class="curve"/>'
        f'<text x="{left}" y="{height - 3}">{first}</text>'
        f'<text x="{width - right}" y="{height - 3}" class="end">{last}, '
        f"ends at {curve.values[-1]:.4g}</text></svg>"
    )


def _thinned(curve: Curve) -> list[tuple[float, float]]:
    """No more points than pixels: the means of equal parts, with the first and the last value."""
    count = len(curve.steps)
    if count <= _POINTS:
        return list(zip(curve.steps, curve.values, strict=True))
    points: list[tuple[float, float]] = [(curve.steps[0], curve.values[0])]
    for part in range(_POINTS):
        chosen = slice(part * count // _POINTS, (part + 1) * count // _POINTS)
        steps, values = curve.steps[chosen], curve.values[chosen]
        points.append((sum(steps) / len(steps), sum(values) / len(values)))
    return [*points, (curve.steps[-1], curve.values[-1])]
