"""What rests on something that a cause struck: reports, codes, opinions, grades, asset records, however far.

Only what is derived counts: a document about a report, a sample drawn from it or an older grade that a newer
one names rest on nothing of it. Reports count that the enterprise itself filed, grades when the log host's
own party stated them, asset records when the registrar's acts tell them: whoever else names its data code, or
an asset record, says nothing about either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.impacts import queries
from carbonseal_api.impacts.causes import Cause
from carbonseal_api.lineage.graph import Graph, Link
from carbonseal_api.lineage.identifiers import prefix_of, rest_of
from carbonseal_api.lineage.upward import links_up

# Relations along which something is derived from what it rests on.
DERIVED: Final = frozenset(
    {"coded_by", "about_report", "rests_on", "recorded_by", "changed_by", "split_from"}
)
NOT_GRADABLE: Final = "not_gradable"
_MAX_LEVELS: Final = 64  # a split of a split of a split
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Affected:
    """One thing that an impact names: its kind, whose it is, its statement digest or asset record id."""

    kind: str
    party: str
    digest: bytes


class Derivations:
    """All that is derived from some nodes, and what of it is derived from each."""

    def __init__(self, graph: Graph, nodes: Iterable[str], *, party: str) -> None:
        self._graph, self._party = graph, party
        self._over: dict[str, set[str]] = {}
        frontier = set(nodes)
        seen = set(frontier)
        for _ in range(_MAX_LEVELS):
            links = [link for link in links_up(graph, sorted(frontier)) if link.relation in DERIVED]
            links = self._believed(links)
            self._take(links)
            frontier = {link.source for link in links} - seen
            seen |= frontier
            if not frontier:
                break

    def over(self, nodes: Collection[str]) -> set[str]:
        """Return the nodes themselves and everything derived from them."""
        found, waiting = set(nodes), list(nodes)
        while waiting:
            fresh = self._over.get(waiting.pop(), set()) - found
            found |= fresh
            waiting += fresh
        return found

    def _believed(self, links: Collection[Link]) -> list[Link]:
        """Leave out what a party says that has no say in it."""
        parts = self._graph.parts
        rows = self._graph.statements({link.source for link in links})
        has_say = {
            "emissions_report": self._party,
            "grade": parts.host_party,
            "asset_act": parts.registrar,
        }
        splits = {bytes.fromhex(rest_of(link.source)) for link in links if link.relation == "split_from"}
        parents = queries.parents_of(parts.engine, parts.registrar, splits)

        def is_believed(link: Link) -> bool:
            if link.relation == "split_from":
                part, parent = (bytes.fromhex(rest_of(node)) for node in (link.source, link.target))
                return parents.get(part) == parent
            row = rows.get(link.source)
            return row is None or has_say.get(row["kind"], row["party"]) == row["party"]

        return [link for link in links if is_believed(link)]

    def _take(self, links: Iterable[Link]) -> None:
        for link in links:
            self._over.setdefault(link.target, set()).add(link.source)


def affected_by(
    parts: Parts, graph: Graph, cause: Cause, nodes: Collection[str], *, party: str
) -> list[Affected]:
    """Return what an impact of a cause names, in a fixed order.

    Args:
        parts: The deployment.
        graph: What has been read.
        cause: The cause.
        nodes: Everything derived from what it strikes, that included.
        party: The enterprise whose reports they are.
    """
    rows = graph.statements(nodes)
    grades = {row["digest"].hex(): row for row in queries.grades_of(parts.engine, parts.host_party, party)}
    records = [bytes.fromhex(rest_of(node)) for node in nodes if prefix_of(node) == "asset"]
    found = [
        Affected("asset", row["holder"], record)
        for record, row in queries.asset_records(parts.engine, parts.registrar, records).items()
    ]
    for node, row in rows.items():
        digest, kind = bytes.fromhex(node), row["kind"]
        if kind == "emissions_report":
            found += [Affected("inventory", party, digest), Affected(kind, party, digest)]
        elif kind in {"quality_code", "verification_report"} or (
            kind == "grade" and node in grades and _is_misled(grades[node], cause)
        ):
            found.append(Affected(kind, party, digest))
    return sorted(found)


def _is_misled(grade: Row, cause: Cause) -> bool:
    # A grade that was refused after the cause was known has drawn the consequence already.
    return bool(grade["grade"] != NOT_GRADABLE or grade["registered_at"] < cause.known_at)
