"""The two drawn pieces of the cover: the title band, and the headline figure beside the data code."""

from __future__ import annotations

from typing import Any, Final

from reportlab.lib.colors import HexColor
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.platypus import Flowable

from carbonseal_api.reports import charts
from carbonseal_api.reports.pages import BRAND, INK, MARGIN, MUTED, PAGE_WIDTH, RULE, Styles, text

BAND_HEIGHT: Final = 262.0
HEADLINE_HEIGHT: Final = 92.0
CODE_SHARE: Final = 0.44
_PALE: Final = HexColor("#BFD9D4")


class CoverBand(Flowable):  # type: ignore[misc]  # reportlab is untyped
    """A full-bleed band with the title, and who reports what for which period."""

    def __init__(
        self, *, brand: str, title: str, strap: str, rows: tuple[tuple[str, str], ...], styles: Styles
    ) -> None:
        super().__init__()
        self._brand, self._title, self._strap, self._rows, self._styles = brand, title, strap, rows, styles

    def wrap(self, available_width: float, _available_height: float) -> tuple[float, float]:
        """Return the size; the band bleeds over the margins by itself."""
        self._width = available_width
        return available_width, BAND_HEIGHT

    def draw(self) -> None:
        """Draw the band."""
        canvas: Any = self.canv
        canvas.setFillColor(BRAND)
        canvas.rect(-MARGIN, 0, PAGE_WIDTH, BAND_HEIGHT + 60, stroke=0, fill=1)
        _seal(canvas, self._width - 22, BAND_HEIGHT - 22)
        canvas.setFillColor(_PALE)
        canvas.setFont(self._styles.bold, 11)
        canvas.drawString(0, BAND_HEIGHT - 26, self._brand)
        title = text(self._title, self._styles.title)
        _, height = title.wrap(self._width - 80, BAND_HEIGHT)
        title.drawOn(canvas, 0, BAND_HEIGHT - 56 - height)
        canvas.setFillColor(_PALE)
        canvas.setFont(self._styles.regular, 9.5)
        canvas.drawString(0, BAND_HEIGHT - 76 - height, self._strap)
        y = 24.0 + 21 * (len(self._rows) - 1)
        for label, value in self._rows:
            canvas.setFillColor(_PALE)
            canvas.setFont(self._styles.regular, 8.5)
            canvas.drawString(0, y, label)
            canvas.setFillColor(HexColor("#FFFFFF"))
            canvas.setFont(self._styles.regular, 10.5)
            canvas.drawString(104, y, _clipped(value, self._styles.regular, 10.5, self._width - 104))
            y -= 21


class Headline(Flowable):  # type: ignore[misc]  # reportlab is untyped
    """The total beside the data code: number, unit; mark, noun, colour by name, meaning."""

    def __init__(
        self,
        *,
        label: str,
        value: str,
        unrounded: str,
        unit: str,
        code: str,
        code_label: str,
        code_meaning: str,
        styles: Styles,
    ) -> None:
        super().__init__()
        self._label, self._value, self._unit, self._unrounded = label, value, unit, unrounded
        self._code, self._code_label, self._code_meaning, self._styles = (
            code,
            code_label,
            code_meaning,
            styles,
        )

    def wrap(self, available_width: float, _available_height: float) -> tuple[float, float]:
        """Return the size."""
        self._width = available_width
        return available_width, HEADLINE_HEIGHT

    def draw(self) -> None:
        """Draw the figure on the left and the code on the right."""
        canvas: Any = self.canv
        left_width = self._width * (1 - CODE_SHARE) - 18
        canvas.setFillColor(MUTED)
        canvas.setFont(self._styles.regular, 9.5)
        canvas.drawString(0, HEADLINE_HEIGHT - 12, self._label)
        size = 38.0
        unit_width = stringWidth(self._unit, self._styles.regular, 13) + 8
        while size > 12 and stringWidth(self._value, self._styles.bold, size) + unit_width > left_width:
            size -= 1
        canvas.setFillColor(INK)
        canvas.setFont(self._styles.bold, size)
        canvas.drawString(0, HEADLINE_HEIGHT - 22 - size, self._value)
        canvas.setFillColor(MUTED)
        canvas.setFont(self._styles.regular, 13)
        canvas.drawString(
            stringWidth(self._value, self._styles.bold, size) + 8, HEADLINE_HEIGHT - 22 - size, self._unit
        )
        canvas.setFont(self._styles.regular, 7.5)
        canvas.drawString(0, 6, _clipped(self._unrounded, self._styles.regular, 7.5, left_width))
        x = self._width * (1 - CODE_SHARE)
        canvas.setStrokeColor(RULE)
        canvas.line(x - 14, 0, x - 14, HEADLINE_HEIGHT)
        charts.code_mark(self._code, size=26).drawOn(canvas, x, HEADLINE_HEIGHT - 28)
        canvas.setFillColor(charts.code_colour(self._code))
        canvas.setFont(self._styles.bold, 13)
        canvas.drawString(x + 35, HEADLINE_HEIGHT - 20, self._code_label)
        meaning = text(self._code_meaning, self._styles.small)
        _, height = meaning.wrap(self._width * CODE_SHARE, HEADLINE_HEIGHT)
        meaning.drawOn(canvas, x, HEADLINE_HEIGHT - 38 - height)


def _clipped(value: str, font: str, size: float, width: float) -> str:
    if stringWidth(value, font, size) <= width:
        return value
    while value and stringWidth(value + "…", font, size) > width:
        value = value[:-1]
    return value + "…"


def _seal(canvas: Any, x: float, y: float) -> None:
    # The mark of the house: a seal ring around a leaf-like tick.
    canvas.saveState()
    canvas.setStrokeColor(_PALE)
    canvas.setLineWidth(1.6)
    canvas.circle(x, y, 20, stroke=1, fill=0)
    canvas.setLineWidth(0.6)
    canvas.circle(x, y, 16, stroke=1, fill=0)
    canvas.setLineWidth(2.4)
    canvas.setLineCap(1)
    canvas.setLineJoin(1)
    path = canvas.beginPath()
    path.moveTo(x - 7, y + 0.5)
    path.lineTo(x - 2, y - 5)
    path.lineTo(x + 8, y + 6.5)
    canvas.drawPath(path, stroke=1, fill=0)
    canvas.restoreState()
