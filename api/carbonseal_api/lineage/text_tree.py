"""A lineage as a tree of lines for a terminal: each node once, its further places pointing back to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from carbonseal_api.lineage.naming import marked, sealed, title, words_of
from carbonseal_api.lineage.schemas import Lineage, LineageNode
from carbonseal_api.reports.wording import Wording

_BRANCH: Final = ("├─ ", "│  ")
_LAST: Final = ("└─ ", "   ")


def text_tree(lineage: Lineage, lang: str) -> str:
    """Return the tree of the nodes of a page, with the summary of the whole answer before it."""
    words = words_of(lang)
    nodes = {node.id: node for node in lineage.nodes}
    children: dict[str, list[tuple[str, str]]] = {}
    for link in lineage.links:
        near, far = (link.source, link.target) if lineage.direction == "down" else (link.target, link.source)
        children.setdefault(near, []).append((link.relation, far))
    lines = list(_summary(lineage, words))
    shown: set[str] = set()
    for node in lineage.nodes:
        if node.id not in shown:
            lines += _lines(node, nodes, children, shown, words)
    return "\n".join(lines) + "\n"


def _summary(lineage: Lineage, words: Wording) -> Iterator[str]:
    yield f"{words('title')}: {lineage.id}"
    yield words(f"direction.{lineage.direction}")
    counted = [f"{words.term('kind', kind)} {count}" for kind, count in lineage.counts.items()]
    yield f"{words('counts')}: {', '.join(counted)}"
    readings = lineage.readings
    if readings is not None:
        yield words(
            "readings.line",
            samples=readings.samples,
            statements=readings.statements,
            gaps=readings.gaps,
        )
        if readings.receipt_state is not None and readings.epochs:
            first, last = readings.epochs
            state = words.term("state", readings.receipt_state)
            yield words("readings.sealed", state=state, first=first, last=last)
    for reason in lineage.left_out:
        yield f"({words(f'left_out.{reason}')})"
    yield ""


def _lines(
    node: LineageNode,
    nodes: Mapping[str, LineageNode],
    children: Mapping[str, list[tuple[str, str]]],
    shown: set[str],
    words: Wording,
) -> Iterator[str]:
    # Written without recursion: a chain of corrections may be longer than any stack.
    waiting: list[tuple[str, str, str, str]] = [("", "", "", node.id)]
    while waiting:
        lead, indent, relation, place = waiting.pop()
        one = nodes.get(place)
        if one is None:
            continue
        said = f"{words.term('relation', relation)}: " if relation else ""
        if place in shown:
            yield f"{lead}{said}{title(one, words)} ({words('seen')})"
            continue
        shown.add(place)
        notes = "; ".join(note for note in (sealed(one, words), marked(one, words)) if note)
        yield f"{lead}{said}{title(one, words)}" + (f"  [{notes}]" if notes else "")
        below = children.get(place, [])
        for at in range(len(below) - 1, -1, -1):
            head, tail = _LAST if at == len(below) - 1 else _BRANCH
            waiting.append((indent + head, indent + tail, *below[at]))
