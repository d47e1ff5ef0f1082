"""What every page of the PDF shares: styles, the frame with head and foot line, tables, section headings.

The document is written with reportlab's `invariant`, so that the same report gives the same bytes. It
leaves out what the pages say (`report_pdf`) and the charts.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

from carbonseal_api.reports.fonts import register_fonts

PAGE_WIDTH, PAGE_HEIGHT = A4
MARGIN: Final = 50.0
CONTENT_WIDTH: Final = PAGE_WIDTH - 2 * MARGIN
HALF_PAGE: Final = 380.0  # points; with less left, a section begins on a new page
BRAND: Final = HexColor("#0F4C4A")
BRAND_LIGHT: Final = HexColor("#E8F1EF")
INK: Final = HexColor("#16302F")
MUTED: Final = HexColor("#5B6B6A")
RULE: Final = HexColor("#CBD8D5")
_FIRST_CJK: Final = 0x2E80  # code points above it break anywhere, those below only between words


@dataclass(frozen=True, slots=True)
class Styles:
    """The paragraph styles of a report, all in the embedded typeface."""

    regular: str
    bold: str
    body: ParagraphStyle
    small: ParagraphStyle
    cell: ParagraphStyle
    cell_right: ParagraphStyle
    cell_bold: ParagraphStyle
    head: ParagraphStyle
    head_right: ParagraphStyle
    section: ParagraphStyle
    subsection: ParagraphStyle
    title: ParagraphStyle
    mono: ParagraphStyle


@dataclass(frozen=True, slots=True)
class Frames:
    """What stands at the head and foot of each page."""

    title: str
    subject: str
    head_left: str
    head_right: str
    foot_left: str
    page_of: str


def make_styles() -> Styles:
    """Return the styles, with the typeface registered.

    Raises:
        FontMissing: The typeface is not installed.
    """
    regular, bold = register_fonts()

    def style(name: str, size: float, lead: float, **more: Any) -> ParagraphStyle:
        values: dict[str, Any] = {"fontName": regular, "textColor": INK, "wordWrap": "CJK"} | more
        return ParagraphStyle(name, fontSize=size, leading=lead, **values)

    return Styles(
        regular=regular,
        bold=bold,
        body=style("body", 9.5, 15),
        small=style("small", 8, 12, textColor=MUTED),
        cell=style("cell", 8.3, 12),
        cell_right=style("cell_right", 8.3, 12, alignment=TA_RIGHT),
        cell_bold=style("cell_bold", 8.3, 12, fontName=bold),
        head=style("head", 8, 11, fontName=bold, textColor=BRAND),
        head_right=style("head_right", 8, 11, fontName=bold, textColor=BRAND, alignment=TA_RIGHT),
        section=style("section", 16, 22, fontName=bold, textColor=BRAND, spaceAfter=8),
        subsection=style("subsection", 10.5, 15, fontName=bold, spaceBefore=14, spaceAfter=5, keepWithNext=1),
        title=style("title", 25, 33, fontName=bold, textColor=HexColor("#FFFFFF")),
        mono=style("mono", 7.6, 11),
    )


def text(value: object, style: ParagraphStyle) -> Paragraph:
    """Return a paragraph of plain text: markup in the value is escaped, so no name can style a page."""
    content = str(value)
    if (
        style.wordWrap == "CJK"
        and not any(ord(char) > _FIRST_CJK for char in content)
        and not _is_digest(content)
    ):
        style = style.clone(f"{style.name}-words", wordWrap=None)  # words of Latin text stay whole
    return Paragraph(escape(content).replace("\n", "<br/>"), style)


def _is_digest(content: str) -> bool:
    # Digests, hashes and origins have no place to break; they may break anywhere.
    return max((len(word) for word in content.split()), default=0) > 30


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    widths: Sequence[float],
    styles: Styles,
    right: Sequence[int] = (),
) -> Table:
    """Return a table with a head row that repeats on each page.

    Args:
        head: Titles of the columns.
        rows: Cells: text, or a flowable as it stands.
        widths: Shares of the content width; they need not sum to one.
        styles: The report's styles.
        right: Columns set flush right (figures).
    """
    scale = CONTENT_WIDTH / sum(widths)
    cells: list[list[Any]] = [
        [
            text(title, styles.head_right if column in right else styles.head)
            for column, title in enumerate(head)
        ]
    ]
    cells.extend(
        [
            cell
            if isinstance(cell, Flowable)
            else text(cell, styles.cell_right if column in right else styles.cell)
            for column, cell in enumerate(row)
        ]
        for row in rows
    )
    made = Table(cells, colWidths=[share * scale for share in widths], repeatRows=1)
    made.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("BACKGROUND", (0, 0), (-1, 0), BRAND_LIGHT),
                ("LINEBELOW", (0, 0), (-1, -1), 0.5, RULE),
                ("TOPPADDING", (0, 0), (-1, -1), 4),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 4.5),
                ("LEFTPADDING", (0, 0), (-1, -1), 6),
                ("RIGHTPADDING", (0, 0), (-1, -1), 6),
            ]
        )
    )
    return made


def facts(rows: Sequence[tuple[str, object]], *, styles: Styles, label_share: float = 0.26) -> Table:
    """Return a table of label and value without a head row."""
    made = Table(
        [
            [text(label, styles.small), value if isinstance(value, Flowable) else text(value, styles.cell)]
            for label, value in rows
        ],
        colWidths=[CONTENT_WIDTH * label_share, CONTENT_WIDTH * (1 - label_share)],
    )
    made.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, RULE),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 3),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
            ]
        )
    )
    return made


def gap(points: float) -> Spacer:
    """Return vertical space."""
    return Spacer(1, points)


def write_document(flowables: list[Flowable], frames: Frames, styles: Styles) -> bytes:
    """Return the PDF; the same flowables give the same bytes."""
    buffer = io.BytesIO()
    document = BaseDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        invariant=1,
        title=frames.title,
        subject=frames.subject,
        author="Carbonseal",
        creator="Carbonseal",
        lang="zh-CN" if any(ord(char) > _FIRST_CJK for char in frames.page_of) else "en",
    )
    inner = {"leftPadding": 0, "rightPadding": 0, "topPadding": 0, "bottomPadding": 0}
    cover = Frame(MARGIN, 52, CONTENT_WIDTH, PAGE_HEIGHT - 52 - 36, id="cover", **inner)
    plain = Frame(MARGIN, 56, CONTENT_WIDTH, PAGE_HEIGHT - 56 - 78, id="plain", **inner)
    document.addPageTemplates([PageTemplate("cover", [cover]), PageTemplate("plain", [plain])])
    document.build(flowables, canvasmaker=_canvas_class(frames, styles))
    return buffer.getvalue()


def _canvas_class(frames: Frames, styles: Styles) -> type[Canvas]:
    class FramedCanvas(Canvas):  # type: ignore[misc]  # reportlab is untyped
        """A canvas that draws head and foot lines when the number of pages is known."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._pages: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802 - reportlab's name
            self._pages.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, page in enumerate(self._pages, start=1):
                self.__dict__.update(page)
                _draw_frame(self, frames, styles, number, len(self._pages))
                super().showPage()
            super().save()

    return FramedCanvas


def _draw_frame(canvas: Any, frames: Frames, styles: Styles, number: int, count: int) -> None:
    canvas.setStrokeColor(RULE)
    canvas.setLineWidth(0.5)
    canvas.line(MARGIN, 42, PAGE_WIDTH - MARGIN, 42)
    canvas.setFont(styles.regular, 7.2)
    canvas.setFillColor(MUTED)
    canvas.drawString(MARGIN, 30, frames.foot_left)
    canvas.drawRightString(PAGE_WIDTH - MARGIN, 30, frames.page_of.format(number=number, count=count))
    if number > 1:
        canvas.setFont(styles.bold, 8)
        canvas.setFillColor(BRAND)
        canvas.drawString(MARGIN, PAGE_HEIGHT - 46, frames.head_left)
        canvas.setFont(styles.regular, 8)
        canvas.setFillColor(MUTED)
        canvas.drawRightString(PAGE_WIDTH - MARGIN, PAGE_HEIGHT - 46, frames.head_right)
        canvas.line(MARGIN, PAGE_HEIGHT - 54, PAGE_WIDTH - MARGIN, PAGE_HEIGHT - 54)
