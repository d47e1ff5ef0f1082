"""Inline SVG of the pages: load curve and emissions chart, as markup that is safe to put into a page.

Only numbers and escaped texts go in; colours are attributes and classes, never `style`, so that the strict
content-security policy holds. Geometry is floating point; printed figures are the text that was passed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

from carbonseal_api.reports.charts import PALETTE

WIDTH: Final = 920
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 30, 26
TICKS: Final = 4
LABEL_HALF: Final = 14  # half the width of a time label: one that would be cut off is left out


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A step of a curve: instants in ms; None is a hole."""

    start: int
    end: int
    value: float | None


@dataclass(frozen=True, slots=True)
class Bar:
    """One column: its label and the parts stacked in it, each with what to say about it."""

    label: str
    parts: Sequence[tuple[float, str]]


def load_curve(
    points: Sequence[CurvePoint],
    *,
    title: str,
    unit: str,
    time_labels: Sequence[tuple[int, str]],
    mean: float | None,
    height: int = 240,
) -> Markup:
    """Return a step curve with holes where nothing was measured, and a dashed line at the mean."""
    if not points:
        return Markup("")
    first, last = points[0].start, max(point.end for point in points)
    known = [point.value for point in points if point.value is not None]
    low, high, step = _axis(min(known, default=0.0), max(known, default=1.0))
    inner_width, inner_height = WIDTH - LEFT - RIGHT, height - TOP - BOTTOM

    def x(at: int) -> float:
        return LEFT + inner_width * (at - first) / max(last - first, 1)

    def y(value: float) -> float:
        return TOP + inner_height * (1 - (value - low) / (high - low))

    pieces = [_grid(low, high, step, y, unit)]
    pieces += [
        Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            _n(x(at)), height - 8, label
        )
        for at, label in time_labels
        if first <= at <= last and x(at) < WIDTH - RIGHT - LABEL_HALF
    ]
    path, area = _step_paths(points, x, y, y(low))
    pieces.append(Markup('<path class="area" d="{}"/><path class="curve" d="{}"/>').format(area, path))
    if mean is not None:
        pieces.append(
            Markup('<line class="mean" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
                LEFT, WIDTH - RIGHT, _n(y(mean)), _n(y(mean))
            )
        )
    return _svg(title, height, pieces)


def stacked_columns(
    bars: Sequence[Bar], names: Sequence[str], *, title: str, unit: str, height: int = 250
) -> Markup:
    """Return stacked columns with a legend under them."""
    if not bars:
        return Markup("")
    _, high, step = _axis(0.0, max((sum(max(v, 0.0) for v, _ in bar.parts) for bar in bars), default=1.0))
    inner_width, inner_height = WIDTH - LEFT - RIGHT, height - TOP - BOTTOM

    def y(value: float) -> float:
        return TOP + inner_height * (1 - value / high)

    pieces = [_grid(0.0, high, step, y, unit)]
    slot = inner_width / len(bars)
    width = min(slot * 0.62, 64.0)
    for position, bar in enumerate(bars):
        left = LEFT + slot * (position + 0.5) - width / 2
        base = 0.0
        for index, (value, said) in enumerate(bar.parts):
            if value <= 0:
                continue
            pieces.append(
                Markup(
                    '<rect x="{}" y="{}" width="{}" height="{}" fill="{}" stroke="#fff" stroke-width="1">'
                    "<title>{}</title></rect>"
                ).format(
                    _n(left), _n(y(base + value)), _n(width), _n(max(y(base) - y(base + value), 0.5)),
                    colour(index), f"{bar.label} · {names[index]}: {said}",
                )
            )  # fmt: skip
            base += value
        pieces.append(
            Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                _n(left + width / 2), height - 8, bar.label
            )
        )
    return _svg(title, height, pieces)


def colour(index: int) -> str:
    """Return the colour of the n-th series, the same as in the PDF."""
    return PALETTE[index % len(PALETTE)]


def _step_paths(
    points: Sequence[CurvePoint], x: Callable[[int], float], y: Callable[[float], float], base: float
) -> tuple[str, str]:
    path: list[str] = []
    area: list[str] = []
    run: list[str] = []
    run_start = run_end = 0.0
    for point in [*points, None]:
        if point is None or point.value is None:
            if run:
                area.append(f"M{_n(run_start)} {_n(base)}L" + "L".join(run) + f"L{_n(run_end)} {_n(base)}Z")
                path.append("M" + "L".join(run))
                run = []
            continue
        if not run:
            run_start = x(point.start)
        run_end = x(max(point.end, point.start))
        run += [f"{_n(x(point.start))} {_n(y(point.value))}", f"{_n(run_end)} {_n(y(point.value))}"]
    return "".join(path), "".join(area)


def _grid(low: float, high: float, step: float, y: Callable[[float], float], unit: str) -> Markup:
    pieces = [Markup('<text class="unit" x="0" y="10">{}</text>').format(unit)]
    for tick in range(round((high - low) / step) + 1):
        value = low + tick * step
        at = _n(y(value))
        pieces.append(
            Markup(
                '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>'
                '<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>'
            ).format(LEFT, WIDTH - RIGHT, at, at, LEFT - 8, _n(y(value) + 4), f"{value:g}")
        )
    return Markup("").join(pieces)


def _axis(low: float, high: float) -> tuple[float, float, float]:
    if high <= low:
        high = low + 1
    if low >= 0 and low < high * 0.6:
        low = 0.0
    raw = (high - low) / TICKS
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(nice * magnitude for nice in (1, 2, 2.5, 5, 10) if nice * magnitude >= raw)
    return math.floor(low / step) * step, math.ceil(high / step) * step, step


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _svg(title: str, height: int, pieces: Sequence[Markup]) -> Markup:
    head = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
        WIDTH, height, escape(title)
    )
    return head + Markup("").join(pieces) + Markup("</svg>")
