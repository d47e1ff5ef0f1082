"""Draws the report's charts with reportlab graphics: emissions by source stream, and by month.

Colours are the Okabe-Ito set, told apart with every common colour-vision deficiency; each series also has
its own label, so that nothing is said by colour alone. Geometry uses floating point; printed figures are
the report's strings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from reportlab.graphics.shapes import Drawing, Line, PolyLine, Rect, String
from reportlab.lib.colors import Color, HexColor
from reportlab.pdfbase.pdfmetrics import stringWidth

PALETTE: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7A5195", "#5F6B6D")
INK: Final = HexColor("#16302F")
MUTED: Final = HexColor("#5B6B6A")
GRID: Final = HexColor("#DDE5E3")
MAX_COLUMN: Final = 46.0  # points; a lone month must not become a wall
TICKS: Final = 4


@dataclass(frozen=True, slots=True)
class Series:
    """One source stream: its label and its values, as the report writes them."""

    label: str
    values: tuple[str, ...]


def colour_of(index: int) -> Color:
    """Return the colour of the n-th series; it repeats after eight."""
    return HexColor(PALETTE[index % len(PALETTE)])


def stream_bars(rows: Sequence[tuple[str, str, str]], *, width: float, font: str) -> Drawing:
    """Return horizontal bars, one a source stream, on a track as long as all of them together.

    Args:
        rows: Label, value as printed, and the note beside the value (its share).
        width: Points.
        font: Registered font name.
    """
    row_height, top = 38.0, 6.0
    height = row_height * len(rows) + top
    drawing = Drawing(width, height)
    total = sum((abs(Decimal(value)) for _, value, _ in rows), Decimal(0)) or Decimal(1)
    note_width = max((stringWidth(f"{value}  {note}", font, 9) for _, value, note in rows), default=0.0) + 12
    track = width - note_width
    for index, (label, value, note) in enumerate(rows):
        base = height - top - (index + 1) * row_height
        length = max(float(abs(Decimal(value)) / total) * track, 1.5)
        drawing.add(String(0, base + 25, label, fontName=font, fontSize=9, fillColor=INK))
        drawing.add(Rect(0, base + 7, track, 12, rx=2, ry=2, fillColor=HexColor("#EEF3F2"), strokeColor=None))
        drawing.add(Rect(0, base + 7, length, 12, rx=2, ry=2, fillColor=colour_of(index), strokeColor=None))
        drawing.add(
            String(
                width,
                base + 9,
                f"{value}  {note}",
                fontName=font,
                fontSize=9,
                fillColor=INK,
                textAnchor="end",
            )
        )
    return drawing


def month_columns(
    months: Sequence[str], series: Sequence[Series], *, unit: str, width: float, height: float, font: str
) -> Drawing:
    """Return stacked columns, one a month, with a legend under them.

    Args:
        months: Civil months as `2026-01`, in order.
        series: One per source stream, with one value a month.
        unit: Shown above the axis.
        width: Points.
        height: Points, legend included.
        font: Registered font name.
    """
    drawing = Drawing(width, height)
    legend_height = _legend(drawing, [one.label for one in series], width=width, font=font)
    left, bottom, top = 46.0, legend_height + 26, height - 18
    totals = [
        sum((float(one.values[i]) for one in series if float(one.values[i]) > 0), 0.0)
        for i in range(len(months))
    ]
    ceiling, step = _scale(max(totals, default=0.0))
    drawing.add(String(0, height - 9, unit, fontName=font, fontSize=8, fillColor=MUTED))
    for tick in range(round(ceiling / step) + 1):
        y = bottom + (top - bottom) * (tick * step / ceiling)
        drawing.add(Line(left, y, width, y, strokeColor=GRID, strokeWidth=0.6))
        drawing.add(
            String(
                left - 6,
                y - 3,
                _tick(tick * step),
                fontName=font,
                fontSize=7.5,
                fillColor=MUTED,
                textAnchor="end",
            )
        )
    slot = (width - left) / max(len(months), 1)
    column = min(slot * 0.62, MAX_COLUMN)
    for position, month in enumerate(months):
        x = left + slot * (position + 0.5)
        y = bottom
        for index, one in enumerate(series):
            part = max(float(one.values[position]), 0.0) / ceiling * (top - bottom)
            if part > 0:
                drawing.add(
                    Rect(
                        x - column / 2, y, column, part,
                        fillColor=colour_of(index), strokeColor=HexColor("#FFFFFF"), strokeWidth=0.6,
                    )
                )  # fmt: skip
            y += part
        drawing.add(
            String(x, bottom - 12, month, fontName=font, fontSize=7.5, fillColor=MUTED, textAnchor="middle")
        )
    drawing.add(Line(left, bottom, width, bottom, strokeColor=INK, strokeWidth=0.8))
    return drawing


def code_mark(code: str, *, size: float) -> Drawing:
    """Return the mark of a data code: a shape for each, so that it is told without colour.

    Green is a disc with a tick, red a disc with a cross, pending a disc with three dots.
    """
    drawing = Drawing(size, size)
    half = size / 2
    drawing.add(Rect(0, 0, size, size, rx=half, ry=half, fillColor=code_colour(code), strokeColor=None))
    white = HexColor("#FFFFFF")
    strokes: Mapping[str, Sequence[Sequence[float]]] = {
        "green": [[0.28, 0.52, 0.44, 0.35, 0.73, 0.66]],
        "red": [[0.33, 0.33, 0.67, 0.67], [0.33, 0.67, 0.67, 0.33]],
    }
    if code in strokes:
        for stroke in strokes[code]:
            points = [coordinate * size for coordinate in stroke]
            drawing.add(
                PolyLine(
                    points, strokeColor=white, strokeWidth=size * 0.09, strokeLineCap=1, strokeLineJoin=1
                )
            )
    else:
        dot = size * 0.12
        for centre in (0.29, 0.5, 0.71):
            x = centre * size - dot / 2
            drawing.add(
                Rect(x, half - dot / 2, dot, dot, rx=dot / 2, ry=dot / 2, fillColor=white, strokeColor=None)
            )
    return drawing


def code_colour(code: str) -> Color:
    """Return the colour of a data code, dark enough for white text on it."""
    return HexColor({"green": "#1B7A4B", "red": "#B3261E"}.get(code, "#8A6410"))


def _legend(drawing: Drawing, labels: Sequence[str], *, width: float, font: str) -> float:
    x, line = 0.0, 0
    placed: list[tuple[float, int, int, str]] = []
    for index, label in enumerate(labels):
        needed = stringWidth(label, font, 8) + 26
        if x and x + needed > width:
            x, line = 0.0, line + 1
        placed.append((x, line, index, label))
        x += needed
    rows = line + 1
    for left, row, index, label in placed:
        base = (rows - 1 - row) * 14.0 + 2
        drawing.add(Rect(left, base, 9, 9, rx=1.5, ry=1.5, fillColor=colour_of(index), strokeColor=None))
        drawing.add(String(left + 13, base + 1.2, label, fontName=font, fontSize=8, fillColor=INK))
    return rows * 14.0 + 4


def _scale(largest: float) -> tuple[float, float]:
    if largest <= 0:
        return 1.0, 0.25
    raw = largest / TICKS
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(nice * magnitude for nice in (1, 2, 2.5, 5, 10) if nice * magnitude >= raw)
    return math.ceil(largest / step) * step, step


def _tick(value: float) -> str:
    return f"{value:g}"
