"""A lineage as a graph in SVG: one column a level, what rests on what joined by lines. Our own simple layout.

Colours and widths are attributes and classes, never `style`, and no script runs, so that the strict
content-security policy of the pages holds; the file stands by itself too. A column shows a limited number of
nodes and says how many it leaves out. Geometry is whole numbers, so the same answer gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from carbonseal_api.lineage.naming import marked, sealed, short_id, title, words_of
from carbonseal_api.lineage.schemas import Lineage, LineageLink, LineageNode

BOX_WIDTH, BOX_HEIGHT = 230, 50
GAP_X, GAP_Y, MARGIN = 70, 14, 12
MOST_IN_COLUMN: Final = 24
_CHARACTERS: Final = 30  # of a line in a box; a Chinese character counts twice
# Outline by kind of thing; kinds that are not named have the plain one.
_COLOURS: Final[Mapping[str, str]] = {
    "figure": "#0b6e4f",
    "emissions_report": "#0b6e4f",
    "quality_code": "#a15c00",
    "verification_report": "#5b3f8c",
    "grade": "#5b3f8c",
    "asset": "#1f4e8c",
    "asset_act": "#1f4e8c",
    "impact": "#b3261e",
    "undisclosed": "#888888",
    "unknown": "#888888",
}
_PLAIN: Final = "#46565e"
_OPEN_MARK: Final = "#b3261e"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node stands: left and top of its box."""

    x: int
    y: int


def graph_svg(lineage: Lineage, lang: str, *, links: Mapping[str, str] | None = None) -> Markup:
    """Return the graph of a page of a lineage.

    Args:
        lineage: The answer.
        lang: `zh` or `en`.
        links: Identifier to the address that a click on it leads to; none: nothing is a link.
    """
    words = words_of(lang)
    columns = _columns(lineage.nodes)
    places: dict[str, _Place] = {}
    shown: dict[int, list[LineageNode]] = {}
    for column, (level, nodes) in enumerate(sorted(columns.items())):
        shown[level] = nodes[:MOST_IN_COLUMN]
        for row, node in enumerate(shown[level]):
            places[node.id] = _Place(
                MARGIN + column * (BOX_WIDTH + GAP_X), MARGIN + row * (BOX_HEIGHT + GAP_Y)
            )
    tallest = max((len(nodes) for nodes in shown.values()), default=1)
    left_out = {level: len(columns[level]) - len(nodes) for level, nodes in shown.items()}
    height = 2 * MARGIN + tallest * (BOX_HEIGHT + GAP_Y) + (22 if any(left_out.values()) else 0)
    width = 2 * MARGIN + len(columns) * BOX_WIDTH + (len(columns) - 1) * GAP_X
    pieces = [_line(link, places, words.term("relation", link.relation)) for link in lineage.links]
    for column, (level, nodes) in enumerate(sorted(shown.items())):
        for node in nodes:
            address = None if links is None else links.get(node.id)
            notes = "; ".join(note for note in (marked(node, words), sealed(node, words)) if note)
            pieces.append(_box(node, places[node.id], title(node, words), notes, address))
        if left_out[level]:
            x, y = MARGIN + column * (BOX_WIDTH + GAP_X), MARGIN + len(nodes) * (BOX_HEIGHT + GAP_Y) + 14
            said = words("more", count=left_out[level])
            pieces.append(
                Markup('<text class="more" x="{}" y="{}" font-size="12" fill="{}">{}</text>').format(
                    x, y, _PLAIN, said
                )
            )
    head = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" class="lineage" viewBox="0 0 {} {}" width="{}" height="{}"'
        ' role="img" aria-label="{}" font-family="sans-serif">'
    ).format(width, height, width, height, f"{words('title')}: {lineage.id}")
    return head + Markup("").join(pieces) + Markup("</svg>")


def _columns(nodes: Sequence[LineageNode]) -> dict[int, list[LineageNode]]:
    columns: dict[int, list[LineageNode]] = {}
    for node in nodes:
        columns.setdefault(node.level, []).append(node)
    return columns


def _line(link: LineageLink, places: Mapping[str, _Place], said: str) -> Markup:
    start, end = places.get(link.source), places.get(link.target)
    if start is None or end is None:
        return Markup("")
    if start.x == end.x:
        # Within one column the line bows out to the right.
        x, bow = start.x + BOX_WIDTH, start.x + BOX_WIDTH + GAP_X // 2
        y1, y2 = start.y + BOX_HEIGHT // 2, end.y + BOX_HEIGHT // 2
        path = f"M{x} {y1}C{bow} {y1} {bow} {y2} {x} {y2}"
    else:
        left, right = (start, end) if start.x < end.x else (end, start)
        x1, y1 = left.x + BOX_WIDTH, left.y + BOX_HEIGHT // 2
        x2, y2 = right.x, right.y + BOX_HEIGHT // 2
        middle = x1 + GAP_X // 2
        path = f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"
    return Markup(
        '<path class="link" d="{}" fill="none" stroke="#9aa7ad" stroke-width="1"><title>{}</title></path>'
    ).format(path, said)


def _box(node: LineageNode, place: _Place, line: str, notes: str, address: str | None) -> Markup:
    kind, _, rest = line.partition(" · ")
    is_open = any(mark.state == "open" for mark in node.marks)
    colour = _OPEN_MARK if is_open else _COLOURS.get(node.kind, _PLAIN)
    box = Markup(
        '<g class="node kind-{kind}{state}"><title>{full}</title>'
        '<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="5" fill="#ffffff" stroke="{colour}"'
        ' stroke-width="{stroke}"{dash}/>'
        '<text x="{tx}" y="{y1}" font-size="12" font-weight="600" fill="{colour}">{head}</text>'
        '<text x="{tx}" y="{y2}" font-size="11" fill="#1d2a30">{rest}</text>'
        '<text x="{tx}" y="{y3}" font-size="10" fill="#5c6b72">{notes}</text></g>'
    ).format(
        kind=node.kind,
        state=" marked" if is_open else "",
        full=f"{line} ({node.id})",
        x=place.x,
        y=place.y,
        width=BOX_WIDTH,
        height=BOX_HEIGHT,
        colour=colour,
        stroke=2 if is_open else 1,
        dash=Markup(' stroke-dasharray="4 3"') if node.kind in {"undisclosed", "unknown"} else "",
        tx=place.x + 9,
        y1=place.y + 16,
        y2=place.y + 31,
        y3=place.y + 44,
        head=_cut(kind),
        rest=_cut(rest or short_id(node)),
        notes=_cut(notes),
    )
    if address is None:
        return box
    return Markup('<a href="{}">{}</a>').format(address, box)


def _cut(text: str) -> str:
    """Return a text cut to the width of a box, Chinese characters counting twice."""
    room = _CHARACTERS + 4
    taken: list[str] = []
    for character in text:
        room -= 2 if ord(character) > 0x2E7F else 1
        if room < 0:
            return "".join(taken) + "…"
        taken.append(character)
    return text
