"""Answers questions of lineage: finds what was asked for, walks, counts, and describes one page of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Final

from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.lineage import queries
from carbonseal_api.lineage.access import UNDISCLOSED, Viewer
from carbonseal_api.lineage.describing import describe
from carbonseal_api.lineage.graph import Graph
from carbonseal_api.lineage.identifiers import (
    device_id,
    is_code,
    is_statement,
    parse_id,
    party_id,
    prefix_of,
    rest_of,
    series_range,
)
from carbonseal_api.lineage.schemas import Lineage, LineageLink, LineageNode, Readings
from carbonseal_api.lineage.seals import Seals
from carbonseal_api.lineage.walk import DIRECTIONS, MAX_DEPTH, Walked, walk
from carbonseal_api.problems import NotFound, RequestInvalid
from carbonseal_attest.instants import format_instant

DEFAULT_LIMIT: Final = 200
MAX_LIMIT: Final = 1_000  # nodes of a page


def lineage(
    parts: Parts,
    principal: Principal | None,
    text: str,
    *,
    direction: str = "down",
    depth: int = MAX_DEPTH,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
) -> Lineage:
    """Return the lineage of what `text` names, as far as the caller may see it.

    Args:
        parts: The deployment.
        principal: Who asks; None is whoever holds the machine.
        text: An identifier; see `identifiers.parse_id`.
        direction: `down` to what it rests on, `up` to what rests on it.
        depth: How many links away.
        limit: Nodes of a page.
        cursor: `next` of the page before.

    Raises:
        NotFound: Nothing of this name, or not for this caller.
        RequestInvalid: No identifier, or direction, depth, limit or cursor out of range.
    """
    _check(direction, depth, limit)
    graph = Graph(parts)
    viewer = Viewer(graph, principal)
    root = find_root(graph, viewer, text)
    walked = walk(graph, viewer, root, direction, depth)
    order = list(walked.levels)
    first = _place(cursor, len(order))
    page = order[first : first + limit]
    seals = Seals(parts)
    shown = [node for node in page if node not in walked.hidden]
    views = {view.id: view for view in describe(graph, seals, shown, walked.levels)}
    is_last = first + limit >= len(order)
    left_out = sorted(walked.left_out | (set() if is_last and first == 0 else {"page"}))
    return Lineage(
        id=root,
        direction=direction,
        depth=depth,
        counts=_counts(graph, walked),
        readings=_readings(graph, seals, walked),
        nodes=[views.get(node) or _hidden(node, walked) for node in page],
        links=_links(walked, order, first, limit),
        truncated=bool(left_out),
        left_out=left_out,
        next=None if is_last else str(first + limit),
    )


def find_root(graph: Graph, viewer: Viewer, text: str) -> str:
    """Return the identifier of what a text names, if it is there and the viewer may see it.

    Raises:
        NotFound: It is not, or not for this viewer: the two are told alike.
        RequestInvalid: No identifier, or several devices have the code.
    """
    node = parse_id(text)
    if not is_statement(node) and ":" not in node:
        node = _named_by_code(graph, viewer, node)
    if prefix_of(node) == "figure" and not _sees_base(graph, viewer, node):
        raise _unknown()
    if not _is_there(graph, node) or node not in viewer.visible([node]) or not _may_begin(viewer, node):
        raise _unknown()
    return node


def _check(direction: str, depth: int, limit: int) -> None:
    if direction not in DIRECTIONS:
        raise RequestInvalid("direction", f"{direction[:20]!r} is none", "ask for down or up")
    if not 1 <= depth <= MAX_DEPTH:
        raise RequestInvalid("depth", "is out of range", f"ask for 1 to {MAX_DEPTH}")
    if not 1 <= limit <= MAX_LIMIT:
        raise RequestInvalid("limit", "is out of range", f"ask for 1 to {MAX_LIMIT}")


def _place(cursor: str | None, count: int) -> int:
    if cursor is None:
        return 0
    if cursor.isascii() and cursor.isdigit() and len(cursor) < 8 and 0 < int(cursor) < count:
        return int(cursor)
    raise RequestInvalid("cursor", "is none of this answer", "take the cursor of the page before")


def _named_by_code(graph: Graph, viewer: Viewer, code: str) -> str:
    engine = graph.parts.engine
    if not is_code(code):
        party = queries.party_of_org(engine, code)
        if party is None:
            raise _unknown()
        return party_id(party)
    if queries.known_nodes(engine, [party_id(code)]):
        return party_id(code)
    owners = queries.parties(engine) if viewer.sees_all else [viewer.party or ""]
    found = sorted(queries.known_nodes(engine, [device_id(owner, code) for owner in owners]))
    if len(found) > 1:
        raise RequestInvalid("id", f"{len(found)} parties have a device {code}", "write device:PARTY/CODE")
    if not found:
        raise _unknown()
    return found[0]


def _is_there(graph: Graph, node: str) -> bool:
    prefix = prefix_of(node)
    if prefix == "statement":
        return bool(graph.statements([node]))
    if prefix == "figure":
        graph.figure(node)
        return True
    if prefix == "series":
        return graph.data_size(series_range(node).party) > 0
    return bool(queries.known_nodes(graph.parts.engine, [node]))


def _sees_base(graph: Graph, viewer: Viewer, node: str) -> bool:
    """Whether the report or organisation of a figure is one that the viewer sees; others may not exist."""
    base = rest_of(node).partition("/")[0]
    if not is_statement(base):
        return viewer.sees_party(base)
    return bool(graph.statements([base])) and bool(viewer.visible([base]))


def _may_begin(viewer: Viewer, node: str) -> bool:
    """Whether somebody may ask for this by name: of other parties and their files even that would tell."""
    if prefix_of(node) == "party":
        return viewer.sees_party(rest_of(node))
    if prefix_of(node) == "file":
        sources = {source for source, _, _ in queries.stated_to(viewer.parts.engine, [node])}
        return bool(viewer.visible(sources))
    return True


def _counts(graph: Graph, walked: Walked) -> dict[str, int]:
    shown = [node for node in walked.levels if node not in walked.hidden]
    graph.statements(shown)
    counted = Counter(graph.kind_of(node) for node in shown)
    if walked.hidden:
        counted[UNDISCLOSED] = len(walked.hidden)
    return dict(sorted(counted.items()))


def _readings(graph: Graph, seals: Seals, walked: Walked) -> Readings | None:
    nodes = [n for n in walked.levels if prefix_of(n) == "series" and n not in walked.hidden]
    if not nodes:
        return None
    counts = graph.series(nodes)
    starts = [count.start for count in counts.values() if count.start is not None]
    ends = [count.end for count in counts.values() if count.end is not None]
    last: dict[str, tuple[int, int]] = {}
    for node, count in counts.items():
        if count.first_index is not None and count.last_index is not None:
            origin = seals.origin(series_range(node).party, "data")
            low, high = last.get(origin, (count.first_index, count.last_index))
            last[origin] = (min(low, count.first_index), max(high, count.last_index))
    states, epochs = _seal_of_all(seals, last)
    return Readings(
        statements=sum(count.statements["readings"] for count in counts.values()),
        gaps=sum(count.statements["gap"] for count in counts.values()),
        samples=sum(count.samples for count in counts.values()),
        start=format_instant(min(starts)) if starts else None,
        end=format_instant(max(ends)) if ends else None,
        receipt_state=states[0] if len(states) == 1 else None,
        epochs=epochs,
    )


def _seal_of_all(seals: Seals, spans: dict[str, tuple[int, int]]) -> tuple[list[str], list[int]]:
    states: set[str] = set()
    epochs: list[int] = []
    for origin, (first, last) in spans.items():
        states.add(seals.of_entry(origin, last).receipt_state)
        epochs += [record.epoch for record in seals.epochs(origin, {first, last}).values()]
    return sorted(states), [min(epochs), max(epochs)] if epochs else []


def _links(walked: Walked, order: Collection[str], first: int, limit: int) -> list[LineageLink]:
    place = {node: at for at, node in enumerate(order)}
    chosen: list[LineageLink] = []
    for link in walked.links:
        later = max(place.get(link.source, -1), place.get(link.target, -1))
        if first <= later < first + limit and {link.source, link.target} <= place.keys():
            chosen.append(LineageLink(source=link.source, relation=link.relation, target=link.target))
    return chosen


def _hidden(node: str, walked: Walked) -> LineageNode:
    return LineageNode(id=node, kind=UNDISCLOSED, party=None, level=walked.levels[node])


def _unknown() -> NotFound:
    return NotFound(
        "id", "no such thing for this key", "copy the identifier again, or ask its owner for a grant"
    )
