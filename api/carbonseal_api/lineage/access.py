"""Who may see which node: one's own, what names one, what is public, and another's under a grant.

What a viewer may not see stands in the answer as "not disclosed", without kind, party or relation, and is not
followed any further. Verification bodies and banks need a standing grant at level evidence, which opens what
belongs to its period, as `evidence.disclosure` has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.evidence.disclosure import times_of_documents
from carbonseal_api.grants.refusals import GrantExpired, GrantMissing, GrantWithdrawn
from carbonseal_api.grants.service import PURPOSE_OF, standing
from carbonseal_api.lineage import queries
from carbonseal_api.lineage.graph import Graph
from carbonseal_api.lineage.identifiers import is_statement, prefix_of, rest_of, series_range
from carbonseal_attest.contents import KINDS

LEVEL: Final = "evidence"
UNDISCLOSED: Final = "undisclosed"
_PUBLIC: Final = frozenset({"package", "factor", "party", "file", "epoch", "anchor"})


class Viewer:
    """One caller, for one answer; `principal` None is whoever holds the machine, and sees everything."""

    def __init__(self, graph: Graph, principal: Principal | None) -> None:
        self._graph, self._principal = graph, principal
        self.parts: Parts = graph.parts
        self._granted: dict[tuple[str, tuple[int, int] | None], bool] = {}

    @property
    def sees_all(self) -> bool:
        """Whether nothing is hidden from this viewer."""
        return self._principal is None or self._principal.sees_all

    @property
    def party(self) -> str | None:
        """The viewer's party, None for whoever holds the machine."""
        return None if self._principal is None else self._principal.party

    def visible(self, nodes: Collection[str]) -> set[str]:
        """Return those of some nodes that the viewer may see."""
        if self.sees_all:
            return set(nodes)
        rows = self._graph.statements(nodes)
        found = {node for node in nodes if node in rows and self._sees_statement(rows[node])}
        # A digest that no log here holds names nothing; whoever sees the statement that names it has it.
        found |= {node for node in nodes if is_statement(node) and node not in rows}
        foreign = [row for node, row in rows.items() if node not in found]
        if foreign and self.party is not None:
            found |= queries.mentioned(self.parts.engine, self.party, foreign)
        return found | {node for node in nodes if not is_statement(node) and self._sees_thing(node)}

    def sees_party(self, party: str, interval: tuple[int, int] | None = None) -> bool:
        """Whether the viewer sees what lies with a party, of an interval where one is given."""
        principal = self._principal
        if principal is None or principal.sees_all or principal.party == party:
            return True
        purposes = {PURPOSE_OF[role] for role in principal.roles & PURPOSE_OF.keys()}
        key = (party, interval)
        if purposes and key not in self._granted:
            try:
                standing(
                    self.parts,
                    grantee=principal.party,
                    owner=party,
                    level=LEVEL,
                    period=interval,
                    at=self.parts.clock(),
                    purposes=purposes,
                )
                self._granted[key] = True
            except (GrantMissing, GrantWithdrawn, GrantExpired):
                self._granted[key] = False
        return self._granted.get(key, False)

    def opaque(self, node: str) -> str:
        """Return the name under which a hidden node stands: the same in one viewer's answers, no other's."""
        digest = hashlib.sha256(f"{self.party}\n{node}".encode()).hexdigest()
        return f"{UNDISCLOSED}:{digest[:16]}"

    def _sees_statement(self, row: Mapping[str, Any]) -> bool:
        if row["kind"] in KINDS and KINDS[row["kind"]].is_public:
            return True
        start, end, owner = row["interval_start"], row["interval_end"], row["party"]
        if start is not None:
            return self.sees_party(owner, (start, end))
        if row["log"] != "data" or owner == self.party:
            return self.sees_party(owner)
        # As everywhere else: a document goes with the time of what it is about, and what belongs to no time
        # stays with its owner.
        if row["kind"] != "document" or not self.sees_party(owner):
            return False
        times = times_of_documents(self.parts, owner, [bytes(row["statement_digest"])], [])
        return any(self.sees_party(owner, time) for time in times)

    def _sees_thing(self, node: str) -> bool:
        prefix = prefix_of(node)
        if prefix in _PUBLIC:
            return True
        if prefix == "device":
            return self.sees_party(rest_of(node).partition("/")[0])
        if prefix == "series":
            one = series_range(node)
            return self.sees_party(one.party, (one.start, one.end))
        if prefix == "head":
            origin = rest_of(node).partition("@")[0].split("/")
            return len(origin) == 3 and self.sees_party(origin[1])
        if prefix == "figure":
            first = rest_of(node).partition("/")[0]
            return bool(self.visible([first])) if is_statement(first) else self.sees_party(first)
        if prefix == "asset":
            acts = {target for _, _, target in queries.stated_from(self.parts.engine, [node])}
            return bool(self.visible({act for act in acts if act in self._graph.statements(acts)}))
        return False
